"""What a camera, a server or a file may send. Every limit of the room; docs/security.md lists them."""

from __future__ import annotations

from edgecam.core.units import number_within
from edgecam.media.limits import FILE_PIXELS, LIVE_PIXELS

__all__ = ["FILE_PIXELS", "LIVE_PIXELS"]

# What a server says (RTSP, HTTP)
#: One line, and the header lines of one message (RFC 9112 gives none; common servers take 8 kB and 100).
LINE_BYTES, HEADER_LINES = 4096, 64
#: A message's body: a session description has one or two kilobytes.
BODY_BYTES = 256 * 1024
#: Fields of one authentication challenge; RFC 7616 knows nine.
CHALLENGE_FIELDS = 32
#: Redirections that are followed in a row.
REDIRECTS = 3
#: Seconds of a session's time-out that are believed.
SESSION_S = (2.0, 3600.0)
#: Packets that may come before the answer to a request (a picture may overtake PLAY's).
EARLY_PACKETS, EARLY_BYTES = 1024, 4 << 20

# What it sends
#: Compressed bytes of one picture, and pieces (packets) it may come in.
PICTURE_BYTES, PICTURE_PIECES = 32 << 20, 32_768
#: Frames per second that a description may name.
RATE_HZ = (0.01, 1000.0)
#: Scans of one JPEG: a progressive picture has about ten; a thousand take minutes to decode.
JPEG_SCANS = 100

# What a decoder process may do
#: Memory that it may allocate: a 33-megapixel decoder with its reference pictures has some 800 MB.
PROCESS_BYTES = 1_500_000_000
#: Lines it may log within a minute.
LOG_LINES = 30

# What files hold
#: Compressed bytes of a picture in a folder.
FILE_BYTES = 512 << 20
#: Pictures of one folder or glob.
PICTURES = 1_000_000


def sane_rate_hz(value: object) -> float | None:
    """A frame rate that somebody named, or None if it is none (NaN, infinite, a time base's 90000)."""
    return number_within(value, *RATE_HZ)
