"""See :mod:`edgecam.cli_latency`."""
