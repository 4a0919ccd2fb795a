"""Which events become messages to a person, and when: quiet hours, and at most so many an hour."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from edgecam.core.errors import ConfigError
from edgecam.core.events import Event
from edgecam.outputs.messages import Message, Send, message_of

HOUR_S = 3600.0
_HOURS = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")


def parse_quiet(text: str) -> tuple[int, int]:
    """``22:00-07:00`` to minutes of the day. Raises ConfigError."""
    found = _HOURS.fullmatch(text.strip())
    minutes = [] if found is None else [int(x) for x in found.groups()]
    if not minutes or max(minutes[0], minutes[2]) > 24 or max(minutes[1], minutes[3]) > 59:
        raise ConfigError(f"--notify-quiet '{text[:20]}': write hours such as 22:00-07:00")
    return minutes[0] * 60 + minutes[1], minutes[2] * 60 + minutes[3]


def wanted(event: Event) -> bool:
    """A person hears of the user's own rules, and of cameras and boards in trouble; once each."""
    return event.type == "new" and (bool(event.rule) or event.kind in ("camera", "board"))


class Notifier:
    """Delivers events as messages, and says what it held back.

    send: see :data:`edgecam.outputs.messages.Send`. picture: the JPEG of an event's ``snapshot``. link: the
    address of an event's page, by its id, or empty. One thread; wall: the local time, for tests.
    """

    def __init__(
        self,
        send: Send,
        *,
        picture: Callable[[str], bytes | None] = lambda _: None,
        link: Callable[[str], str] = lambda _: "",
        quiet: tuple[int, int] | None = None,
        per_hour: int = 20,
        wall: Callable[[], datetime] = datetime.now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._picture = picture
        self._link = link
        self._quiet = quiet
        self._per_hour = per_hour
        self._wall = wall
        self._monotonic = monotonic
        self._sent: deque[float] = deque()
        self._held: list[str] = []

    @property
    def held(self) -> int:
        """Messages held back that nobody was told of yet."""
        return len(self._held)

    def __call__(self, event: Event) -> None:
        """Send it, or hold it back. Raises NotDelivered."""
        message = message_of(event, self._link(event.id))
        if self._silent():
            self._held.append(message.title)
            return
        jpeg = self._picture(event.snapshot) if event.snapshot else None
        self._send(self._with_held(replace(message, jpeg=jpeg)))
        self._held.clear()
        self._sent.append(self._monotonic())

    def _with_held(self, message: Message) -> Message:
        if not self._held:
            return message
        newest = ", ".join(dict.fromkeys(self._held[-5:]))
        note = f"{len(self._held)} more were held back: {newest}"
        return replace(message, text=f"{message.text}\n{note}")

    def _silent(self) -> bool:
        now = self._wall()
        minute = now.hour * 60 + now.minute
        if self._quiet is not None:
            begin, end = self._quiet
            inside = begin <= minute < end if begin <= end else minute >= begin or minute < end
            if inside:
                return True
        at_s = self._monotonic()
        while self._sent and at_s - self._sent[0] > HOUR_S:
            self._sent.popleft()
        return len(self._sent) >= self._per_hour
