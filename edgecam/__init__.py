"""edgecam: camera vision for embedded boards.

The front door. Every name here is imported when it is first used, so that ``import edgecam`` takes a few
milliseconds and pulls in neither OpenCV nor ONNX Runtime::

    import edgecam

    with edgecam.open_source("/dev/video0") as camera:
        detector = edgecam.load_detector("default")
        for frame in camera:
            for found in detector.detect(frame):
                print(found.label, found.score, found.xyxy)
"""

from __future__ import annotations

import os

from edgecam.core.package import __version__

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would take longer than all the rest
if TYPE_CHECKING:
    from typing import Any

    from edgecam.app.app import App
    from edgecam.app.watching import watch
    from edgecam.capture.open import open_source
    from edgecam.capture.options import SourceOptions
    from edgecam.config.schema import Config
    from edgecam.core.errors import (
        CaptureError,
        ConfigError,
        EdgecamError,
        EndOfStream,
        MissingExtraError,
        ModelError,
        RecordError,
        SourceOpenError,
    )
    from edgecam.core.events import Event
    from edgecam.core.types import Classification, Detection, Detections, Frame, PowerReading, Result, Stats
    from edgecam.inference.load import load_classifier, load_detector
    from edgecam.overlay.annotate import annotate
    from edgecam.tracking.identities import SortTracker as Tracker

# From 1.29 on ONNX Runtime's wheels report to Microsoft unless this is set before they are imported: they
# keep a device number and a cache in ~/.cache/Microsoft and connect to the internet, which is no camera's
# business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "App",
    "CaptureError",
    "Classification",
    "Config",
    "ConfigError",
    "Detection",
    "Detections",
    "EdgecamError",
    "EndOfStream",
    "Event",
    "Frame",
    "MissingExtraError",
    "ModelError",
    "PowerReading",
    "RecordError",
    "Result",
    "SourceOpenError",
    "SourceOptions",
    "Stats",
    "Tracker",
    "__version__",
    "annotate",
    "load_classifier",
    "load_detector",
    "open_source",
    "watch",
]

#: Where each name comes from; the same as the imports above, which only type checkers see.
_HOME = {
    "App": "edgecam.app.app",
    "Classification": "edgecam.core.types",
    "Config": "edgecam.config.schema",
    "Detection": "edgecam.core.types",
    "Detections": "edgecam.core.types",
    "Event": "edgecam.core.events",
    "Frame": "edgecam.core.types",
    "PowerReading": "edgecam.core.types",
    "Result": "edgecam.core.types",
    "SourceOptions": "edgecam.capture.options",
    "Stats": "edgecam.core.types",
    "Tracker": "edgecam.tracking.identities:SortTracker",
    "annotate": "edgecam.overlay.annotate",
    "load_classifier": "edgecam.inference.load",
    "load_detector": "edgecam.inference.load",
    "open_source": "edgecam.capture.open",
    "watch": "edgecam.app.watching",
    **dict.fromkeys(
        (
            "CaptureError",
            "ConfigError",
            "EdgecamError",
            "EndOfStream",
            "MissingExtraError",
            "ModelError",
            "RecordError",
            "SourceOpenError",
        ),
        "edgecam.core.errors",
    ),
}


def __getattr__(name: str) -> Any:
    """Import ``name`` when it is first asked for."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'edgecam' has no attribute '{name}'")
    from importlib import import_module

    module, _, inside = home.partition(":")
    value = getattr(import_module(module), inside or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
