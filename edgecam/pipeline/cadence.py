"""Which frames are worth a detection: by rate, and by whether anything moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from edgecam.core.types import Frame, Image

#: Look at least this often even when nothing moves, so that slow changes are not missed.
GATE_LONGEST_NS = 2_000_000_000


#: Whether something moves in a source's next picture.
Moved = Callable[[Image], bool]


class Cadence:
    """Decides, for each source, whether a frame is detected on or its predecessor's boxes are carried on.

    rate_hz: at most this many detections per second and source; None means every frame. May be lowered and
    raised while running (the governor does), from any thread.
    gate: for each source, asked of every picture that the rate lets through; while nothing moves, detection
    is skipped. None for no gate.
    """

    def __init__(
        self, sources: int, rate_hz: float | None = None, gate: Sequence[Moved] | None = None
    ) -> None:
        self._detected_ns: list[int | None] = [None] * sources
        self._gate = gate
        self._lock = threading.Lock()
        self._rate_hz = rate_hz
        self.skipped_still = 0
        self.skipped_rate = 0

    def set_rate(self, rate_hz: float | None) -> None:
        """Change the detection rate."""
        with self._lock:
            self._rate_hz = rate_hz

    def should_detect(self, index: int, frame: Frame) -> bool:
        """Whether to detect on ``frame`` of source ``index``. Called on the worker's thread.

        A folder's pictures are not moments of one scene: each is looked at, none is given another's boxes.
        """
        if frame.file is not None:
            return True
        last, now = self._detected_ns[index], frame.timeline_ns
        with self._lock:
            rate_hz = self._rate_hz
        since = None if last is None or now < last else now - last
        # Half a millisecond of grace, so that a camera's jitter does not halve the rate.
        if rate_hz is not None and since is not None and since < 1e9 / rate_hz - 500_000:
            self.skipped_rate += 1
            return False
        if (
            self._gate is not None
            and not self._gate[index](frame.image)
            and since is not None
            and since < GATE_LONGEST_NS
        ):
            self.skipped_still += 1
            return False
        self._detected_ns[index] = now
        return True
