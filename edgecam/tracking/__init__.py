"""Identities from frame to frame, and what has been seen often enough to be shown."""
