"""Frames from cameras, files, folders, streams and generated worlds: ``open_source(uri)`` picks the kind.

Importing this package is cheap: OpenCV, PyAV and picamera2 are imported by the kind of source
that needs them.
"""

from __future__ import annotations

from edgecam.capture.open import check_source, open_source, waits
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import is_generated

__all__ = ["SourceOptions", "check_source", "is_generated", "open_source", "waits"]
