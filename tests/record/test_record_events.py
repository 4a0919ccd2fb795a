from pathlib import Path

import av
import numpy as np
import pytest
from recording_kit import NS, clips_in, play, recording, result

from edgecam.core.errors import ConfigError
from edgecam.core.types import Image
from edgecam.media import encoder
from edgecam.media.motion import MotionDetector
from edgecam.record.library.index import Library
from edgecam.record.pace import Pace
from edgecam.record.trigger import parse_triggers

HZ = 10


def run(folder: Path, seconds: float, person: "set[int]", **options: object) -> "list[list[int]]":
    """Record at 10 fps; a person is in the frames with these numbers. The numbers in each clip."""
    with recording(folder, record_on=("person:0.6",), nominal_hz=float(HZ), **options) as recorder:
        for i in range(round(seconds * HZ)):
            recorder.write(result(i, 50 * NS + i * NS // HZ, labels=["person"] if i in person else ["car"]))
    return [play(path).numbers for path in recorder.clips]


def test_pre_and_post_roll_are_exact_to_one_key_frame_interval(tmp_path: Path) -> None:
    (clip,) = run(tmp_path, 30, {145}, pre_s=5.0, post_s=3.0)
    first, last = clip[0], clip[-1]
    assert 145 - 5 * HZ - HZ <= first <= 145 - 5 * HZ and first % HZ == 0
    assert last == 145 + 3 * HZ
    assert clip == list(range(first, last + 1))


def test_no_event_writes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, 10, set()) == []
    assert clips_in(tmp_path) == [] and list(tmp_path.glob("*.jsonl")) == []


def test_overlapping_events_are_joined(tmp_path: Path) -> None:
    # post-roll of the first ends at 120, pre-roll of the second reaches back to 135 - 30 = 105
    (clip,) = run(tmp_path, 30, {100, 135}, pre_s=3.0, post_s=2.0)
    assert clip == list(range(clip[0], 135 + 2 * HZ + 1)) and 60 <= clip[0] <= 70


def test_events_apart_are_two_clips(tmp_path: Path) -> None:
    first, second = run(tmp_path, 30, {50, 200}, pre_s=2.0, post_s=1.0)
    assert first[-1] == 60 and 170 <= second[0] <= 180 and second[-1] == 210


def test_events_that_nearly_touch_share_no_frame(tmp_path: Path) -> None:
    for gap in range(28, 46, 5):
        clips = run(tmp_path / str(gap), 20, {60, 60 + 10 + gap}, pre_s=3.0, post_s=1.0)
        numbers = [n for clip in clips for n in clip]
        assert len(numbers) == len(set(numbers)), gap
        assert set(range(40, 71)) <= set(numbers) and set(range(40 + gap, 81 + gap)) <= set(numbers)


def test_the_longest_length_goes_on_in_a_new_clip_without_a_gap(tmp_path: Path) -> None:
    clips = run(tmp_path, 20, set(range(30, 150)), pre_s=1.0, post_s=1.0, longest_s=4.0)
    assert len(clips) >= 3
    numbers = [n for clip in clips for n in clip]
    assert numbers == list(range(numbers[0], 160)) and numbers[0] in (10, 20)
    assert all(len(clip) <= 5 * HZ for clip in clips)


def test_the_ring_is_bounded_in_bytes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (clip,) = run(tmp_path, 20, {150}, pre_s=10.0, post_s=1.0, ring_bytes=6_000)
    assert clip[0] > 150 - 10 * HZ and clip[-1] == 160
    assert sum("pre-roll is cut short" in r.message for r in caplog.records) == 1


def test_by_hand_and_stopped_by_hand(tmp_path: Path) -> None:
    with recording(tmp_path, record_on=("key",), nominal_hz=float(HZ), pre_s=1.0, post_s=5.0) as recorder:
        for i in range(100):
            if i == 40:
                recorder.trigger("key")
            if i == 60:
                recorder.stop_event()
            recorder.write(result(i, i * NS // HZ))
    (clip,) = [play(path).numbers for path in recorder.clips]
    assert 20 <= clip[0] <= 30 and clip[-1] == 59


def test_a_low_score_does_not_start(tmp_path: Path) -> None:
    with recording(tmp_path, record_on=("person:0.6",)) as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // HZ, labels=["person"], score=0.55))
    assert recorder.clips == []


def test_both_views_begin_and_end_together(tmp_path: Path) -> None:
    with recording(
        tmp_path, lambda r: r.frame.image, view="both", record_on=("car",), pre_s=1.0, post_s=1.0
    ) as recorder:
        for i in range(80):
            recorder.write(result(i, i * NS // HZ, labels=["car"] if i == 40 else []))
    annotated, clean = (play(path) for path in recorder.clips)
    assert annotated.numbers == clean.numbers and annotated.times_s == clean.times_s


def test_what_record_on_understands() -> None:
    spec = parse_triggers(("person:0.6", "car", "motion", "key"), ("person", "car"))
    assert spec.scores == (("car", 0.0), ("person", 0.6)) and spec.motion
    with pytest.raises(ConfigError, match="'person:high' is not LABEL or LABEL:SCORE"):
        parse_triggers(("person:high",))
    with pytest.raises(ConfigError, match=r"does not know 'preson', did you mean 'person'"):
        parse_triggers(("preson:0.5",), ("person", "car"))
    with pytest.raises(ConfigError, match=r"'person:1\.5' is not"):
        parse_triggers(("person:1.5",))


def test_motion_sees_a_moving_square_and_not_noise() -> None:
    rng = np.random.default_rng(1)
    background = rng.integers(60, 180, (180, 320, 3), dtype=np.uint8)
    trigger = MotionDetector()

    def noisy(
        image: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]",
    ) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
        return np.clip(image.astype(int) + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)

    assert not any(trigger.moved(noisy(background)) for _ in range(20))
    moved = []
    for i in range(10):
        image = background.copy()
        image[75:110, 50 + 10 * i : 70 + 10 * i] = 250
        moved.append(trigger.moved(noisy(image)))
    assert all(moved)


def test_a_board_that_is_too_slow_lowers_the_rate_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "edgecam")
    pace = Pace()
    kept = []
    for i in range(30 * 30):
        if pace.keep():
            kept.append(i)
            # 50 ms of work per frame where frames come every 33 ms; later there is nothing else to do
            pace.spent(0.05 if i < 300 else 0.005, i * NS // 30)
    assert pace.every == 1 and kept[-100:] == list(range(800, 900))
    middle = [i for i in kept if 150 <= i < 290]
    assert set(np.diff(middle)) <= {2, 3} and pace.skipped == 900 - len(kept)
    said = [r.message for r in caplog.records]
    assert "keeps one in 2" in said[0] and "every frame is kept again" in said[-1] and len(said) <= 4


def test_a_long_queue_is_worked_off_evenly() -> None:
    pace = Pace()
    kept = [i for i in range(40) if pace.keep(waited_s=0.0 if i < 10 else 0.3 if i < 20 else 0.5)]
    assert kept == [*range(10), 11, 13, 15, 17, 19, 23, 27, 31, 35, 39] and pace.skipped == 20


def test_events_are_noted_with_their_times(tmp_path: Path) -> None:
    people = {50, 51, 52, 60, 90}  # away for more than two seconds before 90: a new event, the same clip
    run(tmp_path, 20, people, pre_s=2.0, post_s=5.0)
    with Library(tmp_path) as library:
        (clip,) = library.clips()
    start = clip.events[0][0]
    assert [(round(at - start, 2), cause) for at, cause in clip.events] == [(0.0, "person"), (4.0, "person")]
    assert 2.0 <= start <= 3.0 and clip.causes == ("person",)
    for index in tmp_path.glob(".edgecam.sqlite*"):
        index.unlink()
    with Library(tmp_path) as library:
        assert library.clips()[0].events == clip.events


@pytest.mark.allow_error_log
def test_an_encoder_that_fails_costs_a_clip_and_not_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good = encoder.Encoder.encode

    def encode(self: encoder.Encoder, image: Image, pts: int, *, key: bool) -> "list[object]":
        if self.choice.codec == "libx264" and pts > 3 * 90_000:
            raise av.error.ExternalError(1, "the encoder's hardware is gone")
        return good(self, image, pts, key=key)

    monkeypatch.setattr(encoder.Encoder, "encode", encode)
    monkeypatch.setattr(encoder, "_opened", {"h264_v4l2m2m": False})
    with recording(tmp_path) as recorder:
        for i in range(60):
            recorder.write(result(i, i * NS // HZ))
    first, second = (play(path).numbers for path in recorder.clips)
    assert first == list(range(31)) and second == list(range(31, 60))
    assert [r.levelname for r in caplog.records] == ["ERROR"] and "going on with another one" in caplog.text
    assert "mjpeg" in recorder.status().encoder
