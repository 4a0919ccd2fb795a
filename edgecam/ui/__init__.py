"""The Qt window; the only room that imports PyQt6."""
