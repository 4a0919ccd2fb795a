"""Keeps OpenCV's Qt out of PyQt6's way."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def drop_cv2_paths(environ: MutableMapping[str, str] | None = None) -> tuple[str, ...]:
    """Unset Qt's path variables where they point into OpenCV's package; returns the names of those dropped.

    Importing OpenCV's wheel points Qt at plugins of its own Qt 5, and PyQt6 then cannot load its platform
    plugin (opencv-python issues 736 and 447). So OpenCV is imported here first, and afterwards the variables
    go; a value that a person set stays. Call before QApplication.
    """
    import cv2

    environ = os.environ if environ is None else environ
    inside = Path(cv2.__file__).resolve().parent
    dropped = []
    for name in _VARIABLES:
        value = environ.get(name)
        if value and Path(value).resolve().is_relative_to(inside):
            del environ[name]
            dropped.append(name)
    return tuple(dropped)
