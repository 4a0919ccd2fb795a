"""Messages that a person was not sent yet, kept on disk: a restart in the quiet hours forgets nothing."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgecam.core.files import read_limited

log = logging.getLogger(__name__)

VERSION = 1
#: Of what is held back the newest are named; the rest is a number.
NAMED = 5
#: Sent in the last hour: more than any limit that makes sense.
MOST_SENT = 10_000


class HeldBack:
    """Messages that were held back, and when the last ones were sent. One thread.

    path: of the file; None: kept in memory only. wall_s: seconds since 1970. A file that cannot be read, or
    written, costs no message: it is said once.
    """

    def __init__(self, path: Path | None, wall_s: Callable[[], float]) -> None:
        self._path, self._wall_s = path, wall_s
        self.count = 0
        self.newest: list[str] = []
        self.sent: list[float] = []
        self._last = ""  # the event that was held last: one that is delivered again is held once
        self._failed = False
        if path is not None:
            self._read(path)

    def hold(self, event_id: str, title: str) -> None:
        """Hold this message back."""
        if event_id == self._last:
            return
        self._last = event_id
        self.count += 1
        self.newest = [*self.newest, title][-NAMED:]
        self._write()

    def told(self) -> None:
        """A message went out, and with it whatever was held back."""
        self.count, self.newest, self._last = 0, [], ""
        self.sent = [*self.sent[-MOST_SENT:], self._wall_s()]
        self._write()

    def sent_within(self, seconds: float) -> int:
        """How many were sent in the last so many seconds."""
        now = self._wall_s()
        # a clock that was set back must not silence anybody for days
        self.sent = [at for at in self.sent if 0 <= now - at <= seconds]
        return len(self.sent)

    def note(self, noun: str = "") -> str:
        """What was held back, as text; empty if nothing was. noun: its name; else "more" than this one."""
        if not self.count:
            return ""
        what = "more" if not noun else noun if self.count == 1 else f"{noun}s"
        verb = "was" if self.count == 1 else "were"
        return f"{self.count} {what} {verb} held back: {', '.join(dict.fromkeys(self.newest))}"

    def _read(self, path: Path) -> None:
        try:
            data: Any = json.loads(read_limited(path))
            if data["v"] != VERSION:
                raise ValueError("not of this version")
            self.count, self._last = max(0, int(data["count"])), str(data["last"])
            self.newest = [str(title)[:200] for title in data["newest"]][-NAMED:]
            self.sent = [float(at) for at in data["sent"]][-MOST_SENT:]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            log.warning("what was held back earlier cannot be read from %s: %s", path, error)
            self.count, self.newest, self.sent, self._last = 0, [], [], ""

    def _write(self) -> None:
        if self._path is None:
            return
        part = self._path.with_name(self._path.name + ".part")
        data = {
            "v": VERSION,
            "count": self.count,
            "newest": self.newest,
            "sent": self.sent,
            "last": self._last,
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(data, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("what is held back cannot be kept in %s: %s", self._path, error.strerror)
            self._failed = True
