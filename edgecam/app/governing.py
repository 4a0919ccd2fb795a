"""The governor's hands: what it decides is done to the cadence and to the detector in use."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edgecam.core.clock import now_ns
from edgecam.core.ports import Prepared
from edgecam.core.types import Detections, Frame, Stats
from edgecam.inference.detector import OnnxDetector
from edgecam.pipeline.cadence import Cadence
from edgecam.telemetry.governor import Governor, Plan

log = logging.getLogger(__name__)

#: The governor is asked this often.
DECIDE_EVERY_NS = 1_000_000_000


class SwitchingDetector:
    """A detector with a faster stand-in. Implements :class:`edgecam.core.ports.TwoStepDetector`.

    Both sessions are built before threads start. ``use_fast`` may be called from any thread and holds from
    the next frame on.
    """

    def __init__(self, full: OnnxDetector, fast: OnnxDetector) -> None:
        if full.labels != fast.labels:
            raise ValueError(f"{full.name} and {fast.name} have different labels")
        self._full, self._fast = full, fast
        self._active = full

    def use_fast(self, fast: bool) -> None:
        """Take the fast model, or the full one again."""
        self._active = self._fast if fast else self._full

    @property
    def name(self) -> str:
        """The running model's name."""
        return self._active.name

    @property
    def labels(self) -> tuple[str, ...]:
        """By class id."""
        return self._full.labels

    @property
    def input_wh(self) -> tuple[int, int]:
        """(width, height) the running model sees."""
        return self._active.input_wh

    def detect(self, frame: Frame) -> Detections:
        """Objects in pixels of ``frame.image``, best first."""
        return self._active.detect(frame)

    def prepare(self, frame: Frame) -> Prepared:
        """What comes before the network; ``frame`` goes through the model that runs now."""
        return self._active.prepare(frame)


class Governing:
    """Asks the governor once a second and does what it says. ``tick`` belongs to the owner's thread.

    own_rate_hz: the user's own ``--detect-rate``. on_model: told which model runs from now on.
    """

    def __init__(
        self,
        governor: Governor,
        cadence: Cadence,
        own_rate_hz: float | None,
        switch: SwitchingDetector | None,
        on_model: Callable[[str], None],
    ) -> None:
        self._governor = governor
        self._cadence = cadence
        self._own_rate_hz = own_rate_hz
        self._switch = switch
        self._on_model = on_model
        self._plan = Plan()
        self._due_ns = 0

    @property
    def notice(self) -> str:
        """What is given up at the moment, and why; empty while nothing is."""
        return self._plan.reason

    def set_limits(self, max_watts: float | None, max_temp: float | None, own_rate_hz: float | None) -> None:
        """Change the limits while running."""
        self._governor.max_watts, self._governor.max_temp = max_watts, max_temp
        self._own_rate_hz = own_rate_hz
        self._apply()

    def _apply(self) -> None:
        rates = [rate for rate in (self._own_rate_hz, self._plan.detect_rate_hz) if rate is not None]
        self._cadence.set_rate(min(rates) if rates else None)
        if self._switch is not None:
            self._switch.use_fast(self._plan.use_fast)
            self._on_model(self._switch.name)

    def tick(self, stats: Stats) -> None:
        """Decide, if a second has passed; log only changes."""
        now = now_ns()
        if now < self._due_ns:
            return
        self._due_ns = now + DECIDE_EVERY_NS
        if stats.inference_fps > 0:
            self._governor.note_full_rate(stats.inference_fps)
        plan = self._governor.decide(stats.power, stats.health, now)
        if plan == self._plan:
            return
        log.warning("%s", plan.reason or "back at the full detection rate")
        self._plan = plan
        self._apply()
