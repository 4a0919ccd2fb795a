"""The threads on which the network sees frames: one, or several abreast where frames wait."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from edgecam.errors import EndOfStream
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.second_step import SecondStep
from edgecam.pipeline.slot import FrameSlots
from edgecam.pipeline.threads import OwnedThread
from edgecam.pipeline.vision import Sensed, Vision
from edgecam.ports import Pulse, Source
from edgecam.types import Frame

#: How long a worker waits for a frame before it shows that it is alive.
TAKE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Eye:
    """A source and the vision (with its own tracker) that looks through it."""

    source: Source
    vision: Vision


@dataclass(frozen=True, slots=True)
class _Task:
    """A frame on its way to the network, with its turn among all frames of all sources."""

    turn: int
    index: int
    eye: Eye
    frame: Frame
    dropped: int
    wanted: bool
    fresh: bool


class Workers:
    """Takes frames from the slots in their order, has the network see them, and hands them on in that order.

    abreast: threads, and so frames that the network sees side by side. cadence, frames, pulse: as of
    :class:`edgecam.pipeline.pipeline.Pipeline`. Closes ``second`` when the last frame went through, and
    ``slots`` when nobody takes from them any more.
    """

    def __init__(
        self,
        eyes: Sequence[Eye],
        slots: FrameSlots,
        second: SecondStep[tuple[int, Sensed]],
        abreast: int,
        cadence: Cadence | None,
        frames: int | None,
        pulse: Pulse | None,
    ) -> None:
        self._eyes, self._slots, self._second = eyes, slots, second
        self._cadence, self._frames, self._pulse = cadence, frames, pulse
        self._epochs = [0] * len(eyes)
        self._taken = [0] * len(eyes)
        self._turns = 0
        self._taking = threading.Lock()  # held while a frame is taken, so that turns follow the frames' order
        self._working = abreast
        self.threads = [
            OwnedThread(f"vision-{i}", partial(self._work, i), self._left) for i in range(abreast)
        ]

    def start(self) -> None:
        """Start the threads; the owner joins them."""
        for thread in self.threads:
            thread.start()

    def _work(self, number: int) -> None:
        stage = f"vision-{number}"
        try:
            if self._pulse is not None:
                self._pulse.expect(stage)
            while True:
                if self._pulse is not None:
                    self._pulse.beat(stage)
                if not self._taking.acquire(timeout=TAKE_TIMEOUT_S):
                    continue
                try:
                    task = self._take()
                except EndOfStream:
                    return
                finally:
                    self._taking.release()
                if task is not None:
                    sensed = task.eye.vision.sense(task.frame, task.dropped, task.wanted, task.fresh)
                    if not self._second.put(task.turn, (task.index, sensed)):
                        return
        except BaseException:
            self._second.close()  # this frame's turn will not come: nobody is to wait for it
            raise
        finally:
            if self._pulse is not None:
                self._pulse.retire(stage)
            # Whoever still waits to hand over a frame must not wait for a worker that is gone.
            self._slots.close()

    def _left(self) -> None:
        with self._taking:
            self._working -= 1
            if not self._working:
                self._second.close()

    def _take(self) -> _Task | None:
        """The next frame and what is to be done with it; None on time-out. Under the lock."""
        taken = self._slots.take(TAKE_TIMEOUT_S)
        if taken is None:
            return None
        index, frame = taken
        eye = self._eyes[index]
        epoch = getattr(eye.source, "epoch", 0)
        # The camera was away: what was tracked before is another story.
        fresh = epoch != self._epochs[index]
        self._epochs[index] = epoch
        detect = self._cadence is None or self._cadence.should_detect(index, frame)
        wanted = eye.vision.wants(frame, detect, fresh)
        self._taken[index] += 1
        if self._frames is not None and self._taken[index] >= self._frames:
            self._slots.end(index, discard=True)
        turn, self._turns = self._turns, self._turns + 1
        return _Task(turn, index, eye, frame, self._slots.stale(index), wanted, fresh)
