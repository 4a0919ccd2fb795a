"""A real USB webcam for the virtual board: USB Video Class over bulk, MJPG and YUYV, spoken over usbredir.

``usb_webcam.py SOCKET [--rate HZ] [--picture FILE]`` plugs it in; killing it unplugs it. QEMU's side stands
in virtual_board.py. As on USB 2, YUYV at 1280x720 reaches 10 frames a second and MJPG 30.

Numbers are those of the "USB Device Class Definition for Video Devices" 1.1 and of usbredir's protocol.md.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import threading
import time
from collections import deque
from pathlib import Path

import cv2
import numpy as np

SIZES = ((640, 480), (1280, 720), (320, 240))
YUYV, MJPG = 1, 2
FASTEST, SLOWEST = 333_333, 1_000_000  # frame intervals in 100 ns: 30 and 10 frames a second
MAX_PAYLOAD = 16384
VENDOR, PRODUCT = 0x1D6B, 0x0102

# usbredir packet types and capabilities
HELLO, CONNECT, RESET, INTERFACE_INFO, ENDPOINT_INFO = 0, 1, 3, 4, 5
SET_CONFIG, GET_CONFIG, CONFIG_STATUS = 6, 7, 8
SET_ALT, GET_ALT, ALT_STATUS, CANCEL = 9, 10, 11, 21
CONTROL, BULK = 100, 101
CAP_VERSION, CAP_MAX_PACKET, CAP_64_BIT_IDS, CAP_BIG_BULK = 1, 4, 5, 6
OK, CANCELLED, STALL = 0, 1, 4


def u16(value: int) -> bytes:
    return struct.pack("<H", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def descriptor(*parts: int | bytes) -> bytes:
    body = b"".join(bytes([p]) if isinstance(p, int) else p for p in parts)
    return bytes([len(body) + 1]) + body


def intervals(form: int, size: tuple[int, int]) -> tuple[int, ...]:
    """What this camera offers; big raw pictures do not fit through USB 2 at full rate."""
    return (SLOWEST,) if form == YUYV and size == (1280, 720) else (FASTEST, 666_666)


def frame_descriptors(subtype: int, form: int) -> bytes:
    found = b""
    for index, (w, h) in enumerate(SIZES, 1):
        every = intervals(form, (w, h))
        found += descriptor(
            *(0x24, subtype, index, 0, u16(w), u16(h), u32(w * h * 16), u32(w * h * 16 * 30), u32(w * h * 2)),
            *(u32(every[0]), len(every), *map(u32, every)),  # type: ignore[arg-type]
        )
    return found


def configuration() -> bytes:
    color = descriptor(0x24, 0x0D, 1, 1, 4)
    yuy2 = bytes.fromhex("5955593200001000800000aa00389b71")
    streams = (
        descriptor(0x24, 4, YUYV, len(SIZES), yuy2, 16, 1, 0, 0, 0, 0)
        + frame_descriptors(5, YUYV)
        + color
        + descriptor(0x24, 6, MJPG, len(SIZES), 1, 1, 0, 0, 0, 0)
        + frame_descriptors(7, MJPG)
        + color
    )
    header = descriptor(0x24, 1, 2, u16(15 + len(streams)), 0x81, 0, 2, 0, 0, 0, 1, 0, 0)
    units = descriptor(0x24, 2, 1, u16(0x0201), 0, 0, u16(0), u16(0), u16(0), 3, 0, 0, 0)
    units += descriptor(0x24, 3, 2, u16(0x0101), 0, 1, 0)
    control = descriptor(0x24, 1, u16(0x0110), u16(13 + len(units)), u32(48_000_000), 1, 1) + units
    body = descriptor(0x0B, 0, 2, 0x0E, 3, 0, 0) + descriptor(4, 0, 0, 0, 0x0E, 1, 0, 0) + control
    body += descriptor(4, 1, 0, 1, 0x0E, 2, 0, 0) + header + streams + descriptor(5, 0x81, 2, u16(512), 0)
    return descriptor(2, u16(9 + len(body)), 2, 1, 0, 0x80, 50) + body


DEVICE = descriptor(1, u16(0x0200), 0xEF, 2, 1, 64, u16(VENDOR), u16(PRODUCT), u16(0x100), 1, 2, 3, 1)
CONFIGURATION = configuration()
TEXTS = [b"\x04\x03\x09\x04"] + [
    descriptor(3, text.encode("utf-16le")) for text in ("edgecam tests", "Virtual Webcam", "0001")
]


class Pictures:
    """What the camera sees: a photograph with a moving square and the frame's number, or grey with them."""

    def __init__(self, photograph: Path | None) -> None:
        self._number = 0
        self._photograph = None if photograph is None else cv2.imread(str(photograph))

    def next(self, form: int, size: tuple[int, int]) -> bytes:
        self._number += 1
        w, h = size
        if self._photograph is None:
            image = np.full((h, w, 3), (40, 90, 20), np.uint8)
        else:
            image = cv2.resize(self._photograph, size)  # type: ignore[assignment]
        side = w // 16
        x = self._number * side // 5 % (w - side)
        image[-side:, x : x + side] = (0, 0, 255)
        cv2.putText(image, f"frame {self._number}", (10, 40), 0, 1, (255, 255, 255), 2)
        if form == MJPG:
            return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
        yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YUV)
        out = np.empty((h, w, 2), np.uint8)
        out[..., 0] = yuv[..., 0]
        out[:, 0::2, 1] = yuv[:, 0::2, 1]
        out[:, 1::2, 1] = yuv[:, 1::2, 2]
        return out.tobytes()


class Webcam:
    """The device's end of the wire: answers control requests, and fills bulk transfers with pictures."""

    def __init__(self, path: str, pictures: Pictures, rate_hz: float) -> None:
        self._pictures = pictures
        self._rate_hz = rate_hz
        self._form, self._frame, self._interval = YUYV, 1, FASTEST
        self._configured = 0
        self._sending = threading.Lock()
        self._asked: deque[tuple[int, int]] = deque()  # bulk transfers that QEMU waits for: id, length
        self._change = threading.Condition()
        self._wire = socket.socket(socket.AF_UNIX)
        self._wire.connect(path)
        mine = 1 << CAP_VERSION | 1 << CAP_MAX_PACKET | 1 << CAP_64_BIT_IDS | 1 << CAP_BIG_BULK
        _, length, _ = struct.unpack("<III", self._receive(12))
        hello = self._receive(length)
        caps = mine & (struct.unpack("<I", hello[64:68])[0] if length >= 68 else 0)
        self._has = {
            c: bool(caps >> c & 1) for c in (CAP_VERSION, CAP_MAX_PACKET, CAP_64_BIT_IDS, CAP_BIG_BULK)
        }
        self._wire.sendall(struct.pack("<III", HELLO, 68, 0) + b"edgecam".ljust(64, b"\0") + u32(mine))
        self._describe()
        version = u16(0x100) if self._has[CAP_VERSION] else b""
        self._send(CONNECT, 0, struct.pack("<BBBBHH", 2, 0xEF, 2, 1, VENDOR, PRODUCT) + version)

    def run(self) -> None:
        threading.Thread(target=self._stream, daemon=True).start()
        wide = self._has[CAP_64_BIT_IDS]
        while True:
            kind, length, number = struct.unpack(
                "<IIQ" if wide else "<III", self._receive(16 if wide else 12)
            )
            body = self._receive(length)
            if kind == CONTROL:
                self._control(number, body)
            elif kind == BULK:
                high = struct.unpack("<H", body[8:10])[0] << 16 if self._has[CAP_BIG_BULK] else 0
                with self._change:
                    self._asked.append((number, struct.unpack("<H", body[2:4])[0] | high))
                    self._change.notify_all()
            elif kind == CANCEL:
                with self._change:
                    hit = [a for a in self._asked if a[0] == number]
                    for one in hit:
                        self._asked.remove(one)
                if hit:
                    self._bulk(number, CANCELLED)
            elif kind == SET_CONFIG:
                self._configured = body[0]
                self._describe()
                self._send(CONFIG_STATUS, number, bytes([OK, self._configured]))
            elif kind == GET_CONFIG:
                self._send(CONFIG_STATUS, number, bytes([OK, self._configured]))
            elif kind == SET_ALT:
                self._describe()
                self._send(ALT_STATUS, number, bytes([OK, body[0], body[1]]))
            elif kind == GET_ALT:
                self._send(ALT_STATUS, number, bytes([OK, body[0], 0]))
            elif kind == RESET:
                with self._change:
                    self._asked.clear()

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._wire.recv(count - len(data))
            if not more:
                os._exit(0)  # QEMU has ended, and the streaming thread may be anywhere
            data += more
        return data

    def _send(self, kind: int, number: int, body: bytes) -> None:
        wide = self._has[CAP_64_BIT_IDS]
        with self._sending:
            self._wire.sendall(struct.pack("<IIQ" if wide else "<III", kind, len(body), number) + body)

    def _describe(self) -> None:
        """Two interfaces of the class video: control, and streaming with its bulk endpoint 0x81."""
        kinds, interfaces, sizes = [255] * 32, [0] * 32, [0] * 32
        kinds[0] = kinds[16] = 0
        sizes[0] = sizes[16] = 64
        kinds[17], interfaces[17], sizes[17] = 2, 1, 512
        classes = bytes([0x0E, 0x0E] + [0] * 30) + bytes([1, 2] + [0] * 30) + bytes(32)
        self._send(INTERFACE_INFO, 0, u32(2) + bytes([0, 1] + [0] * 30) + classes)
        tail = struct.pack("<32H", *sizes) if self._has[CAP_MAX_PACKET] else b""
        self._send(ENDPOINT_INFO, 0, bytes(kinds) + bytes(32) + bytes(interfaces) + tail)

    def _bulk(self, number: int, status: int, data: bytes = b"") -> None:
        high = u16(len(data) >> 16) if self._has[CAP_BIG_BULK] else b""
        self._send(BULK, number, struct.pack("<BBHI", 0x81, status, len(data) & 0xFFFF, 0) + high + data)

    def _control(self, number: int, body: bytes) -> None:
        endpoint, request, kind, _, value, index, wanted = struct.unpack("<BBBBHHH", body[:10])

        def answer(status: int, data: bytes = b"") -> None:
            count = len(data) if endpoint & 0x80 else wanted
            self._send(
                CONTROL,
                number,
                struct.pack("<BBBBHHH", endpoint, request, kind, status, value, index, count) + data,
            )

        selector, interface = value >> 8, index & 255
        if (kind, request) == (0x80, 6):  # get descriptor
            low = value & 255
            texts = TEXTS[low] if low < len(TEXTS) else None
            found = {1: DEVICE, 2: CONFIGURATION, 3: texts}.get(selector)
            answer(STALL) if found is None else answer(OK, found[:wanted])
        elif (kind, request) == (0x80, 0):  # get status
            answer(OK, b"\0\0"[:wanted])
        elif (kind, request) == (0x21, 1):  # set probe or commit
            if selector in (1, 2) and interface == 1:
                self._negotiate(body[10:])
            answer(OK)
        elif kind == 0xA1 and interface == 1 and selector in (1, 2):  # get probe or commit
            special = {0x85: u16(34), 0x86: b"\x03"}.get(request)
            answer(OK, (special or self._probe())[:wanted])
        elif kind in (0, 1, 2):
            answer(OK)
        else:
            answer(STALL)

    def _negotiate(self, data: bytes) -> None:
        form, frame, interval = struct.unpack_from("<BBI", data, 2)
        self._form = form if form in (YUYV, MJPG) else YUYV
        self._frame = min(max(frame, 1), len(SIZES))
        offered = intervals(self._form, SIZES[self._frame - 1])
        self._interval = min(offered, key=lambda one: abs(one - (interval or FASTEST)))

    def _probe(self) -> bytes:
        w, h = SIZES[self._frame - 1]
        head = struct.pack("<HBBI", 1, self._form, self._frame, self._interval)
        return head + struct.pack("<5HIIIBBBB", 0, 0, 0, 0, 0, w * h * 2, MAX_PAYLOAD, 48_000_000, 3, 0, 0, 0)

    def _stream(self) -> None:
        toggle = 0
        due = time.monotonic()
        while True:
            with self._change:
                while not self._asked:
                    self._change.wait()
                    due = time.monotonic()
            picture = self._pictures.next(self._form, SIZES[self._frame - 1])
            toggle ^= 1
            due += max(1 / self._rate_hz, self._interval / 1e7)
            if due > time.monotonic():
                time.sleep(due - time.monotonic())
            else:
                due = time.monotonic()
            self._deliver(picture, toggle)

    def _deliver(self, picture: bytes, toggle: int) -> None:
        at = 0
        while at < len(picture):
            with self._change:
                if not self._change.wait_for(lambda: self._asked, timeout=1):
                    return  # the guest has stopped looking
                number, length = self._asked.popleft()
            part = picture[at : at + length - 2]
            at += len(part)
            last = 2 if at >= len(picture) else 0
            self._bulk(number, OK, bytes([2, 0x80 | toggle | last]) + part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket")
    parser.add_argument("--rate", type=float, default=30.0, help="frames per second, at most")
    parser.add_argument("--picture", type=Path, help="what it sees")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    Webcam(arguments.socket, Pictures(arguments.picture), arguments.rate).run()


if __name__ == "__main__":
    main()
