"""The topics, like Frigate's under a prefix of our own. Pure text."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

ONLINE, OFFLINE = "online", "offline"
#: Live settings that ``PREFIX/NAME/set`` takes; ``PREFIX/NAME/state`` tells them.
SETTINGS = ("score", "detect_rate", "classes", "overlay", "max_watts", "max_temp")
#: What else can be told: ON or OFF.
SWITCHES = ("recording",)
_NOT_IN_TOPIC = re.compile(r"[^\w-]+")


def level(name: str) -> str:
    """``name`` as one level of a topic and as an id: letters, digits, ``_`` and ``-``; never empty."""
    plain = _NOT_IN_TOPIC.sub("_", name).strip("_").encode("ascii", "ignore").decode()
    return plain or "x" + hashlib.sha256(name.encode()).hexdigest()[:6]


def levels(names: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """A level for each name, no two alike and none of ``taken``."""
    found: dict[str, str] = {}
    for name in names:
        own, number = level(name), 1
        while own in found.values() or own in taken:
            number += 1
            own = f"{level(name)}-{number}"
        found[name] = own
    return found


def board_id() -> str:
    """``edgecam_kitchen-pi_3fa9``: the same at every start, another on every board."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    host = socket.gethostname()
    return f"edgecam_{level(host)}_{hashlib.sha256((machine or host).encode()).hexdigest()[:4]}"


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic that edgecam writes or listens to. ``camera``, ``zone``: as :func:`level` makes them."""

    prefix: str

    @property
    def available(self) -> str:
        """``online`` or ``offline``, retained; the broker says offline for us if we vanish (the will)."""
        return f"{self.prefix}/available"

    @property
    def board(self) -> str:
        """The id of the board that uses this prefix, retained."""
        return f"{self.prefix}/board"

    @property
    def events(self) -> str:
        """Every event, QoS 1, not retained."""
        return f"{self.prefix}/events"

    @property
    def stats(self) -> str:
        """Rates, ages, watts and heat as one JSON object, retained."""
        return f"{self.prefix}/stats"

    def count(self, where: str, label: str) -> str:
        """How many of ``label`` (or ``all``) a camera or a zone has now, retained."""
        return f"{self.prefix}/{where}/{level(label)}"

    def crossings(self, line: str, direction: str) -> str:
        """How many went over a line, ``in`` or ``out``, retained."""
        return f"{self.prefix}/{line}/{direction}"

    def snapshot(self, camera: str, label: str) -> str:
        """The best picture of the newest event with this label (or ``any``): a JPEG, retained."""
        return f"{self.prefix}/{camera}/{level(label)}/snapshot"

    def camera_event(self, camera: str) -> str:
        """A camera's events for Home Assistant's event entity, not retained."""
        return f"{self.prefix}/{camera}/event"

    def set(self, feature: str) -> str:
        """Where a feature is set."""
        return f"{self.prefix}/{feature}/set"

    def state(self, feature: str) -> str:
        """A feature's value, retained."""
        return f"{self.prefix}/{feature}/state"
