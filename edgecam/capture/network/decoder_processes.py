"""Starts decoder processes, through one helper that forks them (decoder_server.py).

Not by multiprocessing: its children run the program's main module once more, which a five-line script with
two cameras is not written for, and it keeps a process of its own to track what we do not use.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading

from edgecam.capture.network.decoder_server import NUMBER
from edgecam.core.errors import SourceOpenError

#: How long the helper may take to load its libraries: seconds on a small board, minutes on a slow, busy one.
START_S = 60.0
#: How long a process may take to end when it is told to.
END_S = 1.0
# The owner's own search path: no module of the folder it happens to run in
_CODE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from edgecam.capture.network.decoder_server import serve; serve(int(sys.argv[1]))"
)


def cannot_isolate() -> str:
    """Why this Python can start no decoder processes; empty where it can."""
    if getattr(sys, "frozen", False) or not sys.executable:
        return "this program is no Python that can be started once more"
    if not hasattr(os, "memfd_create"):  # conda's, built for an old glibc
        return "this Python was built without memfd_create(2)"
    return ""


class DecoderProcess:
    """One process, by its life line. pid: its number."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.settimeout(START_S)
        try:
            self.pid = self._number()
        except BaseException:
            line.close()
            raise
        self.ended: int | None = None

    def _number(self) -> int:
        try:
            data = self._line.recv(NUMBER.size)
        except OSError:
            data = b""
        if len(data) != NUMBER.size:
            raise SourceOpenError(
                "the helper for decoder processes gives no answer; --isolate off does without"
            )
        return int(NUMBER.unpack(data)[0])

    def wait(self, timeout_s: float) -> int | None:
        """How it ended: its status, or minus the signal's number; None if it has not, or nobody knows."""
        if self.ended is None:
            self._line.settimeout(timeout_s)
            try:
                data = self._line.recv(NUMBER.size)
            except OSError:
                return None
            if len(data) == NUMBER.size:
                self.ended = int(NUMBER.unpack(data)[0])
        return self.ended

    def end(self) -> None:
        """Wait for a moment, then by force."""
        self.wait(END_S)
        self._line.close()


class _Helper:
    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-c", _CODE, str(theirs.fileno()), json.dumps(sys.path)],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,  # ours may be JSON lines
                    start_new_session=True,  # Ctrl-C is for us; it ends with us
                )
            except OSError as error:
                self._control.close()
                raise SourceOpenError(
                    f"no process for a decoder: {error}; --isolate off does without"
                ) from None

    def fork(self, camera: socket.socket) -> socket.socket:
        """The life line of a new process, which has ``camera``. Raises OSError if the helper is gone."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                socket.send_fds(self._control, [b"c"], [camera.fileno(), theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        return ours

    def stop(self) -> None:
        self._control.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_lock = threading.Lock()
_helper: _Helper | None = None


def start_decoder(camera: socket.socket) -> DecoderProcess:
    """A process that runs the camera of the request that ``camera``'s other end sends it. Any thread.

    Raises SourceOpenError.
    """
    global _helper
    with _lock:
        try:
            line = _helper.fork(camera) if _helper is not None else None
        except OSError:  # somebody ended it
            line = None
        if line is None:
            if _helper is not None:
                _helper.stop()
            else:
                atexit.register(stop_helper)
            _helper = _Helper()
            try:
                line = _helper.fork(camera)
            except OSError as error:
                raise SourceOpenError(f"no process for a decoder: {error}") from None
    return DecoderProcess(line)


def stop_helper() -> None:
    """End it, and every decoder process with it."""
    global _helper
    with _lock:
        if _helper is not None:
            _helper.stop()
        _helper = None
