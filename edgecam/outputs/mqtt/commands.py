"""Commands by MQTT: from topics to live settings and switches."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edgecam.core.control import Control
from edgecam.core.errors import EdgecamError
from edgecam.outputs.mqtt.topics import SETTINGS, SWITCHES, Topics

log = logging.getLogger(__name__)

#: Starts or stops a recording; a line for people.
ToggleRecording = Callable[[], str]


class Commands:
    """Carries out commands that come on ``PREFIX/…/set``; one that makes no sense is only logged.

    toggle: starts or stops a recording; None where nothing may be recorded.
    """

    def __init__(self, topics: Topics, control: Control, toggle: ToggleRecording | None) -> None:
        self._features = {topics.set(name): name for name in (*SETTINGS, *SWITCHES, "trigger")}
        self._control = control
        self._toggle = toggle

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to."""
        return tuple(self._features)

    def take(self, topic: str, text: str) -> None:
        """Carry out one message."""
        name = self._features.get(topic)
        if name is None:
            return
        try:
            refused = self._do(name, text)
        except EdgecamError as error:
            refused = str(error)
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
            if self._toggle is None:
                return "there is nothing to record to; start edgecam with --record"
            if (wish == "ON") != self._control.state().recording:
                self._toggle()
            return ""
        value: object = text if text else None
        if name == "classes":
            value = tuple(part.strip() for part in text.split(",") if part.strip())
        return self._control.change(**{name: value}).refused.get(name, "")
