"""Which frames are worth a detection: by rate, and by whether anything moves."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecam.core.types import Frame

#: The motion gate compares every 16th pixel of every 16th row: 3,600 samples of a 720p picture.
GATE_STRIDE = 16
#: A sample counts as changed beyond this difference of levels: above the noise of a webcam in dim light.
GATE_LEVEL = 20
#: The picture counts as moving from this share of changed samples on.
GATE_SHARE = 0.004
#: Look at least this often even when nothing moves, so that slow changes are not missed.
GATE_LONGEST_NS = 2_000_000_000


@dataclass(slots=True)
class _State:
    detected_ns: int | None = None
    reference: NDArray[np.int16] | None = None


class Cadence:
    """Decides, for each source, whether a frame is detected on or its predecessor's boxes are carried on.

    rate_hz: at most this many detections per second and source; None means every frame. May be lowered and
    raised while running (the governor does), from any thread.
    motion_gate: skip detection while the picture stands still.
    """

    def __init__(self, sources: int, rate_hz: float | None = None, motion_gate: bool = False) -> None:
        self._states = [_State() for _ in range(sources)]
        self._motion_gate = motion_gate
        self._lock = threading.Lock()
        self._rate_hz = rate_hz
        self.skipped_still = 0
        self.skipped_rate = 0

    def set_rate(self, rate_hz: float | None) -> None:
        """Change the detection rate."""
        with self._lock:
            self._rate_hz = rate_hz

    def should_detect(self, index: int, frame: Frame) -> bool:
        """Whether to detect on ``frame`` of source ``index``. Called on the worker's thread."""
        state = self._states[index]
        now = frame.timeline_ns
        with self._lock:
            rate_hz = self._rate_hz
        since = None if state.detected_ns is None or now < state.detected_ns else now - state.detected_ns
        # Half a millisecond of grace, so that a camera's jitter does not halve the rate.
        if rate_hz is not None and since is not None and since < 1e9 / rate_hz - 500_000:
            self.skipped_rate += 1
            return False
        if (
            self._motion_gate
            and not self._moved(state, frame)
            and since is not None
            and since < GATE_LONGEST_NS
        ):
            self.skipped_still += 1
            return False
        state.detected_ns = now
        return True

    def _moved(self, state: _State, frame: Frame) -> bool:
        samples = frame.image[::GATE_STRIDE, ::GATE_STRIDE, 1].astype(np.int16)
        reference = state.reference
        state.reference = samples if reference is None else reference
        if reference is None or reference.shape != samples.shape:
            state.reference = samples
            return True
        changed = float(np.mean(np.abs(samples - reference) > GATE_LEVEL))
        if changed < GATE_SHARE:
            return False
        state.reference = samples
        return True
