"""The pipeline: capture threads → slots → vision → results → fan-out. Knows ports only.

Threads: one per source (``capture-N``), ``vision-0`` (the network), ``results`` (boxes, tracks, classes of
the frame before, while the network runs), one per sink (``sink-NAME``). With concurrent inferences several
``vision-N`` read the sources, and ``results`` takes what they saw in the frames' order. The owner's thread
calls :meth:`Pipeline.start`, :meth:`Pipeline.wait` and :meth:`Pipeline.stop`. Shutdown follows the flow.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from edgecam.core.errors import EndOfStream
from edgecam.core.ports import Observer, Prepared, Pulse
from edgecam.core.threads import OwnedThread
from edgecam.core.types import Frame, Result
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.fanout import Latest, SinkLane, close_all
from edgecam.pipeline.feed import Given, ReadInTurn, Supply
from edgecam.pipeline.postprocess_stage import PostprocessStage
from edgecam.pipeline.slots import FrameSlots
from edgecam.pipeline.vision import Sensed
from edgecam.pipeline.workers import Eye, Workers

log = logging.getLogger(__name__)

#: How long one read may take before the capture thread looks whether it should stop.
READ_TIMEOUT_S = 0.25
#: A source's read must end this soon after its close; then a stuck thread is an error.
CAPTURE_JOIN_S = 5.0
#: One inference may be under way at stop.
WORKER_JOIN_S = 10.0
#: A sink's backlog (at most fanout.QUEUE_DEPTH results) must be written within this.
SINK_JOIN_S = 15.0


class Account(Struct, frozen=True):
    """Where one source's frames went: ``captured == inferred + stale + stopped``."""

    captured: int
    inferred: int
    stale: int
    stopped: int


class Pipeline:
    """Runs sources through vision into sinks.

    sinks: (name, sink) pairs, already opened; they get every result, each on its own thread.
    frames: stop after this many results per source.
    cadence: decides which frames are detected on; None means all.
    on_result: called after publishing, on the thread that did the postprocess stage; must be quick.
    finish: makes the result that everybody gets of a source's (by index), before it is published; one thread
        at a time, in the order of frames; must be quick.
    pulse: hears from every thread once per turn, for a watchdog.
    concurrency: frames that the network sees side by side; more than one is for sources that wait (ValueError
        for a live one), and for a detector that can.
    prepare: the detector's, for capture threads to call while the network runs; only for sources that wait,
        since a live one's frame may be dropped. Not called with concurrent inferences.
    cpu: where the network's thread stays, since the network's own threads have the others.
    """

    def __init__(
        self,
        eyes: Sequence[Eye],
        sinks: Sequence[SinkLane],
        observer: Observer,
        *,
        frames: int | None = None,
        cadence: Cadence | None = None,
        on_result: Callable[[Result], None] | None = None,
        finish: Callable[[int, Result], Result] | None = None,
        pulse: Pulse | None = None,
        concurrency: int = 1,
        prepare: Callable[[Frame], Prepared] | None = None,
        cpu: int | None = None,
    ) -> None:
        self.latest = Latest()
        self._eyes = list(eyes)
        self._sinks = list(sinks)
        self._observer = observer
        self._frames = frames
        self._on_result = on_result
        self._finish = finish
        self._pulse = pulse
        self._prepare = prepare
        self._stop = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._finished = threading.Event()
        self._captured = [0] * len(self._eyes)
        self._inferred = [0] * len(self._eyes)
        self._source_ended = [False] * len(self._eyes)
        self._unread: list[Exception] = []  # why a source that workers read broke off
        self._capture_threads: list[OwnedThread] = []
        self._supply: Supply
        self._postprocess: PostprocessStage[tuple[int, Sensed]] = PostprocessStage(
            "results", self._conclude, self._finished.set, givers=concurrency
        )
        if concurrency == 1:
            self._supply = slots = FrameSlots([eye.source.is_live for eye in self._eyes])
            self._capture_threads = [
                OwnedThread(f"capture-{i}", partial(self._capture, slots, i), partial(self._ended, slots, i))
                for i in range(len(self._eyes))
            ]
        else:
            if any(eye.source.is_live for eye in self._eyes):
                raise ValueError("concurrent inferences need sources that wait")
            self._supply = ReadInTurn(len(self._eyes), self._read_by_worker)
        self._workers = Workers(
            self._eyes, self._supply, self._postprocess, concurrency, cadence, frames, pulse, cpu
        )
        self._started = False

    def start(self) -> None:
        """Start all threads, sinks first."""
        self._started = True
        for lane in self._sinks:
            lane.start()
        self._postprocess.thread.start()
        self._workers.start()
        for thread in self._capture_threads:
            thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until every source is exhausted or something failed; True if so."""
        return self._finished.wait(timeout_s)

    @property
    def finished(self) -> bool:
        """Whether the last result is out, for whatever reason."""
        return self._finished.is_set()

    @property
    def paused(self) -> bool:
        """Whether files are held."""
        return not self._running.is_set()

    def ended(self, index: int) -> bool:
        """Whether nothing more will come from source ``index``."""
        return self._source_ended[index]

    def set_paused(self, paused: bool) -> None:
        """Hold files where they are. Live sources go on: a camera cannot be paused."""
        if paused:
            self._running.clear()
        else:
            self._running.set()

    def add_sink(self, lane: SinkLane) -> None:
        """Start a sink in the middle of a run. Called by the owner only."""
        lane.start()
        self._sinks = [*self._sinks, lane]

    def remove_sink(self, lane: SinkLane) -> None:
        """Finish a sink in the middle of a run; re-raises what went wrong in it. Called by the owner only."""
        self._sinks = [other for other in self._sinks if other is not lane]
        lane.close(SINK_JOIN_S)

    @property
    def stopping(self) -> bool:
        """Whether it was told to end. Any thread."""
        return self._stop.is_set()

    def end(self) -> None:
        """Have the run end by itself soon (any thread may ask); the owner still calls :meth:`stop`."""
        self._stop.set()
        self._supply.close()

    def accounts(self) -> list[Account]:
        """Every frame accounted for, by source."""
        return [
            Account(self._captured[i], self._inferred[i], self._supply.stale(i), self._supply.left(i))
            for i in range(len(self._eyes))
        ]

    def stop(self) -> None:
        """Stop and join everything, finish the sinks, and re-raise the first thing that went wrong."""
        if not self._started:
            return
        self._started = False
        self._stop.set()
        self._running.set()
        self._supply.close()
        failures: list[BaseException] = []
        for eye in self._eyes:
            eye.source.close()
        joins = [(t, CAPTURE_JOIN_S) for t in self._capture_threads]
        joins += [(t, WORKER_JOIN_S) for t in (*self._workers.threads, self._postprocess.thread)]
        for thread, limit_s in joins:
            try:
                thread.join(limit_s)
            except Exception as error:
                failures.append(error)
            if thread.error is not None:
                failures.append(thread.error)
        failures += self._unread
        failures += close_all(self._sinks, SINK_JOIN_S)
        if failures:
            for other in failures[1:]:
                log.debug("and then: %s", other)
            raise failures[0]

    def _ended(self, slots: FrameSlots, index: int) -> None:
        if self._pulse is not None:
            self._pulse.retire(f"capture-{index}")
        self._source_ended[index] = True
        slots.end(index)

    def _capture(self, slots: FrameSlots, index: int) -> None:
        source = self._eyes[index].source
        stage = f"capture-{index}"
        last_stale = undecoded = 0
        if source.is_live:
            source.skip_decoding(slots.busy_for)
        if self._pulse is not None:
            self._pulse.expect(stage)
        while not self._stop.is_set():
            if self._pulse is not None:
                self._pulse.beat(stage)
            try:
                frame = self._read(index)
            except EndOfStream:
                return
            if (more := source.undecoded - undecoded) > 0:
                undecoded += more
                self._left_undecoded(slots, index, more)
            if frame is None:
                continue
            prepared = None if self._prepare is None or source.is_live else self._prepare(frame)
            if not slots.put(index, Given(frame, prepared)):
                return
            stale = slots.stale(index)
            if stale != last_stale:
                self._observer.dropped(stale - last_stale)
                last_stale = stale
            if self._frames is not None and not source.is_live and self._captured[index] >= self._frames:
                return

    def _read_by_worker(self, index: int) -> Frame | None:
        try:
            return self._read(index)
        except EndOfStream:
            self._source_ended[index] = True
            raise
        except Exception as error:  # the other sources go on, and so does what was read before
            self._source_ended[index] = True
            self._unread.append(error)
            raise EndOfStream(str(error)) from error

    def _read(self, index: int) -> Frame | None:
        """The source's next frame, counted; None if none came in time, or while paused."""
        source = self._eyes[index].source
        if not source.is_live and not self._running.wait(READ_TIMEOUT_S):
            return None
        frame = source.read(READ_TIMEOUT_S)
        if frame is not None:
            self._captured[index] += 1
            self._observer.captured(frame.source)
        return frame

    def _left_undecoded(self, slots: FrameSlots, index: int, count: int) -> None:
        """Pictures were left undecoded: they came, and newer ones replaced them."""
        self._captured[index] += count
        slots.pass_over(index, count)
        for _ in range(count):
            self._observer.captured(self._eyes[index].source.name)

    def _conclude(self, of: tuple[int, Sensed]) -> None:
        index, sensed = of
        result = self._eyes[index].vision.conclude(sensed)
        if self._finish is not None:
            result = self._finish(index, result)
        self._inferred[index] += 1
        self._observer.inferred(result)
        self.latest.publish(index, result)
        for lane in self._sinks:
            if lane.only is None or lane.only == index:
                lane.publish(result)
        if self._on_result is not None:
            self._on_result(result)
