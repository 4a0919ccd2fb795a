"""The threads on which the network sees frames: one, or several at once where frames wait."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from functools import partial

from msgspec import Struct

from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream
from edgecam.core.ports import Pulse, Source
from edgecam.core.threads import OwnedThread
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.feed import Given, Supply
from edgecam.pipeline.postprocess_stage import PostprocessStage
from edgecam.pipeline.vision import Sensed, Vision

#: How long a worker waits for a frame before it shows that it is alive.
TAKE_TIMEOUT_S = 1.0


class Eye(Struct, frozen=True):
    """A source with its vision, which has a tracker of its own."""

    source: Source
    vision: Vision


class _Task(Struct, frozen=True):
    """A frame on its way to the network, with its turn among all frames of all sources."""

    turn: int
    index: int
    eye: Eye
    given: Given
    dropped: int
    wanted: bool
    fresh: bool


class Workers:
    """Takes frames in their order, has the network see them, and hands them on in that order.

    concurrency: threads, and so frames that the network sees side by side; ``supply`` must be for as many.
    cadence, frames, pulse, cpu: as of :class:`edgecam.pipeline.pipeline.Pipeline`. Closes ``postprocess``
    when the last frame went through, and ``supply`` when nobody takes from it any more.
    """

    def __init__(
        self,
        eyes: Sequence[Eye],
        supply: Supply,
        postprocess: PostprocessStage[tuple[int, Sensed]],
        concurrency: int,
        cadence: Cadence | None,
        frames: int | None,
        pulse: Pulse | None,
        cpu: int | None = None,
    ) -> None:
        self._eyes, self._supply, self._postprocess = eyes, supply, postprocess
        self._cadence, self._frames, self._pulse = cadence, frames, pulse
        self._epochs = [0] * len(eyes)
        self._taken = [0] * len(eyes)
        self._turns = itertools.count()
        self._leaving = threading.Lock()
        self._working = concurrency
        self.threads = [
            OwnedThread(f"vision-{i}", partial(self._work, i), self._left, cpu) for i in range(concurrency)
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
                asked = now_ns()
                try:
                    task = self._supply.take(TAKE_TIMEOUT_S, self._admit)
                except EndOfStream:
                    return
                if task is not None:
                    given = task.given
                    # a file's frames wait anyway: there the rate counts
                    spare = now_ns() - asked if task.eye.source.is_live else 0
                    sensed = task.eye.vision.sense(
                        given.frame, task.dropped, task.wanted, task.fresh, given.prepared
                    )
                    if not self._postprocess.put(task.turn, (task.index, sensed), spare, number):
                        return
        except BaseException:
            self._postprocess.close()  # this frame's turn will not come: nobody is to wait for it
            raise
        finally:
            if self._pulse is not None:
                self._pulse.retire(stage)
            # Whoever still waits to hand over a frame must not wait for a worker that is gone.
            self._supply.close()

    def _left(self) -> None:
        with self._leaving:
            self._working -= 1
            if not self._working:
                self._postprocess.close()

    def _admit(self, index: int, given: Given) -> _Task:
        """What is to be done with a frame. Called for a source's frames one by one, in their order."""
        eye, frame = self._eyes[index], given.frame
        epoch = eye.source.epoch
        # The camera was away: what was tracked before is another story.
        fresh = epoch != self._epochs[index]
        self._epochs[index] = epoch
        detect = self._cadence is None or self._cadence.should_detect(index, frame)
        wanted = eye.vision.wants(frame, detect, fresh)
        self._taken[index] += 1
        if self._frames is not None and self._taken[index] >= self._frames:
            self._supply.end(index, discard=True)
        return _Task(next(self._turns), index, eye, given, self._supply.stale(index), wanted, fresh)
