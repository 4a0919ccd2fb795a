"""Servers that attack whoever watches them, and pictures that are larger than they look."""

from __future__ import annotations

import resource
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Serve = Callable[[socket.socket], None]


@contextmanager
def hostile_server(serve: Serve) -> Iterator[int]:
    """A server on localhost that treats every visitor so, each on a thread; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    peers: list[socket.socket] = []

    def treat(peer: socket.socket) -> None:
        with peer:
            with suppress(OSError):  # the visitor left
                serve(peer)

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.settimeout(20)
            peers.append(peer)
            threads.append(threading.Thread(target=treat, args=(peer,)))
            threads[-1].start()

    main = threading.Thread(target=accept)
    main.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        main.join(10)
        for peer in peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)


def answering(*answers: bytes, then: Serve | None = None) -> Serve:
    """One answer per request, whatever is asked."""

    def serve(peer: socket.socket) -> None:
        for answer in answers:
            if not peer.recv(65536):
                return
            peer.sendall(answer)
        if then is not None:
            then(peer)

    return serve


def endless(chunk: bytes, total: int = 2 << 30) -> Serve:
    """Sends ``chunk`` again and again until the visitor leaves."""

    def serve(peer: socket.socket) -> None:
        for _ in range(total // len(chunk)):
            peer.sendall(chunk)

    return serve


def peak_mb() -> int:
    """The most memory that this process ever had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class Bits:
    """A writer of H.264's bit strings (ITU-T H.264, 7.2 and 9.1)."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def u(self, count: int, value: int) -> Bits:
        self._bits += [value >> i & 1 for i in range(count - 1, -1, -1)]
        return self

    def ue(self, value: int) -> Bits:
        length = (value + 1).bit_length()
        return self.u(length - 1, 0).u(length, value + 1)

    def unit(self, header: int) -> bytes:
        """As a NAL unit, with its emulation prevention."""
        bits = [*self._bits, 1]
        bits += [0] * (-len(bits) % 8)
        out, zeros = bytearray((header,)), 0
        for i in range(0, len(bits), 8):
            value = int("".join(map(str, bits[i : i + 8])), 2)
            if zeros >= 2 and value <= 3:
                out.append(3)
                zeros = 0
            out.append(value)
            zeros = zeros + 1 if value == 0 else 0
        return bytes(out)


def h264_units(width: int, height: int) -> tuple[bytes, bytes, bytes]:
    """SPS, PPS and the beginning of a key picture of this size, some hundred bytes in all."""
    sps = Bits().u(8, 66).u(8, 0xC0).u(8, 62).ue(0).ue(0).ue(2).ue(1).u(1, 0)
    sps.ue(width // 16 - 1).ue(height // 16 - 1).u(1, 1).u(1, 1).u(1, 0).u(1, 0)
    pps = Bits().ue(0).ue(0).u(1, 0).u(1, 0).ue(0).ue(0).ue(0).u(1, 0).u(2, 0).ue(0).ue(0).ue(0).u(3, 0)
    piece = Bits().ue(0).ue(7).ue(0).u(4, 0).ue(0).u(1, 0).u(1, 0).ue(0)
    for _ in range(40):  # grey macroblocks; the rest is missing
        piece.ue(3).ue(0).ue(0).u(1, 1)
    return sps.unit(0x67), pps.unit(0x68), piece.unit(0x65)


def png_bomb(width: int, height: int) -> bytes:
    """An even picture of this size; a thousandth of it in bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    squeeze = zlib.compressobj(1)
    row = bytes(1 + width)  # 8 bits, grey
    data = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def resized_jpeg(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG, whose header now promises this size."""
    at = next(i for i in range(2, len(jpeg)) if jpeg[i] == 0xFF and jpeg[i + 1] in (0xC0, 0xC2))
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]
