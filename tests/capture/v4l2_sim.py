"""A V4L2 driver in memory: answers the ioctls of a camera as the kernel does, structure by structure.

For what a test machine without a camera cannot show. The real kernel is met in tests/system.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from capture_material import pictures

from edgecam.capture.v4l2 import abi
from edgecam.capture.v4l2 import device as v4l2_device

Sizes = Mapping[tuple[int, int], tuple[int, ...]]
WEBCAM: Mapping[str, Sizes] = {
    "YUYV": {(320, 180): (30, 15), (640, 480): (30,), (1280, 720): (10,)},
    "MJPG": {(320, 180): (30,), (1280, 720): (30, 15), (1920, 1080): (30,)},
}
PAGE = 4096


class SimCamera:
    """One camera. Faults are switched on by its attributes while it runs."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        formats: Mapping[str, Sizes] = WEBCAM,
        rate_hz: float = 60.0,
    ) -> None:
        self.path = str(folder / "video0")
        Path(self.path).touch()
        self.formats = formats
        self.period_s = 1.0 / rate_hz
        self.card, self.caps = b"Sim Cam", abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
        self.controls: dict[str, list[Any]] = {
            "Brightness": [0x980900, abi.CTRL_INTEGER, 0, 255, 128, {}],
            "Auto Exposure": [
                0x9A0901,
                abi.CTRL_MENU,
                0,
                3,
                3,
                {1: "Manual Mode", 3: "Aperture Priority Mode"},
            ],
            "White Balance, Automatic": [0x98090C, abi.CTRL_BOOLEAN, 0, 1, 1, {}],
        }
        self.unplugged = self.silent = self.same_picture = self.torn = False
        self.fail: dict[int, int] = {}
        self.streaming = False
        self.set_order: list[str] = []
        self._form = abi.Format(width=640, height=480, pixelformat=abi.fourcc_code("YUYV"))
        self._rate = (1, 30)
        self._queued: list[int] = []
        self._filled: list[tuple[int, int, int, int]] = []
        self._sequence = 0
        self._next_at = 0.0
        self._shots: dict[tuple[str, tuple[int, int]], list[bytes]] = {}
        monkeypatch.setattr(v4l2_device, "open_node", self._open)
        monkeypatch.setattr(abi, "ioctl", self._ioctl)
        self._answers: dict[int, Callable[[Any], None]] = {
            abi.QUERYCAP: self._capability,
            abi.ENUM_FMT: self._enum_format,
            abi.ENUM_FRAMESIZES: self._enum_size,
            abi.ENUM_FRAMEINTERVALS: self._enum_interval,
            abi.G_FMT: lambda form: self._copy(form, self._form),
            abi.S_FMT: self._set_format,
            abi.G_PARM: self._get_rate,
            abi.S_PARM: self._set_rate,
            abi.REQBUFS: lambda request: None,
            abi.QUERYBUF: self._query_buffer,
            abi.QBUF: lambda buffer: self._queued.append(buffer.index),
            abi.DQBUF: self._dequeue,
            abi.STREAMON: lambda kind: self._stream(True),
            abi.STREAMOFF: lambda kind: self._stream(False),
            abi.QUERYCTRL: self._query_control,
            abi.QUERYMENU: self._query_menu,
            abi.G_CTRL: self._get_control,
            abi.S_CTRL: self._set_control,
        }

    def _open(self, path: str) -> int:
        self._fd = os.memfd_create("sim-camera")
        os.ftruncate(self._fd, 64 << 20)
        self._queued, self._filled, self._sequence = [], [], 0
        return self._fd

    def _ioctl(self, fd: int, request: int, argument: Any) -> None:
        if self.unplugged:
            raise OSError(errno.ENODEV, "No such device")
        if request in self.fail:
            raise OSError(self.fail[request], os.strerror(self.fail[request]))
        self._answers[request](argument)

    @staticmethod
    def _copy(target: Any, source: Any) -> None:
        kind = target.type
        ctypes.memmove(ctypes.byref(target), ctypes.byref(source), ctypes.sizeof(source))
        target.type = kind

    @staticmethod
    def _pick(items: Any, index: int) -> Any:
        values = list(items)
        if index >= len(values):
            raise OSError(errno.EINVAL, "Invalid argument")
        return values[index]

    def _capability(self, cap: Any) -> None:
        cap.driver, cap.card = b"sim", self.card
        cap.capabilities, cap.device_caps = self.caps | abi.CAP_DEVICE_CAPS, self.caps

    def _enum_format(self, desc: Any) -> None:
        desc.pixelformat = abi.fourcc_code(self._pick(self.formats, desc.index))

    def _enum_size(self, item: Any) -> None:
        size = self._pick(self.formats[abi.fourcc_text(item.pixel_format)], item.index)
        item.type = abi.FRMSIZE_DISCRETE
        item.v[0], item.v[1] = size

    def _enum_interval(self, item: Any) -> None:
        rates = self.formats[abi.fourcc_text(item.pixel_format)].get((item.width, item.height), ())
        item.type = abi.FRMIVAL_DISCRETE
        item.v[0], item.v[1] = 1, self._pick(rates, item.index)

    def _set_format(self, form: Any) -> None:
        self._copy(self._form, form)
        self._form.bytesperline = form.width * 2 if abi.fourcc_text(form.pixelformat) == "YUYV" else 0
        self._form.sizeimage = -(-form.width * form.height * 2 // PAGE) * PAGE

    def _get_rate(self, parm: Any) -> None:
        parm.capability = abi.CAP_TIMEPERFRAME
        parm.numerator, parm.denominator = self._rate

    def _set_rate(self, parm: Any) -> None:
        fourcc, size = abi.fourcc_text(self._form.pixelformat), (self._form.width, self._form.height)
        rates = self.formats[fourcc].get(size, (30,))
        wanted = parm.denominator / parm.numerator
        self._rate = (1, min(rates, key=lambda rate: abs(rate - wanted)))

    def _query_buffer(self, buffer: Any) -> None:
        buffer.length, buffer.offset = self._form.sizeimage, buffer.index * self._form.sizeimage

    def _stream(self, on: bool) -> None:
        self.streaming = on
        self._next_at = time.monotonic() + self.period_s

    def _shot(self, number: int) -> bytes:
        key = abi.fourcc_text(self._form.pixelformat), (self._form.width, self._form.height)
        if key not in self._shots:
            images = pictures(4, key[1])
            if key[0] == "MJPG":
                self._shots[key] = [cv2.imencode(".jpg", image)[1].tobytes() for image in images]
            else:
                self._shots[key] = [cv2.cvtColor(image, cv2.COLOR_BGR2YUV_YUY2).tobytes() for image in images]
        shots = self._shots[key]
        return shots[0 if self.same_picture else number % len(shots)]

    def expose(self, count: int = 1) -> None:
        """Fill up to ``count`` of the queued buffers, as a camera does while nobody reads."""
        for _ in range(count):
            self._sequence += 1
            if self._queued:
                index = self._queued.pop(0)
                shot = self._shot(self._sequence)
                shot = shot[: len(shot) // 2] if self.torn else shot
                os.pwrite(self._fd, shot, index * self._form.sizeimage)
                self._filled.append((index, len(shot), self._sequence, time.monotonic_ns()))

    def _dequeue(self, buffer: Any) -> None:
        now = time.monotonic()
        if self.streaming and not self.silent and now >= self._next_at:
            self._next_at = now + self.period_s
            self.expose()
        if not self._filled:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        buffer.index, buffer.bytesused, buffer.sequence, at_ns = self._filled.pop(0)
        buffer.flags = abi.BUF_FLAG_TIMESTAMP_MONOTONIC
        buffer.tv_sec, buffer.tv_usec = at_ns // 1_000_000_000, at_ns % 1_000_000_000 // 1000

    def _query_control(self, query: Any) -> None:
        after = query.id & ~abi.CTRL_FLAG_NEXT
        for name, (number, kind, low, high, _, _) in sorted(self.controls.items(), key=lambda c: c[1][0]):
            if number > after:
                query.id, query.type, query.name = number, kind, name.encode()
                query.minimum, query.maximum, query.step = low, high, 1
                return
        raise OSError(errno.EINVAL, "Invalid argument")

    def _control(self, number: int) -> Any:
        return next((name, row) for name, row in self.controls.items() if row[0] == number)

    def _query_menu(self, item: Any) -> None:
        menu = self._control(item.id)[1][5]
        if item.index not in menu:
            raise OSError(errno.EINVAL, "Invalid argument")
        raw = menu[item.index].encode().ljust(32, b"\0")
        item.name[:] = np.frombuffer(raw, np.uint8).tolist()

    def _get_control(self, item: Any) -> None:
        item.value = self._control(item.id)[1][4]

    def _set_control(self, item: Any) -> None:
        name, row = self._control(item.id)
        row[4] = item.value
        self.set_order.append(name)
