"""Replays of recordings with other rules, asked for by the page: one at a time, and each can be cancelled."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2

from edgecam.app.what_if import Outcome, StoppedError, what_if
from edgecam.core.errors import EdgecamError
from edgecam.core.events import Event
from edgecam.core.threads import OwnedThread
from edgecam.core.types import Image
from edgecam.record.library.catalogue import ClipInfo
from edgecam.rules.spec import RuleSet

log = logging.getLogger(__name__)

#: So long one may take, seconds; then what was gone through is compared.
LIMIT_S = 300.0
#: So many are remembered, and so many events of each, gained and lost.
REMEMBERED = 4
EVENTS = 300
JOIN_S = 5.0

ReplayState = Literal["running", "done", "cancelled", "failed"]


@dataclass(slots=True)
class Replay:
    """One of them. cameras: short names of those whose clips it goes through. share: done, 0 to 1."""

    id: str
    folder: Path
    cameras: frozenset[str]
    state: ReplayState = "running"
    share: float = 0.0
    clips: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    problem: str = ""
    stopped: threading.Event = field(default_factory=threading.Event)

    def event(self, event_id: str) -> Event | None:
        """One of its gained or lost events."""
        found = self.outcome.difference
        return next((e for e in (*found.gained, *found.lost) if e.id == event_id), None)


class Replays:
    """``begin``, ``find`` and ``cancel`` from any thread; ``close`` by the owner."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Replay] = OrderedDict()
        self._thread: OwnedThread | None = None
        self._running: Replay | None = None

    def begin(self, folder: Path, clips: Sequence[ClipInfo], rules: RuleSet, present: RuleSet) -> Replay:
        """Start one over ``clips``, oldest first. Raises EdgecamError while another runs."""
        with self._lock:
            if self._running is not None and self._running.state == "running":
                raise EdgecamError("a replay is running; wait until it is done, or cancel it")
            made = Replay(secrets.token_hex(6), folder, frozenset(c.camera for c in clips), clips=len(clips))
            self._known[made.id] = self._running = made
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            self._thread = OwnedThread("replay", lambda: self._run(made, clips, rules, present))
            self._thread.start()
            return made

    def _run(self, made: Replay, clips: Sequence[ClipInfo], rules: RuleSet, present: RuleSet) -> None:
        def progress(share: float) -> None:
            made.share = share

        try:
            made.outcome = what_if(
                *(made.folder, clips, rules, present),
                limit_s=LIMIT_S,
                stopped=made.stopped.is_set,
                progress=progress,
            )
        except StoppedError:
            made.state = "cancelled"
        except EdgecamError as error:
            made.state, made.problem = "failed", str(error)
        except Exception as error:  # a defect costs this answer, not the page
            log.exception("a replay failed")
            made.state, made.problem = "failed", f"it failed: {type(error).__name__}; see the log"
        else:
            made.state, made.share = "done", 1.0

    def find(self, replay_id: str) -> Replay | None:
        """One of the newest replays, by its id."""
        with self._lock:
            return self._known.get(replay_id)

    def cancel(self, replay: Replay) -> None:
        """Cancel it; it ends soon."""
        replay.stopped.set()

    def close(self) -> None:
        """Cancel what runs, and join its thread."""
        with self._lock:
            running, thread = self._running, self._thread
        if running is not None:
            running.stopped.set()
        if thread is not None:
            thread.join(JOIN_S)


#: Blue, green, red of the box.
_MARK = (60, 220, 60)


def marked_picture(replay: Replay, event: Event) -> Image | None:
    """An event's picture out of its clip, with its box, (H, W, 3) uint8 BGR; None if it cannot be had."""
    if event.clip is None or event.clip_s is None:
        return None
    from edgecam.media.reading import (
        picture_at,  # here: it brings PyAV, 16 MB that an idle page does not need
    )

    image = picture_at(replay.folder, event.clip, event.clip_s)
    if image is not None and event.box_norm is not None:
        size = (image.shape[1], image.shape[0]) * 2
        x1, y1, x2, y2 = (round(v * n) for v, n in zip(event.box_norm, size, strict=True))
        cv2.rectangle(image, (x1, y1), (x2, y2), _MARK, 2)
    return image
