"""The part of the kernel's V4L2 interface that capture needs: structures and ioctl numbers, 64-bit layout.

From include/uapi/linux/videodev2.h (Linux 6.1); sizes, offsets and numbers are checked against that header by
tests/capture/test_capture_v4l2_abi.py. The ioctls are used directly because OpenCV cannot list formats, reads
no driver timestamps, and blocks for ten seconds on a camera that stopped.
"""

from __future__ import annotations

import ctypes
import fcntl
from ctypes import c_char, c_int32, c_int64, c_uint8, c_uint32, c_ulong

VIDEO4LINUX_MAJOR = 81  # Documentation/admin-guide/devices.txt

CAP_VIDEO_CAPTURE = 0x00000001
CAP_VIDEO_CAPTURE_MPLANE = 0x00001000
CAP_META_CAPTURE = 0x00800000
CAP_STREAMING = 0x04000000
CAP_DEVICE_CAPS = 0x80000000

BUF_TYPE_VIDEO_CAPTURE = 1
MEMORY_MMAP = 1
FIELD_NONE = 1
BUF_FLAG_ERROR = 0x40
BUF_FLAG_TIMESTAMP_MASK = 0xE000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x2000
FRMSIZE_DISCRETE = 1
FRMIVAL_DISCRETE = 1
CAP_TIMEPERFRAME = 0x1000

CTRL_FLAG_NEXT = 0x80000000
CTRL_FLAG_DISABLED = 0x1
CTRL_FLAG_READ_ONLY = 0x4
CTRL_FLAG_INACTIVE = 0x10
CTRL_INTEGER, CTRL_BOOLEAN, CTRL_MENU, CTRL_BUTTON, CTRL_INTEGER_MENU = 1, 2, 3, 4, 9


class Capability(ctypes.Structure):
    """struct v4l2_capability."""

    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FmtDesc(ctypes.Structure):
    """struct v4l2_fmtdesc."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class Format(ctypes.Structure):
    """struct v4l2_format with its ``pix`` member; the union is aligned to 8 and 200 bytes long."""

    _fields_ = (
        ("type", c_uint32),
        ("_pad", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("bytesperline", c_uint32),
        ("sizeimage", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr_enc", c_uint32),
        ("quantization", c_uint32),
        ("xfer_func", c_uint32),
        ("_rest", c_uint8 * 152),
    )


class FrmSizeEnum(ctypes.Structure):
    """struct v4l2_frmsizeenum; for a discrete size, width and height stand in ``v[0]`` and ``v[1]``.

    For a stepwise one ``v`` is min_width, max_width, step_width, min_height, max_height, step_height.
    """

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("v", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class FrmIvalEnum(ctypes.Structure):
    """struct v4l2_frmivalenum; ``v`` is a fraction (discrete), or min, max, step as fractions."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("v", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class StreamParm(ctypes.Structure):
    """struct v4l2_streamparm with its ``capture`` member."""

    _fields_ = (
        ("type", c_uint32),
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("numerator", c_uint32),
        ("denominator", c_uint32),
        ("_rest", c_uint8 * 184),
    )


class RequestBuffers(ctypes.Structure):
    """struct v4l2_requestbuffers."""

    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    )


class Buffer(ctypes.Structure):
    """struct v4l2_buffer, 64-bit, with ``m.offset`` as ``offset``."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("_pad", c_uint32),
        ("tv_sec", c_int64),
        ("tv_usec", c_int64),
        ("timecode", c_uint8 * 16),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("offset", c_ulong),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
        ("_tail", c_uint32),
    )


class QueryCtrl(ctypes.Structure):
    """struct v4l2_queryctrl."""

    _fields_ = (
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
        ("minimum", c_int32),
        ("maximum", c_int32),
        ("step", c_int32),
        ("default_value", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 2),
    )


class QueryMenu(ctypes.Structure):
    """struct v4l2_querymenu; packed. ``name`` holds the 64-bit value of an integer menu."""

    _pack_ = 1
    _layout_ = "ms"  # Python 3.14 wants it said; the same bytes
    _fields_ = (
        ("id", c_uint32),
        ("index", c_uint32),
        ("name", c_uint8 * 32),
        ("reserved", c_uint32),
    )


class Control(ctypes.Structure):
    """struct v4l2_control."""

    _fields_ = (("id", c_uint32), ("value", c_int32))


_WRITE, _READ = 1, 2


def _number(direction: int, code: int, size: int) -> int:
    """_IOC() of include/uapi/asm-generic/ioctl.h with the type 'V'."""
    return direction << 30 | size << 16 | ord("V") << 8 | code


QUERYCAP = _number(_READ, 0, ctypes.sizeof(Capability))
ENUM_FMT = _number(_READ | _WRITE, 2, ctypes.sizeof(FmtDesc))
G_FMT = _number(_READ | _WRITE, 4, ctypes.sizeof(Format))
S_FMT = _number(_READ | _WRITE, 5, ctypes.sizeof(Format))
REQBUFS = _number(_READ | _WRITE, 8, ctypes.sizeof(RequestBuffers))
QUERYBUF = _number(_READ | _WRITE, 9, ctypes.sizeof(Buffer))
QBUF = _number(_READ | _WRITE, 15, ctypes.sizeof(Buffer))
DQBUF = _number(_READ | _WRITE, 17, ctypes.sizeof(Buffer))
STREAMON = _number(_WRITE, 18, 4)
STREAMOFF = _number(_WRITE, 19, 4)
G_PARM = _number(_READ | _WRITE, 21, ctypes.sizeof(StreamParm))
S_PARM = _number(_READ | _WRITE, 22, ctypes.sizeof(StreamParm))
G_CTRL = _number(_READ | _WRITE, 27, ctypes.sizeof(Control))
S_CTRL = _number(_READ | _WRITE, 28, ctypes.sizeof(Control))
QUERYCTRL = _number(_READ | _WRITE, 36, ctypes.sizeof(QueryCtrl))
QUERYMENU = _number(_READ | _WRITE, 37, ctypes.sizeof(QueryMenu))
ENUM_FRAMESIZES = _number(_READ | _WRITE, 74, ctypes.sizeof(FrmSizeEnum))
ENUM_FRAMEINTERVALS = _number(_READ | _WRITE, 75, ctypes.sizeof(FrmIvalEnum))


def ioctl(fd: int, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
    """Run one ioctl; ``argument`` is read and filled in place. Raises OSError as the kernel says."""
    fcntl.ioctl(fd, request, argument)


def fourcc_text(code: int) -> str:
    """``0x47504A4D`` → ``MJPG``."""
    return "".join(chr(code >> shift & 0x7F) for shift in (0, 8, 16, 24)).rstrip()


def fourcc_code(text: str) -> int:
    """``MJPG`` → its number."""
    return sum(ord(letter) << 8 * place for place, letter in enumerate(text.ljust(4)))
