"""From codes shown and codes seen to latencies.

Glass to glass is the time from a change before the camera to that change on the screen. Here the change is a
new code on the very screen on which the camera's picture is painted: from the moment the code is painted to
the moment the first picture that shows it is painted. What the screen takes from painting to light comes into
the loop once, as it does between a camera's lens and the eye.

So a sample contains, as it should, the wait for the camera's next exposure: half a frame's time on average.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgecam.core.types import Image, Result
from edgecam.latency.code import CODES, CodeReader, draw

#: A code stands at least this long, and at least as long as two painted pictures and a bit, so that every
#: code is seen sharply once; and then a random time more, so that changes do not keep step with frames.
HOLD_MIN_S = 0.08
HOLD_FRAMES = 2.2
HOLD_RANDOM_S = 0.06
HOLD_MAX_S = 2.0
#: The time between painted pictures is averaged over about this many.
AVERAGED = 10
#: Later than this, a code begins to be mistaken for one of the next round: 250 codes of at least 80 ms.
LONGEST_S = 10.0
#: Fewer changes say nothing about a 95th percentile.
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of the code, milliseconds.

    total_ms: from the code's painting to the painting of the first picture that shows it.
    to_frame_ms: to that picture's arrival (screen, exposure, camera, transport). to_result_ms: from there to
    the result (waiting, detection). to_screen_ms: from there to its painting.
    """

    total_ms: float
    to_frame_ms: float
    to_result_ms: float
    to_screen_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """p50 and p95 of each part, milliseconds, and how much they rest on.

    changes: samples. missed: codes that no painted picture ever showed. unreadable: pictures without a
    certain code, of ``pictures``. brightness: mean level (0 to 255) of the pictures.
    """

    changes: int
    missed: int
    pictures: int
    unreadable: int
    brightness: float
    total_p50_ms: float = 0.0
    total_p95_ms: float = 0.0
    total_min_ms: float = 0.0
    total_max_ms: float = 0.0
    to_frame_p50_ms: float = 0.0
    to_frame_p95_ms: float = 0.0
    to_result_p50_ms: float = 0.0
    to_result_p95_ms: float = 0.0
    to_screen_p50_ms: float = 0.0
    to_screen_p95_ms: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Its fields, rounded for people and JSON."""
        return {k: round(v, 2) if isinstance(v, float) else v for k, v in asdict(self).items()}


class Measurement:
    """Says which code stands on the screen, and hears what was painted. Any thread.

    rate_hz: the camera's, if known. seed: of the random times. reader: reads the codes.
    """

    def __init__(self, rate_hz: float | None, seed: int = 0, reader: CodeReader | None = None) -> None:
        self._lock = threading.Lock()
        self._reader = reader or CodeReader()
        self._random = random.Random(seed)
        self._interval_s = 1.0 / rate_hz if rate_hz else 0.0
        self._painted_ns = 0
        self._serial = 0
        self._next_ns = 0
        self._shown: deque[tuple[int, int]] = deque(maxlen=CODES)  # (serial, painted_ns)
        self._last = -1
        self._blind = 0
        self._pictures = self._unreadable = self._missed = 0
        self._brightness = 0.0
        self.samples: list[Sample] = []

    def draw(self, serial: int, side_px: int) -> Image:
        """The code of that number, (side, side) uint8 grey."""
        return draw(serial, side_px)

    def code(self, now_ns: int) -> int:
        """The serial number of the code that should stand on the screen now; draw it modulo CODES."""
        with self._lock:
            if now_ns >= self._next_ns:
                self._serial += 1
                hold_s = min(HOLD_MAX_S, max(HOLD_MIN_S, HOLD_FRAMES * self._interval_s))
                hold_s += self._random.random() * max(HOLD_RANDOM_S, hold_s / 2)
                self._next_ns = now_ns + int(hold_s * 1e9)
            return self._serial

    def shown(self, serial: int, at_ns: int) -> None:
        """Code ``serial`` was painted for the first time, at ``at_ns``."""
        with self._lock:
            self._shown.append((serial, at_ns))

    def seen(self, result: Result, at_ns: int) -> None:
        """The picture of ``result`` was painted at ``at_ns``. Takes milliseconds: call it after painting."""
        image = result.frame.image
        value = self._reader.read(image)
        brightness = float(image[::16, ::16].mean())
        with self._lock:
            self._pictures += 1
            if self._painted_ns:
                self._interval_s += ((at_ns - self._painted_ns) / 1e9 - self._interval_s) / AVERAGED
            self._painted_ns = at_ns
            self._brightness += (brightness - self._brightness) / self._pictures
            found = None if value is None else self._find(value, at_ns)
            if found is None:
                self._unreadable += 1
                self._blind += 1
                return
            serial, shown_ns = found
            blind, self._blind = self._blind, 0
            if serial <= self._last:
                return
            last, self._last = self._last, serial
            # A picture blurred by the change is part of what is measured; a hand before the lens is not.
            if last < 0 or blind > 1:
                return
            self._missed += serial - last - 1
            frame_ns = result.frame.captured_ns
            self.samples.append(
                Sample(
                    (at_ns - shown_ns) / 1e6,
                    (frame_ns - shown_ns) / 1e6,
                    (result.completed_ns - frame_ns) / 1e6,
                    (at_ns - result.completed_ns) / 1e6,
                )
            )

    def _find(self, value: int, at_ns: int) -> tuple[int, int] | None:
        """When the newest code of this number was painted; None if none was lately."""
        for serial, shown_ns in reversed(self._shown):
            if at_ns - shown_ns > LONGEST_S * 1e9:
                return None
            if serial % CODES == value:
                return serial, shown_ns
        return None

    @property
    def sees(self) -> bool:
        """Whether the code has been read in one of the last pictures."""
        with self._lock:
            return self._last >= 0 and self._blind < 15

    def report(self) -> Report:
        """What was measured so far."""
        with self._lock:
            samples = list(self.samples)
            counts = (len(samples), self._missed, self._pictures, self._unreadable, self._brightness)
        if not samples:
            return Report(*counts)
        rows = np.array([(s.total_ms, s.to_frame_ms, s.to_result_ms, s.to_screen_ms) for s in samples])
        (total50, frame50, result50, screen50), (total95, frame95, result95, screen95) = (
            [float(v) for v in row] for row in np.percentile(rows, (50, 95), axis=0)
        )
        return Report(
            *counts,
            total50,
            total95,
            float(rows[:, 0].min()),
            float(rows[:, 0].max()),
            frame50,
            frame95,
            result50,
            result95,
            screen50,
            screen95,
        )


def advice(report: Report, camera: str) -> str:
    """Why there is no figure and what to do, in one sentence; empty if there are enough changes."""
    if report.pictures == 0:
        return f"{camera} gave no picture; look at it with: edgecam --source {camera}"
    if report.changes == 0 or report.unreadable > 0.9 * report.pictures:
        why = "point the camera at this screen so that the white square fills a third of its picture, sharply"
        if report.brightness < 25:
            why = "they are almost black: take the cap off, raise the exposure or the screen's brightness"
        elif report.brightness > 235:
            why = "they are almost white: lower the exposure or the screen's brightness"
        return (
            f"the code was not seen in {report.unreadable} of {report.pictures} pictures from {camera}; {why}"
        )
    if report.changes < ENOUGH:
        return (
            f"only {report.changes} changes of the code were seen, too few for a percentile; hold the camera "
            f"still, or measure longer with --duration"
        )
    return ""
