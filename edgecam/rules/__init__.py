"""Zones, lines, counts and dwell: results in, events out. Pure: the same results give the same events."""
