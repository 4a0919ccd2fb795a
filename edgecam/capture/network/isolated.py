"""A network camera whose client and decoder run in a process of their own, which may crash.

Pictures come back through memory that the owner made (picture_memory.py), and their numbers as small records
on a socket. Nothing that the process sends is unpickled, and every value it sends is checked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import socket
from collections import deque
from typing import Any

from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.limits import LIVE_PIXELS, LOG_LINES, sane_rate_hz
from edgecam.capture.live.reader import Grab
from edgecam.capture.live.source import GrabbedSource
from edgecam.capture.network.decoder_processes import END_S, START_S, start_decoder
from edgecam.capture.network.isolated_wire import ASK, PICTURE, RECORD_BYTES
from edgecam.capture.network.picture_memory import OwnedMemory
from edgecam.capture.network.reasons import CONNECT_TIMEOUT_S
from edgecam.capture.network.stream import FIRST_PICTURE_S, StreamClient, describe
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import redact
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, EndOfStream, SourceOpenError
from edgecam.core.text import escape

log = logging.getLogger(__name__)

#: A picture is no older than this: what its process says of the time is believed within it.
_OLDEST_NS = 10_000_000_000


class IsolatedStreamSource(GrabbedSource):
    """As :class:`StreamSource`, from a process of its own. ``captured_ns`` is when its data arrived there.

    processes: the process's number.
    """

    def __init__(self, uri: str, options: SourceOptions) -> None:
        super().__init__(redact(uri), options.read_timeout_s)
        self.processes: list[int] = []
        self._about: tuple[str, float | None] = "", None
        StreamClient(
            uri, options, self._skipping
        )  # what is wrong with the address or the options is said here
        self._begin(lambda: self._start(uri, options), CONNECT_TIMEOUT_S + FIRST_PICTURE_S + START_S)
        how, self._rate_hz = self._about
        self._description = describe(self._name, self._size_wh, self._rate_hz, how)

    def _start(self, uri: str, options: SourceOptions) -> _IsolatedCamera:
        """On the reader's thread."""
        camera = _IsolatedCamera(uri, self._name, options, self._skipping)
        self._about = camera.how, camera.rate_hz
        self.processes.append(camera.pid)
        return camera


class _IsolatedCamera:
    """The owner's end. One thread, but for ``abort``. how: the codec, and how it comes. pid: the process."""

    def __init__(self, uri: str, name: str, options: SourceOptions, skipping: DecodeSkipping) -> None:
        self._name = name
        self._skipping = skipping
        self._most = (options.max_pixels or LIVE_PIXELS) * 3
        self._memory: OwnedMemory | None = None
        self._last_ns = 0
        self._logged_ns: deque[int] = deque(maxlen=LOG_LINES)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._process = start_decoder(theirs)
        except BaseException:
            self._socket.close()
            raise
        self.pid = self._process.pid
        self.how = ""
        self.rate_hz: float | None = None
        try:
            self._socket.settimeout(CONNECT_TIMEOUT_S + FIRST_PICTURE_S + START_S)
            level = logging.getLogger().getEffectiveLevel()
            request = {"uri": uri, "level": level, "options": dataclasses.asdict(options)}
            self._socket.send(json.dumps(request).encode())
            while not self.how:
                self.grab()
            self._socket.settimeout(options.read_timeout_s + END_S)
        except BaseException:
            self.close()
            raise

    def grab(self) -> Grab | None:
        """The next picture, which stays in the shared memory until nobody looks at it."""
        try:
            raw = self._socket.recv(RECORD_BYTES)
        except TimeoutError:
            raise CaptureError(f"{self._name}: its decoder gives no sign") from None
        except OSError:
            raw = b""
        if not raw:
            raise CaptureError(f"{self._name}: its decoder ended{self._how_it_ended()}")
        if len(raw) == PICTURE.size and raw[:1] == b"P":
            return self._picture(*PICTURE.unpack(raw)[1:])
        if len(raw) == ASK.size and raw[:1] == b"A":
            self._answer(*ASK.unpack(raw)[1:])
        else:
            self._hear(raw)
        return None

    def _picture(self, slot: int, width: int, height: int, captured_ns: int) -> Grab:
        now = now_ns()
        self._last_ns = min(max(captured_ns, self._last_ns + 1, now - _OLDEST_NS), now)
        try:
            if self._memory is None:
                raise ValueError
            image = self._memory.picture(slot, width, height)
        except ValueError:
            raise CaptureError(f"{self._name}: its decoder names a picture that does not exist") from None
        self._memory.ask(self._skipping.busy_for is not None)
        return Grab(image, self._last_ns)

    def _answer(self, number: int, ns: int) -> None:
        """Whether a picture may stay undecoded; it is counted here."""
        busy_for = self._skipping.busy_for
        skips = busy_for is not None and busy_for(ns)
        self._skipping.count += skips
        with contextlib.suppress(OSError):
            self._socket.send(bytes((b"ny"[skips], number)), socket.MSG_DONTWAIT)

    def _hear(self, raw: bytes) -> None:
        try:
            record = json.loads(raw)
            kind = record["kind"]
            text = escape(record.get("text", ""), 500)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise CaptureError(f"{self._name}: its decoder sends what cannot be understood") from None
        if kind == "refused":
            raise SourceOpenError(text)
        if kind == "lost":
            raise CaptureError(text)
        if kind == "end":
            raise EndOfStream(text)
        if kind == "hello":
            self.how, self.rate_hz = text or "unknown", sane_rate_hz(record.get("rate_hz"))
        elif kind == "memory":
            self._share(record.get("bytes"))
        elif kind == "log":
            self._log(record.get("level"), text)
        else:
            raise CaptureError(f"{self._name}: its decoder sends what cannot be understood")

    def _log(self, level: object, text: str) -> None:
        """Log a line of the process, at most so many a minute, whatever happens there."""
        now = now_ns()
        if len(self._logged_ns) == LOG_LINES and now - self._logged_ns[0] < 60_000_000_000:
            return
        self._logged_ns.append(now)
        known = level if level in (logging.DEBUG, logging.INFO, logging.WARNING) else logging.WARNING
        log.log(int(known), "%s", text)

    def _share(self, nbytes: Any) -> None:
        """Make memory for pictures of so many bytes, and send it over."""
        if not isinstance(nbytes, int) or not 0 < nbytes <= self._most:
            raise CaptureError(f"{self._name}: pictures of {nbytes} bytes are over the limit (--max-pixels)")
        self._memory = OwnedMemory(nbytes)
        try:
            socket.send_fds(self._socket, [b"m"], [self._memory.fd])
        except OSError:
            raise CaptureError(f"{self._name}: its decoder ended{self._how_it_ended()}") from None
        finally:
            os.close(self._memory.fd)

    def _how_it_ended(self) -> str:
        code = self._process.wait(END_S)
        return "" if not code else f" (signal {-code})" if code < 0 else f" (status {code})"

    def abort(self) -> None:
        """From any thread: end a blocking ``grab``, and the process with it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the process: by asking, then by force."""
        self.abort()
        self._socket.close()
        self._memory = None
        self._process.end()
