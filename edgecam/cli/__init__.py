"""The command line: the main program and one module per command."""
