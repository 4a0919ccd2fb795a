"""A proxy on loopback between an RTSP client and its server that spoils what the server sends over TCP."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable

#: Gets one interleaved packet (``$``, channel, length, data) and gives the bytes to send in its place.
Spoil = Callable[[bytes, random.Random], bytes]


def flip_payload(packet: bytes, dice: random.Random) -> bytes:
    """Some bytes behind the RTP header are others."""
    data = bytearray(packet)
    if data[1] == 0 and len(data) > 40:
        for _ in range(dice.randint(1, 20)):
            data[dice.randrange(16, len(data))] ^= dice.randint(1, 255)
    return bytes(data)


def flip_header(packet: bytes, dice: random.Random) -> bytes:
    """A byte of the RTP header is another: version, payload type, sequence number, time."""
    data = bytearray(packet)
    if data[1] == 0 and len(data) >= 16:
        data[dice.randrange(4, 12)] ^= dice.randint(1, 255)
    return bytes(data)


def garbage_packets(packet: bytes, dice: random.Random) -> bytes:
    """Packets of garbage before the good one: some look like RTP of this video."""
    junk = dice.randbytes(dice.randint(0, 1400))
    if dice.random() < 0.5:
        junk = bytes((0x80, 96)) + junk
    return b"$\0" + len(junk).to_bytes(2, "big") + junk + packet


def cut(packet: bytes, dice: random.Random) -> bytes:
    """The packet ends early, and its length says so."""
    keep = dice.randrange(4, len(packet) + 1)
    return packet[:2] + (keep - 4).to_bytes(2, "big") + packet[4:keep]


def loose_bytes(packet: bytes, dice: random.Random) -> bytes:
    """Garbage where a packet should begin."""
    return dice.randbytes(dice.randint(1, 400)) + packet


def wrong_length(packet: bytes, dice: random.Random) -> bytes:
    """The length is a lie: all that follows is read in the wrong place."""
    return packet[:2] + dice.randrange(65536).to_bytes(2, "big") + packet[4:]


class SpoilingProxy:
    """Listens on ``port`` and passes on to ``server``. ``spoil`` is applied to ``share`` of the packets.

    Set ``spoil`` to None to pass everything on as it is.
    """

    def __init__(self, server: int, share: float = 0.2, seed: int = 0) -> None:
        self.spoil: Spoil | None = None
        self.share = share
        self.spoilt = 0
        self._dice = random.Random(seed)
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._server))
            self._open += [near, far]
            for work in (self._ask, self._answer):
                thread = threading.Thread(target=work, args=(near, far), name="proxy")
                self._threads.append(thread)
                thread.start()

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)

    def _answer(self, near: socket.socket, far: socket.socket) -> None:
        reader = far.makefile("rb")
        with contextlib.suppress(OSError):
            while head := reader.read(1):
                if head != b"$":  # a text answer: to its empty line, and its body
                    lines, length = [head + reader.readline()], 0
                    while lines[-1].strip():
                        if lines[-1].lower().startswith(b"content-length:"):
                            length = int(lines[-1].split(b":")[1])
                        lines.append(reader.readline())
                    near.sendall(b"".join(lines) + reader.read(length))
                    continue
                frame = reader.read(3)
                packet = head + frame + reader.read(int.from_bytes(frame[1:], "big"))
                spoil = self.spoil
                if spoil is not None and self._dice.random() < self.share:
                    self.spoilt += 1
                    packet = spoil(packet, self._dice)
                near.sendall(packet)
            near.shutdown(socket.SHUT_WR)
        reader.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._open:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for peer in self._open:
            peer.close()
