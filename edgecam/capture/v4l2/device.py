"""Questions to a V4L2 device: is it a camera, what can it do, which controls has it, who holds it."""

from __future__ import annotations

import ctypes
import errno
import getpass
import grp
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgecam.capture.v4l2 import abi
from edgecam.capture.v4l2.negotiate import Mode
from edgecam.core.errors import SourceOpenError

# Sizes to try where a driver takes any size.
_COMMON_SIZES_WH = ((640, 480), (800, 600), (1280, 720), (1920, 1080))
_MORE_THAN_ANY_DRIVER_LISTS = 256


class NotACameraError(SourceOpenError):
    """The node exists but frames cannot be captured from it; the message says why."""


def open_node(path: str) -> int:
    """Open a video node, without blocking. Returns the descriptor, which the caller closes.

    Raises SourceOpenError with what to do: missing, no permission (which group), busy, not a camera.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        raise SourceOpenError(
            f"{path} cannot be opened: {error.strerror}; is the camera plugged in?"
        ) from None
    # opening some other device (a watchdog, a tape) has effects of its own, so look at the number first
    if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) != abi.VIDEO4LINUX_MAJOR:
        raise NotACameraError(f"{path} is not a camera; `edgecam devices` lists the cameras.")
    try:
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        raise SourceOpenError(f"{path}: no permission; {_advice(status)}") from None
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise SourceOpenError(busy_message(path)) from None
        raise SourceOpenError(
            f"{path} cannot be opened: {error.strerror}; unplug the camera and plug it in again."
        ) from None


def _advice(status: os.stat_result) -> str:
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = "video"
    group = "video" if group == "root" else group
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "USER"
    return (
        f"it belongs to the group {group!r}: run `sudo usermod -aG {group} {user}` and log in again "
        f"(a service needs SupplementaryGroups={group})."
    )


def busy_message(path: str) -> str:
    """Who holds the camera, as far as this user may see."""
    holders = ", ".join(holding(path))
    by = f"in use by {holders}" if holders else "in use by another program"
    return f"{path} is {by}; a camera serves one program at a time, so close that one first."


def holding(path: str) -> list[str]:
    """Other processes that have the node open, as ``name (pid N)``."""
    real = os.path.realpath(path)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(os.path.realpath(link) == real for link in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text().strip()} (pid {process.name})")
        except OSError:  # gone meanwhile, or another user's
            continue
    return found


def capability(fd: int, path: str) -> abi.Capability:
    """What the node is. Raises NotACameraError unless frames can be captured from it by streaming."""
    cap = abi.Capability()
    try:
        abi.ioctl(fd, abi.QUERYCAP, cap)
    except OSError:
        raise NotACameraError(f"{path} is not a camera; `edgecam devices` lists the cameras.") from None
    caps = cap.device_caps if cap.capabilities & abi.CAP_DEVICE_CAPS else cap.capabilities
    reason = ""
    if not caps & abi.CAP_VIDEO_CAPTURE:
        if caps & abi.CAP_META_CAPTURE:
            reason = "carries metadata, not pictures; the camera's pictures come from the node before it"
        elif caps & abi.CAP_VIDEO_CAPTURE_MPLANE:
            reason = "captures multi-planar frames only, as bare sensors do; use csi:0 for it"
        else:
            reason = "does not capture (an encoder, a codec or an output)"
    elif not caps & abi.CAP_STREAMING:
        reason = "cannot stream"
    if reason:
        raise NotACameraError(f"{path} ({text(cap.card)}) {reason}; `edgecam devices` lists the cameras.")
    return cap


def text(raw: bytes) -> str:
    """A kernel string as text."""
    return raw.decode("utf-8", "replace")


def _count_up(fd: int, request: int, item: ctypes.Structure) -> Iterator[None]:
    """Run an enumerating ioctl with index 0, 1, 2 … until the driver says there is no more."""
    for index in range(_MORE_THAN_ANY_DRIVER_LISTS):
        item.index = index
        try:
            abi.ioctl(fd, request, item)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
                return
            raise
        yield


def modes(fd: int, size_wh: tuple[int, int] | None = None) -> list[Mode]:
    """All formats × sizes × rates. Where the driver takes any size, the common ones and ``size_wh``."""
    found: list[Mode] = []
    desc = abi.FmtDesc(type=abi.BUF_TYPE_VIDEO_CAPTURE)
    for _ in _count_up(fd, abi.ENUM_FMT, desc):
        code = desc.pixelformat
        fourcc = abi.fourcc_text(code)
        found.extend(Mode(fourcc, size, _rates(fd, code, size)) for size in _sizes(fd, code, size_wh))
    return found


def _sizes(fd: int, code: int, wanted: tuple[int, int] | None) -> list[tuple[int, int]]:
    sizes: list[tuple[int, int]] = []
    item = abi.FrmSizeEnum(pixel_format=code)
    for _ in _count_up(fd, abi.ENUM_FRAMESIZES, item):
        if item.type == abi.FRMSIZE_DISCRETE:
            sizes.append((item.v[0], item.v[1]))
            continue
        low_w, high_w, step_w, low_h, high_h, step_h = item.v
        for width, height in (*_COMMON_SIZES_WH, *([wanted] if wanted else [])):
            size = _stepped(width, low_w, high_w, step_w), _stepped(height, low_h, high_h, step_h)
            if size not in sizes:
                sizes.append(size)
        break
    if not sizes:  # the driver lists none: what it is set to now
        form = current_format(fd)
        sizes.append((form.width, form.height))
    return sizes


def _stepped(value: int, low: int, high: int, step: int) -> int:
    value = min(max(value, low), high)
    return low + (value - low) // max(step, 1) * max(step, 1)


def _rates(fd: int, code: int, size_wh: tuple[int, int]) -> tuple[float, ...]:
    rates: set[float] = set()
    item = abi.FrmIvalEnum(pixel_format=code, width=size_wh[0], height=size_wh[1])
    for _ in _count_up(fd, abi.ENUM_FRAMEINTERVALS, item):
        if item.type == abi.FRMIVAL_DISCRETE:
            rates.add(_hz(item.v[0], item.v[1]))
            continue
        slowest, fastest = _hz(item.v[2], item.v[3]), _hz(item.v[0], item.v[1])
        rates.update(rate for rate in (5.0, 10.0, 15.0, 25.0, 30.0, 50.0, 60.0) if slowest <= rate <= fastest)
        rates.add(fastest)
        break
    return tuple(sorted(rates - {0.0}, reverse=True))


def _hz(numerator: int, denominator: int) -> float:
    return round(denominator / numerator, 3) if numerator else 0.0


def current_format(fd: int) -> abi.Format:
    """The format the node is set to."""
    form = abi.Format(type=abi.BUF_TYPE_VIDEO_CAPTURE)
    abi.ioctl(fd, abi.G_FMT, form)
    return form


def set_rate(fd: int, rate_hz: float) -> float | None:
    """Ask for a rate; returns the granted one, or None if the driver has no say in it."""
    parm = abi.StreamParm(type=abi.BUF_TYPE_VIDEO_CAPTURE)
    try:
        abi.ioctl(fd, abi.G_PARM, parm)
        if parm.capability & abi.CAP_TIMEPERFRAME:
            parm.numerator, parm.denominator = 1000, round(rate_hz * 1000)
            abi.ioctl(fd, abi.S_PARM, parm)
            abi.ioctl(fd, abi.G_PARM, parm)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            return None
        raise
    return _hz(parm.numerator, parm.denominator) or None


def stable_path(path: str, by_id: Path = Path("/dev/v4l/by-id")) -> str | None:
    """The /dev/v4l/by-id name of a node, which survives reboots and re-plugging; None if it has none."""
    return next(
        (str(link) for link in _links(by_id) if os.path.realpath(link) == os.path.realpath(path)), None
    )


def _links(folder: Path) -> Sequence[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return ()
