"""Tracking: identities from frame to frame, and whether an object was seen often enough to be shown."""
