"""Threads and hand-offs: source -> vision -> fan-out, by ports only."""
