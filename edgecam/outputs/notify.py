"""Which events become messages to a person, and when: quiet hours, and at most so many an hour."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from edgecam.core.errors import ConfigError
from edgecam.core.events import Event
from edgecam.outputs.courier import NotDelivered
from edgecam.outputs.held import HeldBack
from edgecam.outputs.messages import Message, Send, message_of

HOUR_S = 3600.0
#: What was held back and could not be said is tried again after this.
AGAIN_S = 300.0
_HOURS = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")


def parse_quiet(text: str) -> tuple[int, int]:
    """``22:00-07:00`` to minutes of the day. Raises ConfigError."""
    found = _HOURS.fullmatch(text.strip())
    minutes = [] if found is None else [int(x) for x in found.groups()]
    if not minutes or max(minutes[0], minutes[2]) > 24 or max(minutes[1], minutes[3]) > 59:
        raise ConfigError(f"--notify-quiet '{text[:20]}': write hours such as 22:00-07:00")
    return minutes[0] * 60 + minutes[1], minutes[2] * 60 + minutes[3]


def wanted(event: Event) -> bool:
    """Whether a person is told: once, of events of the user's rules and of faults of cameras and boards."""
    return event.type == "new" and (bool(event.rule) or event.kind in ("camera", "board"))


class Notifier:
    """Delivers events as messages, and says what it held back: with the next one, or when it may speak again.

    send: see :data:`edgecam.outputs.messages.Send`. picture: the JPEG of an event's ``snapshot``. link: the
    address of an event's page, by its id, or empty. keep: the file that remembers what is held back and the
    last hour's messages, across a restart. One thread; wall: the local time, wall_s and monotonic: for tests.
    """

    def __init__(
        self,
        send: Send,
        *,
        picture: Callable[[str], bytes | None] = lambda _: None,
        link: Callable[[str], str] = lambda _: "",
        quiet: tuple[int, int] | None = None,
        per_hour: int = 20,
        keep: Path | None = None,
        wall: Callable[[], datetime] = datetime.now,
        wall_s: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._picture = picture
        self._link = link
        self._quiet = quiet
        self._per_hour = per_hour
        self._wall, self._monotonic = wall, monotonic
        self._back = HeldBack(keep, wall_s)
        self._not_before_s = 0.0

    @property
    def held(self) -> int:
        """Messages held back that nobody was told of yet."""
        return self._back.count

    def __call__(self, event: Event) -> None:
        """Send it, or hold it back. Raises NotDelivered."""
        message = message_of(event, self._link(event.id))
        if self._silent():
            self._back.hold(event.id, message.title)
            return
        jpeg = self._picture(event.snapshot) if event.snapshot else None
        note = self._back.note()
        text = f"{message.text}\n{note}" if note else message.text
        self._send(replace(message, jpeg=jpeg, text=text))
        self._back.told()

    def idle(self) -> None:
        """Called while nothing waits: send what was held back, if that is allowed by now. Raises nothing."""
        if not self._back.count or self._monotonic() < self._not_before_s or self._silent():
            return
        try:
            self._send(Message("edgecam", self._back.note("message")))
        except NotDelivered as error:
            self._not_before_s = self._monotonic() + (error.after_s or AGAIN_S)
            return
        self._back.told()

    def _silent(self) -> bool:
        now = self._wall()
        minute = now.hour * 60 + now.minute
        if self._quiet is not None:
            begin, end = self._quiet
            inside = begin <= minute < end if begin <= end else minute >= begin or minute < end
            if inside:
                return True
        return self._back.sent_within(HOUR_S) >= self._per_hour
