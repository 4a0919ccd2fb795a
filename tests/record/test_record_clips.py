import json
import re
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from recording_kit import NS, clips_in, numbered, play, recording, result

from edgecam.core.errors import RecordError
from edgecam.core.types import PowerReading, Result, Stats
from edgecam.record.recorder import Recorder, RecordOptions


def steps(hz: float, n: int) -> list[int]:
    return [round(i * NS / hz) for i in range(n)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("hz", [7.0, 15.0, 30000 / 1001, 60.0])
def test_file_has_every_frame_at_its_own_time(tmp_path: Path, suffix: str, hz: float) -> None:
    target = tmp_path / f"out{suffix}"
    times = steps(hz, 40)
    with recording(target, live=False) as recorder:
        for i, at in enumerate(times):
            recorder.write(result(i, 5 * NS + i, media_ns=at))
    seen = play(target)
    assert seen.numbers == list(range(40))
    # Matroska counts milliseconds
    tolerance = 0.0006 if suffix == ".mkv" else 0.00002
    assert np.allclose(seen.times_s, [t / NS for t in times], atol=tolerance)
    assert seen.duration_s == pytest.approx(40 / hz, abs=2e-3)
    assert recorder.clips == [target]
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".jsonl") == [target.name]


def test_rate_that_changes_midway_keeps_its_times(tmp_path: Path) -> None:
    times = steps(15, 20) + [20 * NS // 15 + t for t in steps(7, 10)] + [4 * NS + t for t in steps(60, 30)]
    with recording(tmp_path / "out.mp4") as recorder:
        for i, at in enumerate(times):
            recorder.write(result(i, at + 77 * NS))
    seen = play(tmp_path / "out.mp4")
    assert seen.numbers == list(range(60))
    assert np.allclose(seen.times_s, [t / NS for t in times], atol=2e-5)


def test_a_key_frame_every_second(tmp_path: Path) -> None:
    with recording(tmp_path / "out.mp4") as recorder:
        for i, at in enumerate(steps(10, 45)):
            recorder.write(result(i, at))
    assert play(tmp_path / "out.mp4").keys == [0, 10, 20, 30, 40]


def test_constant_rate_by_option(tmp_path: Path) -> None:
    times = steps(30, 30) + [2 * NS + t for t in steps(5, 5)]
    with recording(tmp_path / "out.mp4", constant_hz=10.0) as recorder:
        for i, at in enumerate(times):
            recorder.write(result(i, at))
    seen = play(tmp_path / "out.mp4")
    assert np.allclose(np.diff(seen.times_s), 0.1, atol=2e-5)
    assert seen.numbers[:10] == [0, 2, 5, 8, 11, 14, 17, 20, 23, 26] or seen.numbers[1:10] == sorted(
        seen.numbers[1:10]
    )
    assert seen.numbers[-9:] == [30, 30, 31, 31, 32, 32, 33, 33, 34]


def test_a_file_that_starts_again_goes_on_after_the_last_frame(tmp_path: Path) -> None:
    with recording(tmp_path / "out.mp4", live=False) as recorder:
        for i in range(60):
            recorder.write(result(i, i, media_ns=(i % 30) * NS // 15))
    seen = play(tmp_path / "out.mp4")
    assert seen.numbers == list(range(60))
    assert np.allclose(np.diff(seen.times_s), 1 / 15, atol=1e-3)


def test_equal_times_lose_nothing(tmp_path: Path) -> None:
    with recording(tmp_path / "out.mp4", live=False) as recorder:
        for i in range(5):
            recorder.write(result(i, 100, media_ns=NS))
    assert play(tmp_path / "out.mp4").numbers == [0, 1, 2, 3, 4]


def test_odd_sides_are_cut_to_even_ones_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edgecam")
    with recording(tmp_path / "out.mp4") as recorder:
        for i in range(3):
            recorder.write(result(i, i * NS // 15, image=numbered(i, 321, 181)))
    assert play(tmp_path / "out.mp4").size_wh == (320, 180)
    assert "320x180, cut from 321x181" in caplog.text


def test_size_change_begins_a_new_clip(tmp_path: Path) -> None:
    with recording(tmp_path / "out.mp4") as recorder:
        for i in range(20):
            image = numbered(i) if i < 10 else numbered(i, 400, 240)
            recorder.write(result(i, i * NS // 15, image=image))
    first, second = map(play, recorder.clips)
    assert (first.numbers, first.size_wh) == (list(range(10)), (320, 180))
    assert (second.numbers, second.size_wh) == (list(range(10, 20)), (400, 240))
    assert recorder.clips[1].name == "out-2.mp4"


def test_colours_stay(tmp_path: Path) -> None:
    image = np.zeros((180, 320, 3), np.uint8)
    image[:, :160] = (200, 40, 30)
    image[:, 160:] = (20, 90, 230)
    with recording(tmp_path / "out.mp4") as recorder:
        for i in range(10):
            recorder.write(result(i, i * NS // 15, image=image))
    with av.open(str(tmp_path / "out.mp4")) as clip:
        shown = next(clip.decode(video=0)).to_ndarray(format="bgr24")
    assert np.abs(shown[90, 80].astype(int) - (200, 40, 30)).max() < 6
    assert np.abs(shown[90, 240].astype(int) - (20, 90, 230)).max() < 6


def test_segments_join_without_gap_or_double_frame(tmp_path: Path) -> None:
    times = [3 * NS + t for t in steps(30000 / 1001, 200)]
    with recording(tmp_path / "clips", segment_s=2.0) as recorder:
        for i, at in enumerate(times):
            recorder.write(result(i, at))
    parts = [play(path) for path in recorder.clips]
    assert len(parts) == 4 and [p.numbers[0] for p in parts] == [0, 60, 120, 180]
    assert [n for part in parts for n in part.numbers] == list(range(200))
    assert all(part.keys[0] == part.numbers[0] and part.times_s[0] == 0.0 for part in parts)
    for earlier, later in pairwise(parts):
        assert earlier.duration_s == pytest.approx(
            (times[later.numbers[0]] - times[earlier.numbers[0]]) / NS, abs=1e-3
        )


def test_not_every_clip_of_a_year_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecam.record.writer.CLIPS_REMEMBERED", 2)
    with recording(tmp_path / "out.mp4", segment_s=1.0) as recorder:
        for i in range(60):
            recorder.write(result(i, i * NS // 15, image=numbered(i)))
    made = clips_in(tmp_path)
    assert len(made) == 4 == recorder.status().clips
    assert len(recorder.clips) == 2 and set(recorder.clips) < set(made)


def test_folder_names_by_time_and_keeps_a_black_box(tmp_path: Path) -> None:
    stats = Stats(power=PowerReading(4.2, "measured", "INA219", 0), model="ours")
    folder = tmp_path / "clips"
    with recording(
        folder, lambda r: r.frame.image, lambda: stats, view="both", camera="front door"
    ) as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // 15, labels=["person"] if i > 5 else []))
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    stem = names[0].partition(".")[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\dZ_front-door", stem)
    assert names == [f"{stem}.clean.mp4", f"{stem}.jpg", f"{stem}.jsonl", f"{stem}.mp4"]
    assert (
        play(folder / f"{stem}.mp4").numbers == play(folder / f"{stem}.clean.mp4").numbers == list(range(20))
    )
    lines = [json.loads(line) for line in (folder / f"{stem}.jsonl").read_text().splitlines()]
    assert lines[0]["clip"]["camera"] == "front door" and lines[-1]["end"]["frames"] == 20
    assert [line["index"] for line in lines[1:-1]] == list(range(20))
    assert lines[10]["power_w"] == 4.2 and lines[10]["board"]["model"] == "ours"
    assert lines[10]["detections"][0]["label"] == "person" and lines[10]["clip_s"] == pytest.approx(
        9 / 15, abs=1e-3
    )
    sheet = cv2.imread(str(folder / f"{stem}.jpg"))
    assert sheet is not None and sheet.shape[1] == 4 + 2 * 244


def test_frames_the_queue_lost_are_told(tmp_path: Path) -> None:
    """Its own count is asked: frames that the source or the detector left out are not the queue's."""
    dropped = 0
    with recording(tmp_path / "clips") as recorder:
        recorder.queue_drops = lambda: dropped
        for i in (0, 1, 2, 6, 17):
            dropped += 3 * (i == 6)
            recorder.write(result(i, i * NS // 15))
    assert recorder.status().lost == 3
    assert recorder.status().why_lost == "they came faster than they could be encoded"
    lines = (clips_in(tmp_path / "clips")[0].with_suffix(".jsonl")).read_text().splitlines()
    assert json.loads(lines[4])["recorder"]["missed"] == 3 and json.loads(lines[-1])["end"]["missed"] == 3


def test_the_named_file_is_replaced_only_when_the_new_one_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with recording(target) as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // 15))
        assert target.read_bytes() == b"old"
    assert play(target).numbers == list(range(20))


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with recording(target) as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // 15))
        target.write_bytes(b"somebody else's")
    assert target.read_bytes() == b"somebody else's"
    assert play(tmp_path / "out-2.mp4").numbers == list(range(20))


def test_nothing_recorded_leaves_nothing(tmp_path: Path) -> None:
    with recording(tmp_path / "out.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_and_never_opening_are_fine(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.mp4", options=RecordOptions(view="clean"))
    recorder.close()
    recorder.open()
    recorder.close()
    recorder.close()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (
            "missing/out.mp4",
            "clip '.*missing/out.mp4' cannot be written: its folder does not exist; make the folder",
        ),
        ("file.txt/clips", "folder '.*file.txt/clips' cannot be written: Not a directory"),
        ("out.avi", r"cannot end in '.avi'; use one of .mp4"),
    ],
)
def test_bad_targets_are_one_sentence(tmp_path: Path, target: str, says: str) -> None:
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(RecordError, match=says):
        Recorder(tmp_path / target, options=RecordOptions(view="clean")).open()


def test_a_folder_one_may_not_write_to(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"cannot be written: .*; "):
        Recorder(Path("/proc/edgecam"), options=RecordOptions(view="clean")).open()


def test_other_sources_are_left_out(tmp_path: Path) -> None:
    with recording(tmp_path / "out.mp4", source="one:") as recorder:
        for i in range(10):
            recorder.write(result(i, i * NS // 15, source="one:" if i % 2 else "two:"))
    assert play(tmp_path / "out.mp4").numbers == [1, 3, 5, 7, 9]


def test_the_painter_draws_into_the_annotated_view_only(tmp_path: Path) -> None:
    def paint(r: Result) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
        return numbered(1000 + r.frame.index)

    with recording(tmp_path / "clips", paint, view="both") as recorder:
        for i in range(5):
            recorder.write(result(i, i * NS // 15))
    seen = {"clean" in path.name: play(path).numbers for path in recorder.clips}
    assert seen == {False: [1000, 1001, 1002, 1003, 1004], True: [0, 1, 2, 3, 4]}
