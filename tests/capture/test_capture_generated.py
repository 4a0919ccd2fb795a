"""synthetic: and demo:, and the number drawn into a picture."""

# Private names are touched here, for `_draw` is the contract of GeneratedSource's subclasses: a pure
# function of the number.

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from capture_material import same
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.generated.demo import PHOTOGRAPHS, PHOTOS, DemoSource
from edgecam.capture.generated.frame_code import draw_code, read_code
from edgecam.capture.generated.synthetic import LABELS, SyntheticSource
from edgecam.core.errors import EXIT_SOURCE, CaptureError, ConfigError, EndOfStream, SourceOpenError
from edgecam.core.ports import Source
from edgecam.core.types import Frame, Image


def take(source: Source, count: int) -> list[Frame]:
    frames = []
    for _ in range(count):
        frame = source.read(5.0)
        assert frame is not None
        frames.append(frame)
    return frames


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**24 - 1), st.integers(68, 400), st.integers(8, 200))
def test_code_round_trip(value: int, width: int, height: int) -> None:
    image = np.full((height, width, 3), 128, np.uint8)
    draw_code(image, value)
    assert read_code(image) == value


def test_code_survives_scaling_and_jpeg() -> None:
    image = np.full((720, 1280, 3), 128, np.uint8)
    draw_code(image, 123_456)
    small = cv2.resize(image, (427, 240), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    lossy = cast(Image, cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    assert read_code(lossy) == 123_456


@pytest.mark.parametrize("level", [0, 128, 255])
def test_no_code_reads_as_none(level: int) -> None:
    assert read_code(np.full((100, 200, 3), level, np.uint8)) is None
    assert read_code(np.zeros((10, 20, 3), np.uint8)) is None


def test_the_truth_is_where_the_shapes_are() -> None:
    """Every pixel that differs from the empty world lies in a box, and each box touches its shape."""
    with (
        SyntheticSource((640, 360), objects=1, seed=3) as source,
        SyntheticSource((640, 360), objects=0, seed=3) as empty,
    ):
        for frame, ground in zip(take(source, 40), take(empty, 40), strict=True):
            truth = source.truth(frame.index)
            rows, columns = np.nonzero((frame.image != ground.image).any(axis=2))
            found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert truth.xyxy[0].tolist() == pytest.approx(found, abs=1)
            assert truth.label(0) in LABELS
            assert truth.track_id is not None


@pytest.mark.parametrize("resize", [0.0, 0.2])
def test_boxes_stay_inside(resize: float) -> None:
    with SyntheticSource((200, 100), objects=8, resize=resize) as source:
        for frame in take(source, 200):
            boxes = source.truth(frame.index).xyxy
            assert (boxes[:, :2] >= 0).all()
            assert (boxes[:, 2] <= frame.size_wh[0]).all()
            assert (boxes[:, 3] <= frame.size_wh[1]).all()
            assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_the_same_seed_is_the_same_world() -> None:
    def pictures(seed: int) -> list[Frame]:
        with open_source("synthetic:?size=160x90", SourceOptions(seed=seed)) as source:
            return take(source, 3)

    assert all(same(a.image, b.image) for a, b in zip(pictures(1), pictures(1), strict=True))
    assert not any(same(a.image, b.image) for a, b in zip(pictures(1), pictures(2), strict=True))


def test_address_before_options_before_defaults() -> None:
    options = SourceOptions(size_wh=(320, 240), rate_hz=15.0)
    with open_source("synthetic:?size=160x90", options) as source:
        assert (source.size_wh, source.rate_hz) == ((160, 90), 15.0)
    with open_source("synthetic:", SourceOptions()) as source:
        assert (source.size_wh, source.rate_hz) == ((1280, 720), 30.0)
        assert not source.is_live


def test_media_time_is_the_frames_own() -> None:
    with open_source("synthetic:?size=160x90&rate=25") as source:
        assert [frame.media_ns for frame in take(source, 3)] == [0, 40_000_000, 80_000_000]


def test_a_live_one_loses_what_nobody_takes() -> None:
    with open_source("synthetic:?size=160x90&rate=100&live=1") as source:
        first = take(source, 1)[0]
        time.sleep(0.1)
        second = take(source, 1)[0]
        assert source.is_live
    assert first.index == 0
    assert second.index >= 9
    assert read_code(second.image) == second.index


def test_resizing_changes_the_size_and_nothing_is_lost() -> None:
    with open_source("synthetic:?size=320x180&resize=0.1&frames=300") as source:
        frames = take(source, 300)
    assert {frame.size_wh for frame in frames} == {(320, 180), (240, 135), (160, 90)}
    assert [read_code(frame.image) for frame in frames] == list(range(300))


def test_faults_come_as_often_as_asked_and_lose_nothing() -> None:
    indices, stalls, faults = [], 0, 0
    with open_source("synthetic:?size=160x90&stall=0.1&fail=0.1&frames=500&seed=5") as source:
        while True:
            try:
                frame = source.read(0.0)
            except CaptureError:
                faults += 1
            except EndOfStream:
                break
            else:
                stalls += frame is None
                indices += [] if frame is None else [frame.index]
    assert indices == list(range(500))
    assert 30 < stalls < 120
    assert 30 < faults < 120


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("synthetic:?sise=640x480", "no option 'sise', did you mean 'size'"),
        ("synthetic:?size=big", "write it as 1280x720"),
        ("synthetic:?size=10x10", "from 96x64 to 7680x7680"),
        ("synthetic:?rate=0", "a number from 0.1 to 1000"),
        ("synthetic:?rate=nan", "a number from"),
        ("synthetic:?objects=1.5", "a whole number"),
        ("synthetic:?live=maybe", "give 0 or 1"),
        ("synthetic:?size", "write options as synthetic:.name=value"),
        ("demo:?object=3", "demo: has no option 'object'"),
    ],
)
def test_wrong_options_are_named(uri: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_source(uri)


def test_demo_moves_smoothly_over_different_photographs() -> None:
    with open_source("demo:?size=320x180&rate=5") as source:
        frames = take(source, 130)
    steps = [float(np.abs(a.image.astype(int) - b.image).mean()) for a, b in itertools.pairwise(frames)]
    assert min(steps) > 0.05, "the camera stands still"
    assert max(steps) < 40, "a cut instead of a fade"
    scenes = [frames[n].image for n in (15, 45, 75, 105)]
    assert all(np.abs(a.astype(int) - b).mean() > 20 for a, b in itertools.pairwise(scenes))


def test_demo_is_the_same_on_every_run_and_credits_each_photograph() -> None:
    with open_source("demo:?size=640x360&frames=2") as one, open_source("demo:?size=640x360&frames=2") as two:
        a, b = take(one, 2), take(two, 2)
    assert all(same(x.image, y.image) for x, y in zip(a, b, strict=True))
    corner = a[0].image[-20:, :150]
    assert (corner.min(axis=2) > 180).sum() > 50, "no light letters in the corner"


def test_demo_credits_a_photograph_while_it_is_seen() -> None:
    with open_source("demo:?size=640x360&rate=30&frames=180") as source:
        light = [frame.image[-16:, 3:170].min(axis=2) > 180 for frame in take(source, 180)]
    last, first_of_fade, after = light[149], light[150], light[176]
    assert (last != first_of_fade).mean() < 0.02, "the next one's credit stands under this photograph"
    assert (last != after).mean() > 0.05


def test_demo_is_the_same_when_scenes_are_skipped() -> None:
    with open_source("demo:?size=320x180&rate=1") as one, open_source("demo:?size=320x180&rate=1") as two:
        assert isinstance(two, DemoSource)
        frames = take(one, 32)
        for index in (0, 12, 31, 6, 24):  # scenes 0, 2, 5, 1 and 4; all but the first while they fade in
            assert same(frames[index].image, two._draw(index))


def test_demo_says_when_another_photograph_begins() -> None:
    """Near the end of each fade of 0.8 s, at 6.64 s, 12.64 s and so on; trackers start anew then."""
    with open_source("demo:?size=160x90&rate=50") as source:
        epochs = [source.epoch for _ in range(11 * 50) if source.read(1)]
    changes = [i / 50 for i in range(1, len(epochs)) if epochs[i] != epochs[i - 1]]
    # every frame of a fade is of an epoch of its own, and each photograph then keeps one to the next fade
    assert changes == pytest.approx(
        [*(5 + k / 50 for k in range(41)), *(10 + k / 50 for k in range(41))], abs=0.03
    )
    assert epochs == sorted(epochs)


def test_demo_without_its_photographs_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("edgecam.capture.generated.demo.PHOTOGRAPHS", tmp_path)
    with pytest.raises(SourceOpenError, match="install edgecam anew: ") as caught:
        open_source("demo:")
    assert caught.value.exit_code == EXIT_SOURCE


def test_every_photograph_of_the_demo_is_shipped_and_credited() -> None:
    credited = (PHOTOGRAPHS / "CREDITS.md").read_text()
    for photo in PHOTOS:
        assert (PHOTOGRAPHS / photo.file).is_file() and photo.file in credited
    assert sum(path.stat().st_size for path in PHOTOGRAPHS.iterdir()) < 600_000
