"""Pictures and their headers to live messages: the port, and pictures that stand alone."""

from __future__ import annotations

from typing import Protocol

from edgecam.core.clock import now_ns
from edgecam.core.errors import EdgecamError
from edgecam.core.types import Image
from edgecam.web.live.message import LiveHeader, pack
from edgecam.web.live.picture import jpeg


class CoderError(EdgecamError):
    """A picture could not be encoded; the next one may be tried."""


class Coder(Protocol):
    """Makes messages of pictures. One thread."""

    def encode(self, header: LiveHeader, image: Image, *, key: bool) -> list[tuple[bool, bytes]]:
        """(whether decoding can begin there, message) of what became ready. Raises CoderError.

        header: of this picture; what only the coder knows is written into it. image: (H, W, 3) uint8 BGR.
        """

    def close(self) -> None:
        """Release the encoder."""


class JpegCoder:
    """Each picture alone: for browsers without a decoder, and for MJPEG."""

    def encode(self, header: LiveHeader, image: Image, *, key: bool) -> list[tuple[bool, bytes]]:
        """One message, at which decoding can begin."""
        del key
        try:
            return [message(header, True, jpeg(image))]
        except ValueError as error:
            raise CoderError(str(error)) from error

    def close(self) -> None:
        """Nothing to release."""


def message(header: LiveHeader, key: bool, data: bytes) -> tuple[bool, bytes]:
    """A picture's message, and whether decoding can begin there."""
    header.key = key
    header.sent_ns = now_ns()
    return key, pack(header, data)
