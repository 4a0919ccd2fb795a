"""Rates and latencies: counted in a microsecond, read in a fraction of a millisecond.

Each meter holds a bounded number of recent events behind one small lock, so that any thread may add and any
other may read. Adding is O(1); all sorting happens in the reader, outside the lock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from threading import Lock

from edgecam.core.types import Latency, Result

#: Events kept per meter: 2 s at 256 frames per second; faster streams get a proportionally shorter window.
CAPACITY = 512
WINDOW_NS = 2_000_000_000
#: A result whose models took less than this had none to run; what remains is two readings of the clock.
NO_MODEL_MS = 0.05


def percentile(ordered: Sequence[float], q: float) -> float:
    """The ``q`` (0..1) quantile of an ascending, non-empty sequence, interpolated linearly."""
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


class RateMeter:
    """Events per second over a sliding window, and their count since the start. Thread-safe."""

    def __init__(self, window_ns: int = WINDOW_NS, capacity: int = CAPACITY) -> None:
        self._window_ns = window_ns
        self._times: deque[int] = deque(maxlen=capacity)
        self._lock = Lock()
        self._count = 0
        self._first_ns: int | None = None

    def add(self, at_ns: int) -> None:
        """Count one event at ``at_ns`` (monotonic)."""
        with self._lock:
            if self._first_ns is None:
                self._first_ns = at_ns
            self._times.append(at_ns)
            self._count += 1

    @property
    def count(self) -> int:
        """Events since the start."""
        return self._count

    def rate_hz(self, now_ns: int) -> float:
        """Events per second in the window that ends now; 0.0 with fewer than two events in it.

        A slow stream (one event in several seconds) is judged by its last two, until three times the time
        between them has passed without another.

        While events keep coming this is (n - 1) intervals over their span, so it does not jitter with the
        moment of asking. When the next event is overdue the span grows with the clock, so the rate falls at
        once instead of freezing at its last value.
        """
        with self._lock:
            times = list(self._times)
        recent = [t for t in times if t > now_ns - self._window_ns]
        if len(recent) < 2 and len(times) >= 2:
            between_ns = times[-1] - times[-2]
            if between_ns >= self._window_ns // 2 and now_ns - times[-1] <= 3 * between_ns:
                recent = times[-2:]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        intervals = len(recent) - 1
        span_ns = recent[-1] - recent[0]
        overdue_ns = now_ns - recent[0] - span_ns // intervals
        return intervals * 1e9 / max(span_ns, overdue_ns)

    def mean_hz(self) -> float:
        """Events per second from the first event to the last, over the whole run."""
        with self._lock:
            if self._first_ns is None or not self._times or self._times[-1] <= self._first_ns:
                return 0.0
            return (self._count - 1) * 1e9 / (self._times[-1] - self._first_ns)


class Histogram:
    """Percentiles over any number of values in constant memory (about 1,000 counters).

    Buckets grow by 2 %, so a percentile is within 1 % of the true value. Values below 0.01 ms count as
    0.01 ms. Not thread-safe: its owner holds the lock.
    """

    LOWEST_MS = 0.01
    RATIO = 1.02
    BUCKETS = 1024  # 0.01 ms × 1.02^1024 is about 6 million ms: longer than any frame waits

    def __init__(self) -> None:
        self._counts = [0] * self.BUCKETS
        self._scale = 1.0 / math.log(self.RATIO)
        self.count = 0
        self._min_ms = math.inf
        self._max_ms = -math.inf

    def add(self, value_ms: float) -> None:
        """Count one value; a value that is not a number is ignored."""
        if not value_ms > self.LOWEST_MS:
            if value_ms != value_ms:
                return
            value_ms = self.LOWEST_MS
        bucket = int(math.log(min(value_ms, 1e9) / self.LOWEST_MS) * self._scale)
        self._counts[min(bucket, self.BUCKETS - 1)] += 1
        self.count += 1
        self._min_ms = min(self._min_ms, value_ms)
        self._max_ms = max(self._max_ms, value_ms)

    def percentile_ms(self, q: float) -> float:
        """The ``q`` (0..1) quantile by nearest rank; 0.0 when nothing was added."""
        if not self.count:
            return 0.0
        rank = max(1, math.ceil(q * self.count))
        seen = 0
        bucket = 0
        while seen + self._counts[bucket] < rank:
            seen += self._counts[bucket]
            bucket += 1
        middle = self.LOWEST_MS * math.exp((bucket + 0.5) / self._scale)
        return min(max(middle, self._min_ms), self._max_ms)


class LatencyMeter:
    """p50 and p95 over a sliding window and over the whole run. Thread-safe."""

    def __init__(self, window_ns: int = WINDOW_NS, capacity: int = CAPACITY) -> None:
        self._window_ns = window_ns
        self._values: deque[tuple[int, float]] = deque(maxlen=capacity)
        self._lock = Lock()
        self._run = Histogram()

    def add(self, at_ns: int, value_ms: float) -> None:
        """Note one latency that ended at ``at_ns`` (monotonic)."""
        with self._lock:
            self._values.append((at_ns, value_ms))
            self._run.add(value_ms)

    def window(self, now_ns: int) -> Latency | None:
        """Percentiles of the last seconds, or None if nothing happened in them."""
        with self._lock:
            values = list(self._values)
        recent = sorted(ms for at_ns, ms in values if at_ns > now_ns - self._window_ns)
        if not recent:
            return None
        return Latency(percentile(recent, 0.5), percentile(recent, 0.95))

    def run(self) -> Latency | None:
        """Percentiles of the whole run within 1 %, or None if nothing happened."""
        with self._lock:
            if not self._run.count:
                return None
            return Latency(self._run.percentile_ms(0.5), self._run.percentile_ms(0.95))


class StageMeters:
    """The rates and ages of each stage: of all sources together, or of one. Thread-safe."""

    def __init__(self) -> None:
        self.capture = RateMeter()
        self.results = RateMeter()
        self.infer = RateMeter()
        self.display = RateMeter()
        self.frame_age = LatencyMeter()
        self.display_age = LatencyMeter()
        self.inference = LatencyMeter()

    def inferred(self, at_ns: int, result: Result) -> None:
        """A result was ready at ``at_ns``. See ``StatsCollector.inferred``."""
        self.results.add(at_ns)
        self.frame_age.add(at_ns, result.frame_age_ms)
        if result.detect_ms > 0.0 or result.classify_ms > NO_MODEL_MS:
            self.infer.add(at_ns)
            self.inference.add(at_ns, result.inference_ms)

    def displayed(self, at_ns: int, result: Result) -> None:
        """A result was painted at ``at_ns``."""
        self.display.add(at_ns)
        self.display_age.add(at_ns, (at_ns - result.frame.captured_ns) / 1e6)
