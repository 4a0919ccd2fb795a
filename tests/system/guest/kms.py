from typing import Any

"""Stands in for pykms in the guest, which has no Pi display: picamera2 imports it, and never calls it."""


class _Formats:
    def __getattr__(self, name: Any) -> Any:
        return 0

    def __contains__(self, item: Any) -> Any:
        return False


PixelFormats = PixelFormat = _Formats()


class Card:
    """No card: picamera2's own preview windows are not used."""

    def __init__(self, *_: Any) -> None:
        raise OSError("no kms on the virtual board")


class ResourceManager:
    """Named by picamera2's preview, never made."""


class DumbFramebuffer:
    """Named by picamera2's preview, never made."""


class DmabufFramebuffer:
    """Named by picamera2's preview, never made."""


class PlaneType:
    """The two that picamera2 names."""

    Primary = 0
    Overlay = 1
