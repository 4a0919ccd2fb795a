"""All that the page knows of the program behind it, and all that a handler may ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgecam.config import Config
from edgecam.core.control import Control
from edgecam.core.types import Image, Result, Share
from edgecam.inference.models.card import Task
from edgecam.web.auth.store import Store
from edgecam.web.event_shelf import EventShelf
from edgecam.web.history import History
from edgecam.web.live.hub import Hub
from edgecam.web.log_ring import LogRing
from edgecam.web.model_choice import ModelChoice
from edgecam.web.replays import Replays
from edgecam.web.scrape import Scrape
from edgecam.web.settings_file import SettingsFile
from edgecam.web.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Camera:
    """One source: ``id`` for addresses, ``name`` as ``Frame.source``, ``short`` as clips carry it.

    keep_clear: the part of its pictures that nothing may cover, as in :class:`edgecam.overlay.style.Style`.
    """

    id: str
    name: str
    index: int
    short: str = ""
    keep_clear: Share | None = None


class Commands(Protocol):
    """What the program does on request. Any thread; EdgecamError says why it cannot."""

    def snapshot(self, camera: str) -> Path:
        """Save the newest picture of the source of that name; its path."""

    def record(self, camera: str, on: bool) -> str:
        """Begin or prolong a recording, or end it; a line for people."""

    def restart(self) -> str:
        """End the program so that its service starts it anew; a line for people."""


@dataclass
class Site:
    """Handles of the running program. Handlers get it with every call.

    latest: the newest result by camera id. annotate: a result's picture with its overlay. shelf: the clips;
    None in the safe mode. doctor: lines of its page as plain dictionaries; None where
    the program has no such thing. problem: why the program runs in its safe mode; empty when all is well.
    given_models: the models that command line or environment name, by task. features: what the page may show,
    by the names of its parts.
    """

    config: Config
    control: Control
    cameras: tuple[Camera, ...]
    store: Store
    hub: Hub
    latest: Callable[[str], Result | None]
    commands: Commands
    history: History
    annotate: Callable[[Result], Image]
    events: EventShelf
    scrape: Scrape
    shelf: Shelf | None = None
    doctor: Callable[[], Sequence[Mapping[str, str]]] | None = None
    settings_file: SettingsFile = field(default_factory=lambda: SettingsFile(None))
    problem: str = ""
    replays: Replays = field(default_factory=Replays)
    models: ModelChoice = field(default_factory=ModelChoice)
    given_models: Mapping[Task, str] = field(default_factory=dict)
    log: LogRing = field(default_factory=LogRing)
    version: str = ""
    features: tuple[str, ...] = ()

    def camera(self, camera_id: str) -> Camera | None:
        """The camera of that id."""
        return next((c for c in self.cameras if c.id == camera_id), None)

    def named(self, name: str) -> Camera | None:
        """The camera whose source has that name, or whose short name it is."""
        return next((c for c in self.cameras if c.name == name), None)


def camera_ids(
    names: Sequence[str], short: Callable[[str], str], keep_clear: Mapping[str, Share]
) -> tuple[Camera, ...]:
    """Ids for addresses: letters, digits and dashes, each different."""
    found: list[Camera] = []
    for index, name in enumerate(names):
        base = re.sub(r"[^a-z0-9]+", "-", short(name).lower()).strip("-")[:40] or f"camera-{index + 1}"
        taken = {c.id for c in found} | RESERVED
        chosen, number = base, 1
        while chosen in taken:
            number += 1
            chosen = f"{base}-{number}"
        found.append(Camera(chosen, name, index, short(name), keep_clear.get(name)))
    return tuple(found)


#: First parts of the API's own paths, which no camera may be called.
RESERVED = frozenset(
    (
        *("cameras", "clips", "config", "doctor", "events", "history", "labels", "live", "login", "logout"),
        *("logs", "me", "metrics", "models", "openapi", "pair", "pairings", "password", "replays"),
        *("restart", "rules", "settings", "share", "shares", "snapshots", "stats", "system", "tokens"),
        *("updates", "zones"),
    )
)
