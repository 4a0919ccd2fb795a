"""The doctor: what this machine lacks for edgecam, and how to put each thing right."""
