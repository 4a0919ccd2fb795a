"""``csi:N``: a camera behind libcamera (the Raspberry Pi's ribbon cameras), through picamera2."""

from __future__ import annotations

import os
from types import ModuleType

from edgecam.capture.csi.address import parse
from edgecam.capture.csi.camera import CsiCamera
from edgecam.capture.live.source import GrabbedSource
from edgecam.capture.options import SourceOptions
from edgecam.core.errors import SourceExtraError
from edgecam.host.installation import here

# Starting takes one to two seconds on a Pi; a board under load needs more.
OPEN_TIMEOUT_S = 20.0


def import_picamera2() -> ModuleType:
    """Import picamera2, and undo its change to Qt's settings. Raises SourceExtraError with what to do."""
    before = os.environ.get("QT_QPA_PLATFORM")
    try:
        import picamera2
    except ImportError as error:
        if error.name in ("picamera2", "libcamera"):
            what = "is not installed, or a virtual environment hides it"
        else:
            what = f"cannot be imported ({error})"
        raise SourceExtraError(
            f"csi: needs picamera2, which {what}. Run: sudo apt install python3-picamera2; "
            f"{here().system_packages()} (pip's own picamera2 does not work on a board)."
        ) from None
    finally:
        # importing picamera2 sets QT_QPA_PLATFORM=xcb under Wayland, which would bind our own window to
        # XWayland
        if before is None:
            os.environ.pop("QT_QPA_PLATFORM", None)
        else:
            os.environ["QT_QPA_PLATFORM"] = before
    module: ModuleType = picamera2
    return module


class CsiSource(GrabbedSource):
    """``image`` is libcamera's main stream, ``Frame.lores`` its second; both come from one capture.

    picamera2's calls can hang (its issues 962 and 1264), so they are all made on the reader's thread, and the
    owner waits with a deadline. ``captured_ns`` is the sensor's own timestamp.
    """

    stop_s = 1.5  # stopping libcamera and picamera2's event loop takes about half a second on a board

    def __init__(self, rest: str, options: SourceOptions) -> None:
        wish = parse(rest, options)
        super().__init__(f"csi:{wish.number}", options.read_timeout_s)
        self._wish = wish
        self._frozen_after_s = options.frozen_after_s
        self._about = ""
        self._picamera2 = import_picamera2()
        self._begin(self._open, OPEN_TIMEOUT_S)
        self._description = f"{self._name}: {self._about}"

    @classmethod
    def from_uri(cls, uri: str, options: SourceOptions) -> CsiSource:
        """From ``csi:0?…``."""
        return cls(uri.partition(":")[2], options)

    def _open(self) -> CsiCamera:
        """On the reader's thread."""
        camera = CsiCamera(
            self._picamera2,
            self._wish,
            self._name,
            self._read_timeout_s,
            self._frozen_after_s,
            self._skipping,
        )
        self._about = camera.about
        self._rate_hz = camera.rate_hz
        return camera
