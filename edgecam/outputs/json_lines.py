"""``--json`` and ``--events``: one JSON object per result or event, to standard output or a file."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import select
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from edgecam.core.errors import RecordError
from edgecam.core.events import Event
from edgecam.core.jsonformat import result_to_dict
from edgecam.core.types import Result, Stats

log = logging.getLogger(__name__)

# POSIX: a pipe that select() calls writable takes at least this many bytes without blocking.
PIPE_CHUNK = getattr(select, "PIPE_BUF", 4096)
#: How often a wait for a reader looks whether the run ends, and how long it may go on then.
LOOK_S, END_S = 0.25, 1.0
#: How long a FIFO may be without a reader at the start.
READER_S = 2.0


class LineWriter:
    """Writes whole lines only, each with a single write and nothing held back.

    A reader that goes away (``| head``) is not an error: the sink says so once through ``on_reader_gone``
    and takes no more. A reader that stops reading holds a write up for at most ``wait_s``; then lines are
    dropped and counted. A full disk costs lines, never the program: one message, and one when it is over.

    option: what messages begin with. target: ``"-"`` for standard output, else a path; an existing file is
    replaced.
    wait_s: how long one write may wait for a slow reader; give a file source a long one, it loses nothing.
    over: whether the run ends: then a reader that does not read is waited for no longer than END_S.
    Raises RecordError from ``open`` if the path cannot be written. One thread.
    """

    def __init__(
        self,
        target: Literal["-"] | str | Path,
        *,
        option: str = "--json",
        on_reader_gone: Callable[[], None] | None = None,
        over: Callable[[], bool] = lambda: False,
        wait_s: float = 2.0,
    ) -> None:
        self.target = str(target)
        self.lines = 0
        self.dropped = 0
        self.reader_gone = False
        self._option = option
        self._on_reader_gone = on_reader_gone
        self._wait_s = wait_s
        self._over = over
        self._end_s = math.inf
        self._fd = -1
        self._owned = False
        self._regular = False
        self._rest = b""
        self._fault = ""

    def open(self) -> None:
        """Open the target. Raises RecordError."""
        if self.target == "-":
            sys.stdout.flush()
            self._fd = sys.stdout.fileno()
        else:
            try:
                self._fd = _open_for_writing(self.target)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    raise RecordError(
                        f"{self._option}: nobody reads the FIFO '{self.target}'; start its reader first"
                    ) from None
                raise RecordError(
                    f"{self._option}: cannot write '{self.target}': {error.strerror}; name a file in a folder"
                    " that exists and that you may write to, or - for standard output"
                ) from error
            self._owned = True
        self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)

    @property
    def idle(self) -> bool:
        """Whether lines go nowhere: it is not open, or the reader is gone."""
        return self.reader_gone or self._fd < 0

    def put(self, line: bytes) -> None:
        """Write one line; ``line`` includes its line end."""
        if self.idle:
            return
        try:
            written = self._write_file(line) if self._regular else self._write_stream(line)
        except BrokenPipeError:
            self._lose_reader()
            return
        except OSError as error:
            written = False
            self._say(
                f"{self._option}: cannot write to '{self.target}': {error.strerror}; lines are being lost"
            )
        if written:
            self.lines += 1
            if self._fault:
                self._fault = ""
                log.warning("%s: writing again after %d lost lines", self._option, self.dropped)
        else:
            self.dropped += 1

    def close(self) -> None:
        """Finish. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        if self._rest and not self.reader_gone:
            try:
                self._flush_rest(fd, time.monotonic() + min(self._wait_s, END_S))
            except OSError as error:
                log.debug("%s: the last line is cut short: %s", self._option, error)
        if self._owned:
            os.close(fd)

    def _write_file(self, line: bytes) -> bool:
        start = os.lseek(self._fd, 0, os.SEEK_CUR)
        written = os.write(self._fd, line)
        if written == len(line):
            return True
        os.ftruncate(self._fd, start)  # half a line would spoil the next one
        os.lseek(self._fd, start, os.SEEK_SET)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _write_stream(self, line: bytes) -> bool:
        deadline = time.monotonic() + self._wait_s
        if not self._flush_rest(self._fd, deadline):
            self._say(f"{self._option}: the reader does not read; lines are being dropped")
            return False
        self._rest = line
        self._flush_rest(self._fd, deadline)
        return True

    def _flush_rest(self, fd: int, deadline: float) -> bool:
        while self._rest:
            left_s = deadline - time.monotonic()
            if not select.select((), (fd,), (), max(0.0, min(left_s, LOOK_S)))[1]:
                now_s = time.monotonic()
                if self._over():
                    self._end_s = min(self._end_s, now_s + END_S)
                if now_s >= min(deadline, self._end_s):
                    return False
                continue
            written = os.write(fd, self._rest[:PIPE_CHUNK])
            self._rest = self._rest[written:]
        return True

    def _lose_reader(self) -> None:
        self.reader_gone = True
        log.info("%s: the reader is gone; no more lines", self._option)
        if self.target == "-":
            # the interpreter flushes sys.stdout at exit and would complain about the broken pipe again
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._fd)
            os.close(null)
        if self._on_reader_gone is not None:
            self._on_reader_gone()

    def _say(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            log.error(fault)


class JsonLinesSink(LineWriter):
    """Writes one line per result. See :class:`LineWriter`.

    stats_provider: gives the power fields; called once per result.
    """

    def __init__(
        self,
        target: Literal["-"] | str | Path,
        *,
        stats_provider: Callable[[], Stats] | None = None,
        on_reader_gone: Callable[[], None] | None = None,
        over: Callable[[], bool] = lambda: False,
        wait_s: float = 2.0,
    ) -> None:
        super().__init__(target, on_reader_gone=on_reader_gone, over=over, wait_s=wait_s)
        self._stats = stats_provider

    def write(self, result: Result) -> None:
        """Write the result's line."""
        if not self.idle:
            data = result_to_dict(result, self._stats() if self._stats is not None else None)
            self.put(json.dumps(data).encode("ascii") + b"\n")


class EventLinesSink(LineWriter):
    """Writes one line per event. See :class:`LineWriter`."""

    def __init__(self, target: Literal["-"] | str | Path, *, wait_s: float = 2.0) -> None:
        super().__init__(target, option="--events", wait_s=wait_s)

    def write(self, event: Event) -> None:
        """Write the event's line."""
        self.put(event.to_json().encode("ascii") + b"\n")


def _open_for_writing(target: str) -> int:
    """The descriptor. A FIFO that nobody reads is waited for, but not for ever (ENXIO)."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    until_s = time.monotonic() + READER_S
    while True:
        try:
            fd = os.open(target, flags | os.O_NONBLOCK, 0o644)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > until_s:
                raise
            time.sleep(0.05)
            continue
        os.set_blocking(fd, True)
        return fd
