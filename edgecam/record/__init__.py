"""Clips, snapshots, sidecars, and the library of them with its retention."""
