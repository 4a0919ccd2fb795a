"""The side of :mod:`edgecam.capture.network.isolated` that connects and decodes, in its own process."""

from __future__ import annotations

import contextlib
import json
import logging
import resource
import select
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np

from edgecam.capture.decode.memory import fresh
from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.limits import PROCESS_BYTES
from edgecam.capture.live.reader import Grab, Grabber
from edgecam.capture.network.isolated_wire import ASK, ASK_S, PICTURE, REQUEST_BYTES
from edgecam.capture.network.picture_memory import SharedMemory
from edgecam.capture.network.stream import FIRST_PICTURE_S, StreamClient
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import redact
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, EndOfStream, SourceOpenError
from edgecam.core.text import escape
from edgecam.core.types import Image

#: Of oom_score_adj (proc_pid_oom_score_adj(5)): what has outgrown the memory is this process, not its owner.
_OOM_SCORE = "500"


def run(owner: socket.socket) -> None:
    """Run the camera that the owner's first message names, until the owner goes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (PROCESS_BYTES, PROCESS_BYTES))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    with contextlib.suppress(OSError):  # the owner has gone
        request = json.loads(owner.recv(REQUEST_BYTES))
        _log_to(owner, request["level"])
        uri, options = request["uri"], SourceOptions(**request["options"])
        try:
            _Camera(owner).run(uri, options)
        except SourceOpenError as error:
            _tell(owner, "refused", error)
        except EndOfStream as error:
            _tell(owner, "end", error)
        except CaptureError as error:
            _tell(owner, "lost", error)
        except (MemoryError, Exception) as error:
            _tell(owner, "lost", f"{redact(uri)}: {type(error).__name__}: {error}")


def _tell(owner: socket.socket, kind: str, text: object, **more: Any) -> None:
    owner.send(json.dumps({"kind": kind, "text": escape(text, 500), **more}).encode())


class _Camera:
    def __init__(self, owner: socket.socket) -> None:
        self._owner = owner
        self._memory: SharedMemory | None = None
        self._placed: tuple[Image, int] | None = None
        self._skipping = DecodeSkipping()
        self._asked = 0

    def run(self, uri: str, options: SourceOptions) -> None:
        client = StreamClient(uri, options, self._skipping, self._place)
        grabber = client.connect()
        try:
            threading.Thread(target=self._watch, args=(grabber,), name="owner", daemon=True).start()
            first = self._first(grabber, redact(uri))
            how, rate_hz = client.about()
            _tell(self._owner, "hello", how, rate_hz=rate_hz)
            self._send(first)
            while True:
                grab = grabber.grab()
                if grab is not None:
                    self._send(grab)
        finally:
            grabber.close()

    def _first(self, grabber: Grabber, name: str) -> Grab:
        until_ns = now_ns() + int(FIRST_PICTURE_S * 1e9)
        while now_ns() < until_ns:
            grab = grabber.grab()
            if grab is not None:
                return grab
        raise SourceOpenError(
            f"{name}: no picture within {FIRST_PICTURE_S:g} s; is the camera on, its address right?"
        )

    def _watch(self, grabber: Grabber) -> None:
        """Wait until the owner hangs up, without waking meanwhile, then end the camera's blocking call."""
        poll = select.poll()
        poll.register(self._owner.fileno(), 0)  # hanging up is told always
        poll.poll()
        with contextlib.suppress(Exception):
            grabber.abort()

    def _place(self, height: int, width: int) -> Image:
        """Where the next picture is decoded to: a free slot, if there is one."""
        self._placed = None
        nbytes = height * width * 3
        if self._memory is None or nbytes > self._memory.slot_bytes:
            self._memory = self._ask_memory(nbytes)
        self._skipping.busy_for = self._ask if self._memory.asks else None
        slot = self._memory.free_slot()
        if slot is None:
            return fresh(height, width)
        image = self._memory.place(slot, height, width)
        self._placed = image, slot
        return image

    def _send(self, grab: Grab) -> None:
        """Hand a picture over; it is dropped while the owner still uses all of the memory."""
        height, width = grab.image.shape[:2]
        if self._placed is None or self._placed[0] is not grab.image:  # decoded by another way
            place = self._place(height, width)
            np.copyto(place, grab.image)
        if self._placed is None or self._memory is None:
            return
        (_, slot), self._placed = self._placed, None
        self._memory.fill(slot)
        self._owner.send(PICTURE.pack(b"P", slot, width, height, grab.captured_ns))

    def _ask_memory(self, nbytes: int) -> SharedMemory:
        _tell(self._owner, "memory", "", bytes=nbytes)
        self._owner.settimeout(None)
        while True:
            data, fds, _, _ = socket.recv_fds(self._owner, 8, 1)
            if fds:
                return SharedMemory(fds[0], nbytes)
            if not data:
                raise ConnectionResetError("the owner has gone")

    def _ask(self, ns: int) -> bool:
        """Whether nobody will look for so long: the owner's :data:`edgecam.core.ports.BusyFor`."""
        self._asked = (self._asked + 1) % 256
        self._owner.send(ASK.pack(b"A", self._asked, ns))
        self._owner.settimeout(ASK_S)
        try:
            while True:
                answer = self._owner.recv(8)
                if not answer:
                    raise ConnectionResetError("the owner has gone")
                if answer[1:] == bytes((self._asked,)):
                    return answer[:1] == b"y"
        except TimeoutError:
            return False
        finally:
            self._owner.settimeout(None)


class _OwnersLog(logging.Handler):
    """Hands the log of this process to the owner, who writes it."""

    def __init__(self, owner: socket.socket) -> None:
        super().__init__()
        self._owner = owner

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            _tell(self._owner, "log", record.getMessage(), level=record.levelno)


def _log_to(owner: socket.socket, level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_OwnersLog(owner)]
    root.setLevel(level)
