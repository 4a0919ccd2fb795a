"""Commands by MQTT: from topics to live settings and switches."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edgecam.core.control import Control
from edgecam.core.errors import EdgecamError
from edgecam.core.text import escape
from edgecam.outputs.mqtt.topics import SETTINGS, SWITCHES, Topics

log = logging.getLogger(__name__)

#: Begins to record (True) or ends it, whatever is the case now; a line for people. Raises EdgecamError.
Record = Callable[[bool], str]


class Commands:
    """Carries out commands that come on ``PREFIX/…/set``; one that makes no sense is only logged.

    record: see :data:`Record`; None where nothing may be recorded.
    """

    def __init__(self, topics: Topics, control: Control, record: Record | None) -> None:
        self._features = {topics.set(name): name for name in (*SETTINGS, *SWITCHES, "trigger")}
        self._control = control
        self._record = record

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to."""
        return tuple(self._features)

    def take(self, topic: str, text: str) -> None:
        """Carry out one message. May take as long as a recording takes to begin or end."""
        name = self._features.get(topic)
        if name is None:
            return
        try:
            refused = self._do(name, text)
        except EdgecamError as error:
            refused = str(error)
        except Exception as error:  # one command must not cost the others
            log.debug("mqtt: %s failed", topic, exc_info=error)
            refused = f"unexpected {type(error).__name__}: {escape(error, 200)}"
        if refused:
            log.warning("mqtt: %s: %s", topic, refused)

    def _do(self, name: str, text: str) -> str:
        if name == "trigger":
            self._control.trigger(text[:80] or "mqtt")
            return ""
        if name == "recording":
            wish = text.upper()
            if wish not in ("ON", "OFF"):
                return f"{text[:40]!r} is neither ON nor OFF"
            if self._record is None:
                return "there is nothing to record to; start edgecam with --record"
            self._record(wish == "ON")
            return ""
        value: object = text if text else None
        if name == "classes":
            value = tuple(part.strip() for part in text.split(",") if part.strip())
        return self._control.change(**{name: value}).refused.get(name, "")
