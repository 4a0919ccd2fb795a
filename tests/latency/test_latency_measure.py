"""Latencies from made-up paintings whose times are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecam.core.errors import RecordError
from edgecam.core.types import Detections, Frame, Image, Result
from edgecam.latency.code import CODES, CodeReader, draw
from edgecam.latency.histogram import draw_histogram, write_histogram
from edgecam.latency.measure import HOLD_MAX_S, Measurement, Report, advice

MS = 1_000_000


class Plain(CodeReader):
    """Reads the level of a picture of one pixel: the code itself is tested elsewhere."""

    def read(self, image: Image) -> int | None:
        level = int(image[0, 0, 0])
        return None if level == 255 else level


def plain(serial: int | None) -> Image:
    return np.full((1, 1, 3), 255 if serial is None else serial % CODES, np.uint8)


def picture(serial: int | None) -> Image:
    image = np.full((240, 320, 3), 255, np.uint8)
    if serial is not None:
        code = draw(serial, 180)
        image[20 : 20 + code.shape[0], 60 : 60 + code.shape[1]] = code[..., None]
    return image


class World:
    """A screen and a camera, simulated: a picture each 20 ms, taken 10, done 30, painted 40 ms later."""

    def __init__(self, rate_hz: float | None = 50.0, real: bool = False) -> None:
        self.measurement = Measurement(rate_hz, reader=None if real else Plain())
        self.draw = picture if real else plain
        self.shown: list[tuple[int, int]] = []

    def run(
        self, until_ms: int, blind: Any = lambda at_ms: False, delay_ms: int = 40, every_ms: int = 20
    ) -> Report:
        last = -1
        for at_ms in range(1, until_ms):
            at_ns = at_ms * MS
            serial = self.measurement.code(at_ns)
            if serial != last:
                last = serial
                self.measurement.shown(serial, at_ns)
                self.shown.append((serial, at_ns))
            if at_ms % every_ms == 0 and at_ms > delay_ms:
                light_ns = at_ns - delay_ms * MS
                on = [s for s, t in self.shown if t <= light_ns]
                value = None if blind(at_ms) or not on else on[-1]
                frame = Frame(self.draw(value), 0, light_ns + 10 * MS, "test:")
                done = Result(frame, Detections.empty(), completed_ns=light_ns + 30 * MS)
                self.measurement.seen(done, at_ns)
        return self.measurement.report()


@pytest.mark.parametrize("real", [False, True])
def test_known_latencies_come_out(real: Any) -> None:
    report = World(real=real).run(4000 if real else 8000)
    # the light's way takes 40 ms, and the wait for the next picture 0 to 19 more, evenly
    assert 40 <= report.total_min_ms <= 42 and 57 <= report.total_max_ms <= 59
    assert 45 <= report.total_p50_ms <= 54 and 55 <= report.total_p95_ms <= 59
    assert report.to_result_p50_ms == pytest.approx(20) and report.to_screen_p50_ms == pytest.approx(10)
    assert report.changes > 20 and report.missed == 0 and advice(report, "cam") == ""


def test_a_hand_before_the_lens_is_not_latency() -> None:
    world = World()
    report = world.run(8000, blind=lambda at_ms: 2000 < at_ms < 2500 or 4000 < at_ms < 4300)
    assert report.total_max_ms <= 59 and report.unreadable >= 38


def test_one_unreadable_picture_at_the_change_counts() -> None:
    calls = iter(range(10**6))
    report = World().run(8000, blind=lambda at_ms: next(calls) % 5 == 0)
    assert 59 < report.total_max_ms <= 79


def test_codes_stand_long_enough_for_a_slow_camera() -> None:
    world = World(rate_hz=5.0)
    world.run(6000, every_ms=200)
    stood = np.diff([at_ns for _, at_ns in world.shown]) / 1e9
    assert stood.min() >= 2 * 0.2 and len(set(np.round(stood, 3))) > 3
    unknown = World(rate_hz=None)
    unknown.run(8000, every_ms=200)
    assert (np.diff([at_ns for _, at_ns in unknown.shown])[-5:] / 1e9 > 0.35).all()
    stalled = World(rate_hz=0.01)
    stalled.run(9000)
    assert (np.diff([at_ns for _, at_ns in stalled.shown]) / 1e9 <= 1.5 * HOLD_MAX_S + 0.01).all()


def test_a_later_round_of_the_same_numbers_is_not_mixed_up() -> None:
    report = World().run(60_000)  # more than 250 codes
    assert report.changes > 250 and report.total_max_ms <= 59


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (Report(0, 0, 0, 0, 0.0), "cam gave no picture"),
        (Report(0, 0, 100, 100, 120.0), "point the camera at this screen"),
        (Report(0, 0, 100, 100, 9.0), "almost black"),
        (Report(0, 0, 100, 100, 250.0), "lower the exposure"),
        (Report(5, 0, 100, 20, 120.0), "only 5 changes"),
    ],
)
def test_advice_says_what_to_do(report: Any, words: Any) -> None:
    assert words in advice(report, "cam")


@pytest.mark.parametrize("values", [[80.0], [80.0, 80.0], [50.0 + i for i in range(90)], [3.0, 9000.0]])
def test_the_histogram_is_a_picture(values: Any, tmp_path: Path) -> None:
    write_histogram(tmp_path / "h.png", values, "/dev/video0: glass to glass")
    image = cv2.imread(str(tmp_path / "h.png"))
    assert image.shape == (540, 960, 3)  # type: ignore[union-attr]
    blue = (np.abs(image.astype(int) - (178, 114, 0)).max(axis=2) < 8).sum()  # type: ignore[union-attr]
    assert blue > 300  # bars
    assert (draw_histogram(values, "a") == draw_histogram(values, "a")).all()


def test_a_histogram_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="--histogram"):
        write_histogram(tmp_path / "none" / "h.png", [1.0], "a")
