"""Carries out what the governor decides: how often to detect, and with which model."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edgecam.config import Config
from edgecam.core.clock import now_ns
from edgecam.core.ports import Prepared
from edgecam.core.types import Detections, Frame, Stats
from edgecam.inference.detector import OnnxDetector
from edgecam.pipeline.cadence import Cadence
from edgecam.telemetry.governor import Governor, Plan
from edgecam.telemetry.health import firmware_limit_c

log = logging.getLogger(__name__)

#: The governor's limit: this far below where the firmware throttles, or this where that is not known.
BELOW_FIRMWARE_C = 2.0
DEFAULT_LIMIT_C = 78.0

#: The governor is asked this often.
DECIDE_EVERY_NS = 1_000_000_000


def own_temperature_limit_c() -> float:
    """The limit without ``--max-temp``: a little below where the firmware would throttle on its own."""
    firmware_c = firmware_limit_c()
    return DEFAULT_LIMIT_C if firmware_c is None else firmware_c - BELOW_FIRMWARE_C


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
    def is_fast(self) -> bool:
        """Whether the fast model runs."""
        return self._active is self._fast

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
    """Asks the governor once a second and does what it says.

    config: its limits and ``--detect-rate``; later ones come by ``apply``, on the thread of the live
    settings. own_max_c: the limit where no ``--max-temp`` is set. on_model: told which model runs from now
    on. ``tick`` is called on telemetry's thread.
    """

    def __init__(
        self,
        config: Config,
        cadence: Cadence,
        switch: SwitchingDetector | None,
        on_model: Callable[[str], None],
        own_max_c: float | None = None,
    ) -> None:
        self._own_max_c = own_temperature_limit_c() if own_max_c is None else own_max_c
        self._governor = Governor(config.max_watts, self._limit_c(config), has_fast=switch is not None)
        self._cadence = cadence
        self._own_rate_hz = config.detect_rate
        self._switch = switch
        self._on_model = on_model
        self._lock = threading.Lock()  # guards the governor and what follows
        self._plan = Plan()
        self._due_ns = 0

    @property
    def notice(self) -> str:
        """What runs slower or with less at the moment, and why; empty while nothing does."""
        return self._plan.reason

    def _limit_c(self, config: Config) -> float:
        return self._own_max_c if config.max_temp is None else config.max_temp

    def apply(self, config: Config) -> None:
        """Change the limits while running. Any thread."""
        with self._lock:
            self._governor.set_limits(config.max_watts, self._limit_c(config))
            self._own_rate_hz = config.detect_rate
            self._plan = self._governor.plan
            self._act()

    def _act(self) -> None:
        rates = [rate for rate in (self._own_rate_hz, self._plan.detect_rate_hz) if rate is not None]
        self._cadence.set_rate(min(rates) if rates else None)
        if self._switch is not None:
            self._switch.use_fast(self._plan.use_fast)
            self._on_model(self._switch.name)

    def tick(self, stats: Callable[[], Stats]) -> None:
        """Decide, if a second has passed since the last time; log only changes. One thread."""
        now = now_ns()
        if now < self._due_ns:
            return
        self._due_ns = now + DECIDE_EVERY_NS
        seen = stats()
        with self._lock:
            if seen.inference_fps > 0:
                self._governor.note_full_rate(seen.inference_fps)
            plan = self._governor.decide(seen.power, seen.health, now)
            if plan == self._plan:
                return
            log.warning("%s", plan.reason or "back at the full detection rate")
            self._plan = plan
            self._act()
