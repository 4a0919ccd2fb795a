"""Where events get what results do not know: the clip, the joules, the best picture."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from msgspec import Struct

from edgecam.core.events import Event
from edgecam.core.threads import OwnedThread
from edgecam.core.types import Result
from edgecam.pipeline.event_bus import EventBus

log = logging.getLogger(__name__)

#: Frames that wait for pictures to be made of them (2.8 MB each at 720p); beyond, an event goes without.
FRAMES_WAITING = 4
#: Events that wait; beyond, the oldest is dropped and counted. A storm of them has some ten a frame.
WAITING = 4096
#: Objects whose picture is remembered, so that a better one replaces it.
REMEMBERED = 64
#: Bytes of pictures that are kept for those who send them on: some six at 720p, and the newest one always.
#: Where pictures are kept on disk the older ones come from there.
PICTURE_BYTES = 1_000_000
JOIN_S = 10.0

T = TypeVar("T")


class ClipNow(Struct, frozen=True):
    """The clip that a camera's recorder is writing: its file's name, and the wall time of its first frame."""

    name: str
    started: float


#: The clip that is being written of a camera, by its name.
ClipOf = Callable[[str], ClipNow | None]
#: Makes a JPEG of a result for an event.
Draw = Callable[[Result, Event], bytes]
#: Keeps a JPEG under a name; False if it could not.
KeepPicture = Callable[[str, bytes], bool]
#: Gives the JPEG that was kept under a name, in this run or an earlier one; None if there is none.
LoadPicture = Callable[[str], "bytes | None"]


class EventDesk:
    """Takes events from the results' thread, completes them on one of its own, and gives them to the bus.

    energy_j: joules that the board spent so far; None where nobody knows. draw, keep: make pictures and keep
    them; None: no pictures. load: see :data:`LoadPicture`. ``put`` may be called by any thread.
    """

    def __init__(
        self,
        bus: EventBus,
        *,
        clip_of: ClipOf,
        energy_j: Callable[[], float | None],
        draw: Draw | None = None,
        keep: KeepPicture | None = None,
        load: LoadPicture = lambda _: None,
    ) -> None:
        self._bus, self._clip_of, self._energy_j = bus, clip_of, energy_j
        self._draw, self._keep, self._load = draw, keep, load
        self._queue: deque[tuple[Event, Result | None, float | None]] = deque()
        self._frames: dict[int, int] = {}  # that wait, by their result's identity: for how many events
        self.dropped = 0
        self._changed = threading.Condition()
        self._ending = False
        self._thread = OwnedThread("events", self._run)
        self._begun_j: OrderedDict[str, float] = OrderedDict()
        self._clip_seconds: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._pictures: OrderedDict[tuple[str, int | str], tuple[str, float]] = OrderedDict()
        self._jpegs: OrderedDict[str, bytes] = OrderedDict()

    def start(self) -> None:
        """Start the thread. Once."""
        self._thread.start()

    def put(self, events: Sequence[Event], result: Result | None) -> None:
        """Take events of a frame (None: of none). Does not wait."""
        energy_j = self._energy_j()
        with self._changed:
            for event in events:
                shown = self._hold(result) if self._pictured(event) else None
                self._queue.append((event, shown, energy_j))
                if len(self._queue) > WAITING:
                    self._let_go(self._queue.popleft()[1])
                    self.dropped += 1
            self._changed.notify_all()

    def picture(self, name: str) -> bytes | None:
        """The JPEG of an event's ``snapshot``, for those who send it on; None: it is gone. Any thread."""
        found = self._jpegs.get(name)
        return self._load(name) if found is None else found

    def close(self) -> None:
        """Complete and hand on what is queued, and end the thread. Idempotent."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(JOIN_S)
        if self._thread.error is not None:
            raise self._thread.error

    def _pictured(self, event: Event) -> bool:
        """Whether this moment deserves a picture: a beginning, or one that shows more than before."""
        if self._draw is None or event.type == "end":
            return False
        return event.type == "new" or (event.score is not None and event.score == event.top_score)

    def _hold(self, result: Result | None) -> Result | None:
        """Keep a frame for a picture, if it waits already or there is room for one more."""
        if result is None or (id(result) not in self._frames and len(self._frames) >= FRAMES_WAITING):
            return None
        self._frames[id(result)] = self._frames.get(id(result), 0) + 1
        return result

    def _let_go(self, result: Result | None) -> None:
        if result is not None:
            left = self._frames.pop(id(result)) - 1
            if left:
                self._frames[id(result)] = left

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._ending)
                if not self._queue:
                    return
                event, result, energy_j = self._queue.popleft()
                self._let_go(result)
            self._bus.publish(self._complete(event, result, energy_j))
            result = None  # or the frame would live until the next event

    def _complete(self, event: Event, result: Result | None, energy_j: float | None) -> Event:
        spent_j: float | None = None
        if energy_j is not None:
            spent_j = round(energy_j - _recall(self._begun_j, event.id, energy_j), 2)
        clip, clip_s = (event.clip, event.clip_s) if event.kind == "clip" else self._clip_second(event)
        return replace(
            event,
            energy_j=spent_j,
            clip=clip,
            clip_s=clip_s,
            snapshot=self._shot(event, result) or event.snapshot,
        )

    def _clip_second(self, event: Event) -> tuple[str | None, float | None]:
        found = self._clip_seconds.get(event.id)
        if found is None:
            now = self._clip_of(event.camera) if event.camera else None
            # a clip that began after the event holds only a part of it, but better that than none
            if now is None or (event.end_time is not None and event.end_time < now.started):
                return None, None
            found = _recall(
                self._clip_seconds, event.id, (now.name, round(max(0.0, event.start_time - now.started), 2))
            )
        return found

    def _shot(self, event: Event, result: Result | None) -> str | None:
        """The name of the object's picture, which all events about it share; a better one replaces it."""
        about: tuple[str, int | str] = (event.camera, event.id if event.track_id is None else event.track_id)
        known = self._pictures.get(about)
        better = known is None or (event.score is not None and event.score > known[1])
        if result is None or self._draw is None or self._keep is None or not better:
            return None if known is None else known[0]
        name = f"{event.id}.jpg" if known is None else known[0]
        try:
            jpeg = self._draw(result, event)
        except Exception as error:  # a picture that cannot be made costs no event
            log.warning("no picture of event %s: %s", event.id, error)
            return None if known is None else known[0]
        if not self._keep(name, jpeg):
            return None if known is None else known[0]
        self._pictures[about] = (name, event.score or 0.0)
        while len(self._pictures) > REMEMBERED:
            self._pictures.popitem(last=False)
        self._jpegs.pop(name, None)
        self._jpegs[name] = jpeg
        while len(self._jpegs) > 1 and sum(map(len, self._jpegs.values())) > PICTURE_BYTES:
            self._jpegs.popitem(last=False)
        return name


def _recall(kept: OrderedDict[str, T], key: str, first: T) -> T:
    """What is kept under ``key``; ``first`` if nothing was."""
    found = kept.setdefault(key, first)
    while len(kept) > REMEMBERED * 16:
        kept.popitem(last=False)
    return found
