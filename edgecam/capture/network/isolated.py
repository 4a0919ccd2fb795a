"""A network camera whose clients and decoders run in a process of their own: a crash there ends one picture.

The process runs :class:`StreamSource` and nothing else. Pictures come back through memory that the owner made
and sealed (memfd_create(2)), their numbers as small records on a socket: nothing that the process sends is
unpickled, and no size of it is believed beyond that memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import mmap
import multiprocessing
import os
import resource
import signal
import socket
from typing import Any

import numpy as np

from edgecam.capture.limits import LIVE_PIXELS, sane_rate_hz
from edgecam.capture.live.reader import Grab
from edgecam.capture.live.source import GrabbedSource
from edgecam.capture.network.reasons import CONNECT_TIMEOUT_S
from edgecam.capture.network.stream import FIRST_PICTURE_S, StreamSource
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import redact
from edgecam.core.errors import CaptureError, EndOfStream, SourceOpenError
from edgecam.core.text import escape

log = logging.getLogger(__name__)

#: Pictures in the shared memory: one is written while the last one is read.
SLOTS = 3
#: One record on the socket.
RECORD_BYTES = 2048
#: Memory that the process may allocate: a 33-megapixel decoder with its reference pictures has some 800 MB.
PROCESS_BYTES = 1_500_000_000
#: The first process of a run loads the libraries, which takes a small board seconds; the others are forked.
START_S = 20.0
#: How long it may take to end when it is told to.
END_S = 1.0
# linux/fcntl.h; the fcntl module has them only where they were compiled in
_F_ADD_SEALS, _SEAL_SHRINK, _SEAL_GROW = 1033, 2, 4


class IsolatedStreamSource(GrabbedSource):
    """As :class:`StreamSource`, from a process of its own. ``captured_ns`` is when its data arrived there.

    Nothing is left undecoded there for the network's sake: the process does not know how busy it is.
    processes: the process's number.
    """

    def __init__(self, uri: str, options: SourceOptions) -> None:
        super().__init__(redact(uri), options.read_timeout_s)
        self.processes: list[int] = []
        self._begin(lambda: self._start(uri, options), CONNECT_TIMEOUT_S + FIRST_PICTURE_S + START_S)

    def _start(self, uri: str, options: SourceOptions) -> _DecoderProcess:
        """On the reader's thread."""
        process = _DecoderProcess(uri, self._name, options)
        self._description, self._rate_hz = process.description, process.rate_hz
        self.processes.append(process.pid)
        return process


class _DecoderProcess:
    """The owner's end. One thread, but for ``abort``."""

    def __init__(self, uri: str, name: str, options: SourceOptions) -> None:
        self._name = name
        self._most = (options.max_pixels or LIVE_PIXELS) * 3
        self._memory: mmap.mmap | None = None
        self._slot_bytes = 0
        self._wait_s = CONNECT_TIMEOUT_S + FIRST_PICTURE_S + START_S
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["edgecam.capture.network.isolated"])
        self._process = context.Process(target=_serve, args=(theirs, uri, options), daemon=True)
        try:
            self._process.start()
        finally:
            theirs.close()
        self.description = name
        self.rate_hz: float | None = None
        try:
            hello = self._receive()
            self.description = escape(hello.get("description", name), 300)
            self.rate_hz = sane_rate_hz(hello.get("rate_hz"))
            self._wait_s = options.read_timeout_s + END_S
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid or 0

    def _receive(self) -> dict[str, Any]:
        self._socket.settimeout(self._wait_s)
        try:
            raw = self._socket.recv(RECORD_BYTES)
        except TimeoutError:
            raise CaptureError(f"{self._name}: its decoder gives no sign") from None
        except OSError:
            raw = b""
        if not raw:
            raise CaptureError(f"{self._name}: its decoder ended{self._how()}")
        try:
            record = json.loads(raw)
            kind = record["kind"]
            text = escape(record.get("text", ""), 500)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise CaptureError(f"{self._name}: its decoder speaks nonsense") from None
        if kind == "refused":
            raise SourceOpenError(text)
        if kind == "lost":
            raise CaptureError(text)
        if kind == "end":
            raise EndOfStream(text)
        return dict(record)

    def _how(self) -> str:
        self._process.join(END_S)
        code = self._process.exitcode
        return "" if not code else f" (signal {-code})" if code < 0 else f" (status {code})"

    def grab(self) -> Grab | None:
        """The next picture, copied out of the shared memory."""
        record = self._receive()
        if record["kind"] == "memory":
            self._share(record.get("bytes"))
            return None
        try:
            slot, width, height = (int(record[name]) for name in ("slot", "width", "height"))
            captured_ns = int(record["captured_ns"])
        except (KeyError, TypeError, ValueError):
            raise CaptureError(f"{self._name}: its decoder speaks nonsense") from None
        size = width * height * 3
        if self._memory is None or not (
            0 <= slot < SLOTS and width > 0 < height and size <= self._slot_bytes
        ):
            raise CaptureError(f"{self._name}: its decoder names a picture that is not there")
        flat = np.frombuffer(self._memory, np.uint8, size, slot * self._slot_bytes)
        image = flat.reshape(height, width, 3).copy()
        del flat
        with contextlib.suppress(OSError):
            self._socket.send(bytes((slot,)))  # it may be written to again
        return Grab(image, captured_ns)

    def _share(self, nbytes: object) -> None:
        """Make memory for pictures of so many bytes, and send it over. It can be neither shrunk nor grown."""
        if not isinstance(nbytes, int) or not 0 < nbytes <= self._most:
            raise CaptureError(f"{self._name}: pictures of {nbytes} bytes are over the limit (--max-pixels)")
        fd = os.memfd_create("edgecam-pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, nbytes * SLOTS)
            fcntl.fcntl(fd, _F_ADD_SEALS, _SEAL_SHRINK | _SEAL_GROW)
            self._memory = mmap.mmap(fd, nbytes * SLOTS)
            self._slot_bytes = nbytes
            socket.send_fds(self._socket, [b"m"], [fd])
        finally:
            os.close(fd)

    def abort(self) -> None:
        """From any thread: end a blocking ``grab``, and the process with it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the process: by asking, then by force."""
        self.abort()
        self._socket.close()
        self._memory = None
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(END_S)


# The process's own side


def _serve(owner: socket.socket, uri: str, options: SourceOptions) -> None:
    """Runs the camera until the owner goes. In the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner is told, and tells us
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (PROCESS_BYTES, PROCESS_BYTES))
    with contextlib.suppress(OSError):  # the owner has gone
        try:
            with StreamSource(uri, options) as source:
                hello = {"kind": "hello", "description": source.description, "rate_hz": source.rate_hz}
                owner.send(json.dumps(hello).encode())
                _Sender(owner).run(source)
        except SourceOpenError as error:
            _tell(owner, "refused", error)
        except EndOfStream as error:
            _tell(owner, "end", error)
        except CaptureError as error:
            _tell(owner, "lost", error)
        except (MemoryError, Exception) as error:
            _tell(owner, "lost", f"{redact(uri)}: {type(error).__name__}: {error}")


def _tell(owner: socket.socket, kind: str, text: object) -> None:
    owner.send(json.dumps({"kind": kind, "text": escape(text, 500)}).encode())


class _Sender:
    def __init__(self, owner: socket.socket) -> None:
        self._owner = owner
        self._memory: mmap.mmap | None = None
        self._slot_bytes = 0
        self._free = set(range(SLOTS))

    def run(self, source: StreamSource) -> None:
        """Send every newest picture for which there is a free slot."""
        while True:
            frame = source.read(0.25)
            self._take_acknowledgements(wait=len(self._free) < 2)
            if frame is None or not self._free:
                continue
            image = frame.image
            if image.nbytes > self._slot_bytes:
                self._ask_memory(image.nbytes)
            assert self._memory is not None
            slot = self._free.pop()
            place = np.frombuffer(self._memory, np.uint8, image.nbytes, slot * self._slot_bytes)
            np.copyto(place.reshape(image.shape), image)
            del place
            height, width = image.shape[:2]
            record = {"kind": "picture", "slot": slot, "width": width, "height": height}
            self._owner.send(json.dumps({**record, "captured_ns": frame.captured_ns}).encode())

    def _take_acknowledgements(self, *, wait: bool) -> None:
        self._owner.settimeout(0.05 if wait else 0.0)
        try:
            while True:
                data = self._owner.recv(1)
                if not data:
                    raise ConnectionResetError("the owner has gone")
                self._free.add(data[0])
        except (BlockingIOError, TimeoutError):
            pass
        finally:
            self._owner.settimeout(None)

    def _ask_memory(self, nbytes: int) -> None:
        self._owner.settimeout(None)
        self._owner.send(json.dumps({"kind": "memory", "bytes": nbytes}).encode())
        while True:
            data, fds, _, _ = socket.recv_fds(self._owner, 1, 1)
            if fds:
                break
            if not data:
                raise ConnectionResetError("the owner has gone")
        self._memory = mmap.mmap(fds[0], nbytes * SLOTS)
        os.close(fds[0])
        self._slot_bytes, self._free = nbytes, set(range(SLOTS))
