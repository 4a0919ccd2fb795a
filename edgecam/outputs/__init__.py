"""Sinks of results and events: JSON lines, the wire."""
