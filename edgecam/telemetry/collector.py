"""Counts what the pipeline does and samples the board beside it: the one maker of :class:`Stats`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import TypeVar

from edgecam.core.clock import now_ns
from edgecam.core.errors import EdgecamError
from edgecam.core.ports import HealthMeter, PowerMeter
from edgecam.core.state import EnergySpan, RunTotals
from edgecam.core.types import BoardHealth, PowerKind, PowerReading, Result, Stats
from edgecam.telemetry.energy import EnergyIntegrator
from edgecam.telemetry.rates import StageMeters

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

#: Two power samples a second: a meter behind a child process (vcgencmd) costs some 5 ms each.
SAMPLE_PERIOD_S = 0.5
#: Heat and frequency move slowly; they are read with every second power sample.
HEALTH_EVERY = 2
#: Longer than the longest single reading (a child process is killed after 2 s).
CLOSE_DEADLINE_S = 6.0


def _nothing() -> None:
    pass


class StatsCollector:
    """An :class:`edgecam.core.ports.Observer` that also samples power and health on a thread of its own.

    model: what the overlay calls the running model.
    power, health: read by the sampling thread only; None leaves the figures empty.
    clock: monotonic nanoseconds, injectable for tests.

    ``captured``, ``dropped``, ``inferred`` and ``displayed`` may come from any thread and take a few
    microseconds. ``start`` begins sampling; ``close`` ends it and may be called twice. Without ``start`` the
    rates still work.
    """

    def __init__(
        self,
        model: str,
        power: PowerMeter | None = None,
        health: HealthMeter | None = None,
        *,
        period_s: float = SAMPLE_PERIOD_S,
        clock: Callable[[], int] = now_ns,
    ) -> None:
        #: Set by the owner before ``start``: called after each sample, on the sampling thread.
        self.on_sample: Callable[[], None] = _nothing
        self._model = model
        self._power = power
        self._health = health
        self._period_s = period_s
        self._clock = clock
        self._all = StageMeters()
        self._by_source: dict[str, StageMeters] = {}
        self._lock = Lock()  # guards everything below
        self._dropped = 0
        self._reading: PowerReading | None = None
        self._board = BoardHealth()
        self._energy = EnergyIntegrator()
        self._estimated = False
        self._power_source = ""
        self._max_temperature_c: float | None = None
        self._throttled: dict[str, None] = {}
        self._broken: set[str] = set()
        self._samples = 0
        self._stop = Event()
        self._thread: Thread | None = None

    # -- Observer: called from the pipeline's threads

    def captured(self, source: str) -> None:
        """A frame came from the source of that name."""
        at_ns = self._clock()
        self._all.capture.add(at_ns)
        own = self._by_source.get(source)
        if own is not None:
            own.capture.add(at_ns)

    def dropped(self, count: int) -> None:
        """``count`` more frames were replaced by newer ones before anybody took them."""
        with self._lock:
            self._dropped += count

    def inferred(self, result: Result) -> None:
        """A result is ready.

        Where detection was skipped (a lower rate, nothing moves) boxes were only moved on: that is a result
        with an age, but no inference, and must not make inferences look fast and cheap.
        """
        at_ns = self._clock()
        self._all.inferred(at_ns, result)
        own = self._by_source.get(result.frame.source)
        if own is not None:
            own.inferred(at_ns, result)

    def displayed(self, result: Result, at_ns: int) -> None:
        """A result was painted at ``at_ns``."""
        self._all.displayed(at_ns, result)
        own = self._by_source.get(result.frame.source)
        if own is not None:
            own.displayed(at_ns, result)

    # -- what people see

    def tell_apart(self, sources: Sequence[str]) -> None:
        """Count for each of these sources too, by ``Frame.source``. Before the first frame."""
        self._by_source = {name: StageMeters() for name in sources}

    def set_model(self, model: str) -> None:
        """The running model changed (the governor took the fast one)."""
        with self._lock:
            self._model = model

    def snapshot(self, source: str | None = None) -> Stats:
        """Rates, latencies and board state now. Any thread; some tenths of a millisecond.

        source: rates, ages and frames of that one alone, if it is told apart; the board is everybody's, and
        so are energy and dropped frames.
        """
        now = self._clock()
        stage = self._all if source is None else self._by_source.get(source, self._all)
        with self._lock:
            span = self._energy.window()
            reading, board, model, dropped = self._reading, self._board, self._model, self._dropped
        return Stats(
            capture_fps=stage.capture.rate_hz(now),
            inference_fps=stage.infer.rate_hz(now),
            display_fps=stage.display.rate_hz(now),
            frames_in=stage.capture.count,
            frames_inferred=stage.results.count,
            frames_dropped=dropped,
            frame_age=stage.frame_age.window(now),
            display_age=stage.display_age.window(now),
            inference=stage.inference.window(now),
            power=reading,
            mj_per_frame=span.mj_per_frame if span else None,
            mj_per_inference=span.mj_per_inference if span else None,
            health=board,
            model=model,
        )

    def energy(self) -> EnergySpan | None:
        """All energy so far, and the work it was spent on; None before two readings. Any thread."""
        with self._lock:
            return self._energy.total()

    def totals(self) -> RunTotals:
        """The whole run so far. Any thread."""
        with self._lock:
            energy = self._energy.total()
            kind: PowerKind | None = None
            if energy is not None:
                kind = "estimated" if self._estimated else "measured"
            dropped, source = self._dropped, self._power_source
            hottest, throttled = self._max_temperature_c, tuple(self._throttled)
        return RunTotals(
            frames_in=self._all.capture.count,
            frames_inferred=self._all.results.count,
            inferences=self._all.infer.count,
            frames_displayed=self._all.display.count,
            frames_dropped=dropped,
            capture_fps=self._all.capture.mean_hz(),
            inference_fps=self._all.infer.mean_hz(),
            display_fps=self._all.display.mean_hz(),
            frame_age=self._all.frame_age.run(),
            display_age=self._all.display_age.run(),
            inference=self._all.inference.run(),
            energy=energy,
            power_kind=kind,
            power_source=source,
            max_temperature_c=hottest,
            throttled=throttled,
        )

    # -- the sampling thread

    def start(self) -> None:
        """Begin sampling. Does nothing without meters, or when already started."""
        if self._thread is not None or (self._power is None and self._health is None):
            return
        self._stop.clear()
        # daemon only so that a sensor hanging in the kernel cannot hold the process at exit; close() joins it
        self._thread = Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sampling and wait for the thread. Idempotent. Raises EdgecamError if it does not end."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stop.set()
        thread.join(CLOSE_DEADLINE_S)
        if thread.is_alive():
            raise EdgecamError(
                f"the telemetry thread did not stop within {CLOSE_DEADLINE_S:.0f} s: a power or heat sensor "
                "hangs in the kernel; see `edgecam power` and `edgecam doctor`"
            )

    def __enter__(self) -> StatsCollector:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sample(self) -> None:
        """Read the meters once. The sampling thread calls it; tests may, when it is not running."""
        reading = self._guarded("power meter", self._power.read) if self._power is not None else None
        board: BoardHealth | None = None
        if self._health is not None and self._samples % HEALTH_EVERY == 0:
            board = self._guarded("health meter", self._health.read)
        self._samples += 1
        frames, inferences = self._all.capture.count, self._all.infer.count
        with self._lock:
            self._reading = reading
            if reading is None:
                self._energy.gap()
            else:
                self._energy.add(reading.at_ns, reading.power_w, frames, inferences)
                self._estimated = self._estimated or reading.kind == "estimated"
                self._power_source = reading.source
            if board is not None:
                self._take_health(board)

    def _take_health(self, board: BoardHealth) -> None:
        if board.throttled_now != self._board.throttled_now:
            if board.throttled_now:
                _log.warning("the board reports now: %s", ", ".join(board.throttled_now))
            else:
                _log.info("the board no longer reports: %s", ", ".join(self._board.throttled_now))
        self._throttled.update(dict.fromkeys(board.throttled_now))
        if board.temperature_c is not None:
            self._max_temperature_c = max(board.temperature_c, self._max_temperature_c or board.temperature_c)
        self._board = board

    def _guarded(self, what: str, read: Callable[[], _T]) -> _T | None:
        """A meter must never take the pipeline down: what it raises is logged once, and is "no reading"."""
        try:
            value = read()
        except Exception as error:
            if what not in self._broken:
                self._broken.add(what)
                verbose = _log.isEnabledFor(logging.DEBUG)
                _log.warning("the %s failed (%s); going on without it", what, error, exc_info=verbose)
            return None
        if what in self._broken:
            self._broken.discard(what)
            _log.info("the %s works again", what)
        return value

    def _run(self) -> None:
        while True:
            self.sample()
            self._guarded("governor", self.on_sample)
            if self._stop.wait(self._period_s):
                return
