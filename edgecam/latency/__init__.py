"""See :mod:`edgecam.cli.latency_test`."""
