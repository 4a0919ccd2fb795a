"""A V4L2 camera (USB webcams, capture sticks), through the kernel's own streaming interface."""

from __future__ import annotations

import ctypes
import errno
import logging
import mmap
import os
import select
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam.capture.base import LiveSource
from edgecam.capture.decode.raw import decode
from edgecam.capture.live.frozen import FrozenFrameDetector
from edgecam.capture.options import SourceOptions
from edgecam.capture.v4l2 import abi, device
from edgecam.capture.v4l2.controls import apply_controls
from edgecam.capture.v4l2.negotiate import choose, reduction
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, SourceOpenError
from edgecam.core.types import Frame

log = logging.getLogger(__name__)

# One being filled, one filled, one being decoded, one spare.
BUFFERS = 4
# A driver's timestamp further back than this is not of the clock it claims.
_PLAUSIBLE_AGE_NS = 5_000_000_000
# What one turn of reading may take beyond its wait and still count as the camera's silence; the rest is ours.
_TURN_NS = 100_000_000


class V4L2Source(LiveSource):
    """Newest frame first: whatever queued up while nobody read is skipped, undecoded.

    ``captured_ns`` is the driver's timestamp (start of exposure or of arrival, by driver), on the clock of
    ``time.monotonic_ns``. No thread: ``read`` waits in poll(2) and keeps its deadline. Lost (CaptureError)
    means: the kernel says the device is gone, its node is gone, nothing came for ``read_timeout_s``, or the
    same bytes came again and again for ``frozen_after_s``. Only time spent waiting for a picture counts as
    silence: a board that is slow to start, or too busy to look, has not lost its camera.
    """

    def __init__(self, path: str, options: SourceOptions) -> None:
        super().__init__(path)
        self._options = options
        self._maps: list[mmap.mmap] = []
        self._streaming = False
        self._sequence: int | None = None
        self._frozen = FrozenFrameDetector(options.frozen_after_s)
        self._fd = device.open_node(path)
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            self._configure()
            self._start()
        except BaseException:
            self._closed.set()
            self._released = True
            self._release()
            raise
        self._silent_ns = 0
        self._looked_ns = 0
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)

    def _configure(self) -> None:
        """Format, size, rate and controls: ask, read back, and say what was granted."""
        path, options = self._name, self._options
        card = device.text(device.capability(self._fd, path).card)
        modes = device.modes(self._fd, options.size_wh)
        choice = choose(modes, options.size_wh, options.rate_hz)
        if choice is None:
            offered = ", ".join(sorted({mode.fourcc for mode in modes})) or "nothing"
            raise SourceOpenError(f"{path} ({card}) offers only {offered}, which edgecam cannot decode.")
        form = abi.Format(type=abi.BUF_TYPE_VIDEO_CAPTURE, field=abi.FIELD_NONE)
        form.width, form.height = choice.mode.size_wh
        form.pixelformat = abi.fourcc_code(choice.mode.fourcc)
        self._ask(abi.S_FMT, form)
        granted_hz = device.set_rate(self._fd, choice.rate_hz)
        controls = apply_controls(self._fd, options.controls)
        self._form = form = device.current_format(self._fd)
        self._fourcc = abi.fourcc_text(form.pixelformat)
        self._rate_hz = granted_hz
        packed = self._fourcc in ("MJPG", "JPEG")
        self._reduce = reduction((form.width, form.height), options.size_wh) if packed else 1
        self._size_wh = (form.width // self._reduce, form.height // self._reduce)
        shown = f"{form.width}x{form.height}" + (f" {self._fourcc}" if self._fourcc else "")
        shown += f" at {granted_hz:g} fps" if granted_hz else ""
        if self._reduce > 1:
            shown += f", decoded at 1/{self._reduce}"
        if controls:
            shown += f", {', '.join(controls)}"
        why = choice.why
        if (form.width, form.height) != choice.mode.size_wh:
            why = f"the driver changed {choice.mode.size_wh[0]}x{choice.mode.size_wh[1]} to its own size"
        self._description = f"{path} ({card}): {shown}" + (f" ({why})" if why else "")

    def _ask(self, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        """An ioctl of the opening phase, its errors told in words."""
        try:
            abi.ioctl(self._fd, request, argument)
        except OSError as error:
            if error.errno == errno.EBUSY:
                message = device.busy_message(self._name)
            elif error.errno == errno.ENOSPC:
                message = (
                    f"{self._name}: the USB bus has no bandwidth left for this camera; "
                    "give it another bus, or ask for a smaller --size or --rate."
                )
            else:
                message = f"{self._name} refused to stream: {error.strerror}; unplug it and plug it in again."
            raise SourceOpenError(message) from None

    def _start(self) -> None:
        wanted = abi.RequestBuffers(count=BUFFERS, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)
        self._ask(abi.REQBUFS, wanted)
        for index in range(wanted.count):
            buffer = self._buffer(index)
            self._ask(abi.QUERYBUF, buffer)
            self._maps.append(mmap.mmap(self._fd, buffer.length, offset=buffer.offset, prot=mmap.PROT_READ))
            self._ask(abi.QBUF, buffer)
        self._ask(abi.STREAMON, ctypes.c_int(abi.BUF_TYPE_VIDEO_CAPTURE))
        self._streaming = True

    @staticmethod
    def _buffer(index: int = 0) -> abi.Buffer:
        return abi.Buffer(index=index, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)

    def _read(self, timeout_s: float) -> Frame | None:
        begin_ns = now_ns()
        deadline_ns = begin_ns + int(timeout_s * 1e9)
        self._looked_ns = max(self._looked_ns, begin_ns - _TURN_NS)
        while True:
            left_ms = max(0.0, (deadline_ns - now_ns()) / 1e6)
            events = dict(self._poll.poll(left_ms))
            if self._closed.is_set():
                return None
            if self._fd in events:
                frame = self._take(events[self._fd])
                if frame is not None:
                    return frame
            self._check_alive(left_ms)
            if now_ns() >= deadline_ns:
                return None

    def _take(self, event: int) -> Frame | None:
        """The newest buffer as a frame, all buffers given back to the driver; None if none is good."""
        newest: abi.Buffer | None = None
        taken = 0
        try:
            while taken < len(self._maps):
                buffer = self._buffer()
                try:
                    abi.ioctl(self._fd, abi.DQBUF, buffer)
                except BlockingIOError:
                    break
                taken += 1
                if newest is not None:
                    abi.ioctl(self._fd, abi.QBUF, newest)
                newest = buffer
            if newest is None:
                if event & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
                    raise CaptureError(f"{self._name}: the camera is gone (unplugged?)")
                return None
            try:
                # all were full: the driver had nowhere to put newer frames, so even the newest of these is
                # old
                stale = taken > 1 and taken == len(self._maps)
                if stale:
                    self._silent_ns = 0
                return None if stale or newest.flags & abi.BUF_FLAG_ERROR else self._frame(newest)
            finally:
                abi.ioctl(self._fd, abi.QBUF, newest)
        except OSError as error:
            if isinstance(error, CaptureError):
                raise
            raise CaptureError(f"{self._name}: the camera failed: {error.strerror} (unplugged?)") from None

    def _frame(self, buffer: abi.Buffer) -> Frame | None:
        data: NDArray[np.uint8] = np.frombuffer(self._maps[buffer.index], np.uint8, count=buffer.bytesused)
        now = now_ns()
        is_still = self._frozen.is_still(data, now)
        size_wh = self._form.width, self._form.height
        stride = self._form.bytesperline
        skipped = not is_still and self._skipping.passes_over(now)
        image = None if is_still or skipped else decode(data, self._fourcc, size_wh, stride, self._reduce)
        del data  # a view of the mapping, which could not be closed while a traceback still holds it
        if is_still:
            raise CaptureError(
                f"{self._name}: the very same picture again and again for {self._options.frozen_after_s:g} s"
            )
        if image is None and not skipped:  # cut off on the wire
            return None
        self._silent_ns, self._looked_ns = 0, now
        self._index += self._step(buffer.sequence)
        if image is None:
            return None
        self._skipping.decoded(now)
        captured_ns = now
        if buffer.flags & abi.BUF_FLAG_TIMESTAMP_MASK == abi.BUF_FLAG_TIMESTAMP_MONOTONIC:
            stamp_ns = buffer.tv_sec * 1_000_000_000 + buffer.tv_usec * 1000
            captured_ns = stamp_ns if 0 <= now - stamp_ns <= _PLAUSIBLE_AGE_NS else now
        return Frame(image, self._index, captured_ns, self._name)

    def _step(self, sequence: int) -> int:
        """By how much the frame's number grows: by the driver's own count, so lost frames are counted."""
        last, self._sequence = self._sequence, sequence
        if last is None:
            return 0
        return max(1, sequence - last)

    def _check_alive(self, waited_ms: float) -> None:
        """Count this turn, which asked for a wait of ``waited_ms``. CaptureError if it was enough."""
        now = now_ns()
        turn_ns, self._looked_ns = now - self._looked_ns, now
        self._silent_ns += min(turn_ns, int(waited_ms * 1e6) + _TURN_NS)
        if self._silent_ns > self._options.read_timeout_s * 1e9:
            raise CaptureError(f"{self._name}: no frame for {self._silent_ns / 1e9:.1f} s")
        if not Path(self._name).exists():
            raise CaptureError(f"{self._name} is gone (unplugged?)")

    def _wake(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _release(self) -> None:
        if self._streaming:
            try:
                abi.ioctl(self._fd, abi.STREAMOFF, ctypes.c_int(abi.BUF_TYPE_VIDEO_CAPTURE))
            except (
                OSError
            ) as error:  # an unplugged camera refuses; closing the descriptor stops it all the same
                log.debug("%s: STREAMOFF: %s", self._name, error)
        for mapping in self._maps:
            mapping.close()
        self._maps.clear()
        os.close(self._fd)
        os.close(self._bell)
