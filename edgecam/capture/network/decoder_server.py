"""A helper that has the libraries loaded and forks a decoder process for each camera that asks for one.

Started by :mod:`edgecam.capture.network.decoder_processes`, ended with its owner. It never decodes anything.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
from typing import NoReturn

#: What the owner is told of a process: its number, then how it ended (negative: by that signal).
NUMBER = struct.Struct("<i")
#: Signals that the owner obeys, and the helper ignores: it ends when the owner does.
_LEFT_TO_OWNER = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(control_fd: int) -> NoReturn:
    """Serve requests until the owner closes its end of ``control_fd``.

    Each message brings a camera's socket and a life line, by which each side learns that the other has ended.
    """
    from edgecam.capture.network import isolated_camera  # noqa: F401, loaded once for all of them

    for number in _LEFT_TO_OWNER:
        signal.signal(number, signal.SIG_IGN)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    control = socket.socket(fileno=control_fd)
    lines: dict[int, socket.socket] = {}  # process -> its life line
    while True:
        poll = select.poll()
        for fd in (control.fileno(), woken, *(line.fileno() for line in lines.values())):
            poll.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poll.poll()}
        for pid, line in lines.items():
            if line.fileno() in ready:  # the owner has let go
                os.kill(pid, signal.SIGKILL)  # it is ours until it is waited for: no other has its number
        if woken in ready:
            os.read(woken, 512)
        _collect(lines)
        if control.fileno() in ready:
            data, fds, _, _ = socket.recv_fds(control, 1, 2)
            if not data or len(fds) != 2:
                for pid in lines:
                    os.kill(pid, signal.SIGKILL)
                os._exit(0)
            _fork(fds, lines, (control.fileno(), woken, wake))


def _fork(fds: list[int], lines: dict[int, socket.socket], others: tuple[int, ...]) -> None:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (*others, fds[1], *(line.fileno() for line in lines.values())):
                os.close(fd)
            from edgecam.capture.network.isolated_camera import run

            run(socket.socket(fileno=fds[0]))
            status = 0
        finally:
            os._exit(status)
    os.close(fds[0])
    lines[pid] = line = socket.socket(fileno=fds[1])
    _tell(line, pid)


def _collect(lines: dict[int, socket.socket]) -> None:
    """Tell the owner of every process that has ended."""
    while lines:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        line = lines.pop(pid)
        _tell(line, os.waitstatus_to_exitcode(status))
        line.close()


def _tell(line: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # the owner has let go
        line.send(NUMBER.pack(number), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
