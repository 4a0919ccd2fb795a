"""Measures one case in this process: ``python -m edgecam.bench.child CASE`` (JSON in, JSON out).

A process of its own, because memory, start-up and a provider that crashes are the case's own too. The order
matters: the run that memory is read after comes first.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from edgecam.app.app import App
from edgecam.bench.case import Case, Parts, Row, accuracy_of
from edgecam.bench.clip import is_camera, open_as_camera, open_unpaced
from edgecam.bench.runner import failed
from edgecam.capture import SourceOptions, waits
from edgecam.config import Config, load
from edgecam.core.console import raw_out
from edgecam.core.errors import EdgecamError, EndOfStream
from edgecam.core.ports import Source
from edgecam.core.types import Result
from edgecam.host.cpu import cpu_count
from edgecam.inference.classifier import OnnxClassifier
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.models.store import load_card
from edgecam.inference.runtime.session import Session

#: Results at the beginning of a run that do not count: caches and the allocator are still cold.
WARM_UP = 5
#: Pictures that are drawn, and how often, for what painting costs. Few: a result holds its frame in memory.
PAINTED, PAINTINGS = 2, 8
#: The first result must come within this, the models' loading not counted.
FIRST_RESULT_S = 30.0

Opener = Callable[[str, SourceOptions], Source]


class Mark(NamedTuple):
    """One result: when, the process's CPU seconds so far, and the result's own times."""

    at_s: float
    cpu_s: float
    detect_ms: float
    track_ms: float
    classify_ms: float
    age_ms: float
    dropped: int


class BenchApp(App):
    """The product's own App, on a source that ``opener`` opens."""

    def __init__(self, config: Config, opener: Opener, batch: bool = False) -> None:
        self.marks: list[Mark] = []
        self.recent: deque[Result] = deque(maxlen=PAINTED)
        super().__init__(config, paced=False, opener=opener, batch=batch)
        self.on_result(self._mark)

    def _mark(self, result: Result) -> None:
        self.recent.append(result)
        self.marks.append(
            Mark(
                time.perf_counter(),
                time.process_time(),
                result.detect_ms,
                result.track_ms,
                result.classify_ms,
                result.frame_age_ms,
                result.dropped,
            )
        )

    def measure(self, seconds: float) -> list[Mark]:
        """The results of ``seconds`` (or up to the source's end), those of the warm-up left out."""
        self.start()
        try:
            deadline = time.perf_counter() + FIRST_RESULT_S
            while len(self.marks) < WARM_UP and time.perf_counter() < deadline:
                if self.pipeline.wait(0.02):
                    break
            self.pipeline.wait(seconds)
        finally:
            self.stop()
        marks = self.marks[WARM_UP:]
        if len(marks) < 2:
            raise EdgecamError(
                f"only {len(self.marks)} results in {seconds:g} s: try more --seconds, or a longer source"
            )
        return marks


def rate_of(marks: list[Mark]) -> tuple[float, float]:
    """(results per second, busy CPUs) from the first to the last."""
    span = marks[-1].at_s - marks[0].at_s
    return (len(marks) - 1) / span, (marks[-1].cpu_s - marks[0].cpu_s) / span


def resident_mb() -> float | None:
    """Resident memory of this process now, in 10⁶ bytes; None where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    import resource

    return pages * resource.getpagesize() / 1e6


def _config(case: Case) -> Config:
    detection = case.task == "detection"
    return load(
        {
            "source": [case.source],
            "detector": case.path if detection else "off",
            "classifier": "off" if detection else case.path,
            "classify": "off" if detection else "frame",
            "threads": case.threads,
            "provider": case.provider,
            "tune": "off",
            "display": "none",
            "max_temp": None,
        },
        {},
    )


def time_session(session: Session, seconds: float) -> tuple[list[float], float]:
    """(milliseconds of each run, CPU milliseconds per run) of a bound session, for ``seconds``."""
    times: list[float] = []
    session.run()
    cpu = time.process_time()
    started = before = time.perf_counter()
    while before - started < seconds or len(times) < WARM_UP:
        session.run()
        now = time.perf_counter()
        times.append((now - before) * 1e3)
        before = now
    return times, (time.process_time() - cpu) * 1e3 / len(times)


def _decode_ms(case: Case) -> float:
    """Median milliseconds of the source's own read, as fast as it goes."""
    times: list[float] = []
    with open_unpaced(case.source, SourceOptions()) as source:
        if source.is_live:
            return 0.0
        started = time.perf_counter()
        while time.perf_counter() - started < case.seconds / 2 or len(times) < WARM_UP:
            before = time.perf_counter()
            try:
                source.read(1.0)
            except EndOfStream:
                break
            times.append((time.perf_counter() - before) * 1e3)
    return float(np.median(times)) if times else 0.0


def _paint_ms(app: BenchApp) -> float:
    times = []
    for result in list(app.recent) * PAINTINGS:
        before = time.perf_counter()
        app.annotate(result)
        times.append((time.perf_counter() - before) * 1e3)
    return float(np.median(times)) if times else 0.0


def measure(case: Case) -> Row:
    """All figures of ``case``. Takes three times ``case.seconds``, and what loading takes."""
    card = load_card(Path(case.path))
    accuracy, accuracy_name = accuracy_of(card)
    row = Row(
        model=case.model,
        task=case.task,
        precision=case.precision,
        threads=case.threads,
        provider=case.provider,
        source=case.source,
        accuracy=accuracy,
        accuracy_name=accuracy_name,
    )
    if case.whole:
        row = _whole(case, row)
    kind = OnnxDetector if case.task == "detection" else OnnxClassifier
    model = kind(case.path, threads=case.threads, providers=[case.provider])
    if model.session.provider != case.provider:
        raise EdgecamError(model.session.notice or f"{case.provider} did not start")
    times, cpu_ms = time_session(model.session, case.seconds)
    return msgspec.structs.replace(
        row,
        inference_p50_ms=float(np.quantile(times, 0.5)),
        inference_p95_ms=float(np.quantile(times, 0.95)),
        inference_cpu_ms=cpu_ms,
    )


def _whole(case: Case, row: Row) -> Row:
    config = _config(case)
    live = BenchApp(config, open_as_camera)
    marks = live.measure(case.seconds)
    rate, busy = rate_of(marks)
    ages = [mark.age_ms for mark in marks]
    totals = live.collector.totals()
    account = live.pipeline.accounts()[0]
    row = msgspec.structs.replace(
        row,
        rss_mb=resident_mb(),
        live_rate_per_s=rate,
        age_p50_ms=float(np.quantile(ages, 0.5)),
        age_p95_ms=float(np.quantile(ages, 0.95)),
        dropped_share=account.stale / max(account.captured, 1),
        cpu_share=busy / cpu_count(),
        power_w=totals.energy.mean_power_w if totals.energy else None,
        power_kind=totals.power_kind or "",
        power_source=totals.power_source,
        mj_per_frame=totals.energy.mj_per_frame if totals.energy else None,
    )
    camera = live.sources[0]
    paint = _paint_ms(live)
    del live
    concurrency, fast = 1, marks  # a camera has one speed
    if not is_camera(case.source, camera):
        whole = BenchApp(config, open_unpaced, batch=waits(case.source))
        concurrency, fast = whole.models.concurrency, whole.measure(case.seconds)
        rate, busy = rate_of(fast)
    return msgspec.structs.replace(
        row,
        rate_per_s=rate,
        parts=Parts(
            capture_hz=camera.rate_hz if camera.is_live else None,
            decode=_decode_ms(case),
            detect=float(np.median([mark.detect_ms for mark in fast])),
            track=float(np.median([mark.track_ms for mark in fast])),
            classify=float(np.median([mark.classify_ms for mark in fast])),
            concurrency=concurrency,
            paint=paint,
            cpu=busy * 1e3 / rate / cpu_count(),
        ),
    )


def main() -> int:
    """Measure the case on the command line; one JSON object on standard output."""
    case = msgspec.json.decode(sys.argv[1], type=Case)
    try:
        row = measure(case)
    except EdgecamError as error:
        row = failed(case, str(error))
    raw_out(msgspec.json.encode(row).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
