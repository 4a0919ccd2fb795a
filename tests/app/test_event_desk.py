"""Pictures of events: a few in memory, the rest from the disk, also those of an earlier run."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from edgecam.app.event_desk import PICTURE_BYTES, EventDesk
from edgecam.core.events import Event, event_id
from edgecam.core.types import Detections, Frame, Result
from edgecam.pipeline.event_bus import EventBus
from edgecam.record.library.journal import EventJournal, keep_picture, load_picture

RESULT = Result(Frame(np.zeros((8, 8, 3), np.uint8), 0, 0, "front"), Detections.empty())
#: So large that a handful fills the memory for pictures.
JPEG = b"\xff\xd8" + bytes(PICTURE_BYTES // 4) + b"\xff\xd9"


def seen(number: int) -> Event:
    return Event(
        id=event_id(number, "object"),
        type="new",
        kind="object",
        camera="front",
        label="person",
        track_id=number,
        score=0.8,
        top_score=0.8,
        time=float(number),
    )


def told(folder: Path | None) -> tuple[EventDesk, list[Event]]:
    """A desk through which ten objects went, and what it said of them."""

    class Sink:
        def __init__(self) -> None:
            self.events: list[Event] = []

        def open(self) -> None: ...

        def write(self, event: Event) -> None:
            self.events.append(event)

        def close(self) -> None: ...

    bus, sink = EventBus(), Sink()
    bus.add(sink, "test", lossless=True)
    desk = EventDesk(
        bus,
        clip_of=lambda _: None,
        energy_j=lambda: None,
        draw=lambda _result, event: JPEG + event.id.encode(),
        keep=(lambda _name, _jpeg: True)
        if folder is None
        else lambda name, jpeg: keep_picture(folder, name, jpeg),
        load=(lambda _: None) if folder is None else lambda name: load_picture(folder, name),
    )
    bus.start()
    desk.start()
    for number in range(10):
        desk.put([seen(number)], RESULT)
        while len(sink.events) <= number:  # one after the other, as a queue of frames is short
            time.sleep(0.005)
    desk.close()
    assert not bus.close()
    return desk, sink.events


def test_only_some_pictures_stay_in_memory_and_the_newest_always(tmp_path: Path) -> None:
    desk, events = told(None)
    there = [desk.picture(str(event.snapshot)) is not None for event in events]
    assert there == [False] * 7 + [True] * 3


def test_older_pictures_and_those_of_an_earlier_run_come_from_the_disk(tmp_path: Path) -> None:
    EventJournal(tmp_path).open()
    desk, events = told(tmp_path)
    for event in events:
        assert desk.picture(str(event.snapshot)) == JPEG + event.id.encode()
    later, _ = told(tmp_path)
    assert later.picture(str(events[0].snapshot)) is not None
    for name in ("", "..", "../x", "nothing.jpg", "/etc/hostname"):
        assert later.picture(name) is None
