"""Video files: their own timing, damage, rotation, pace."""

from __future__ import annotations

import logging
import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from capture_material import SIZE_WH, open_files, write_video

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.generated.frame_code import read_code
from edgecam.core.errors import EndOfStream, SourceOpenError
from edgecam.core.ports import Source
from edgecam.core.types import Frame

EVEN = [40 * i for i in range(30)]


def drain(source: Source, limit: int = 10_000) -> list[Frame]:
    frames: list[Frame] = []
    while len(frames) < limit:
        try:
            frame = source.read(1.0)
        except EndOfStream:
            return frames
        if frame is not None:
            frames.append(frame)
    return frames


@pytest.mark.parametrize(
    ("name", "codec"), [("v.mp4", "libx264"), ("v.mkv", "libx264"), ("v.avi", "mpeg4"), ("v.mov", "libx264")]
)
def test_every_frame_once_and_in_order(tmp_path: Path, name: str, codec: str) -> None:
    with open_source(str(write_video(tmp_path / name, EVEN, codec))) as source:
        frames = drain(source)
    assert [read_code(frame.image) for frame in frames] == list(range(len(EVEN)))
    assert [frame.index for frame in frames] == list(range(len(EVEN)))


@pytest.mark.parametrize(
    "pts",
    [
        pytest.param(EVEN, id="even"),
        pytest.param([0, 40, 45, 300, 301, 2000, 2040], id="uneven"),
        pytest.param([500, 540, 580], id="starts late"),
    ],
)
def test_media_time_is_the_files_own(tmp_path: Path, pts: Sequence[int]) -> None:
    with open_source(str(write_video(tmp_path / "v.mkv", pts))) as source:
        times_ms = [(frame.media_ns or 0) / 1e6 for frame in drain(source)]
    # where zero is, the container decides; from there on each frame keeps its own distance
    assert 0 <= times_ms[0] <= pts[0]
    assert np.diff(times_ms) == pytest.approx(np.diff(pts), abs=0.01)


def test_a_file_is_read_as_fast_as_asked_and_says_what_it_is(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", EVEN)
    with open_source(str(path)) as source:
        assert not source.is_live
        assert source.size_wh == SIZE_WH
        assert source.rate_hz == pytest.approx(25.0, rel=0.05)
        assert source.description.startswith(f"{path}: 320x180 at ")
        assert source.description.endswith("h264")


def test_pace(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", [0, 100, 200, 300])
    with open_source(str(path), SourceOptions(paced=True)) as source:
        frames = drain(source)
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    # never early by more than the clock's grain, whatever the machine's load
    assert (
        np.array([f.captured_ns - frames[0].captured_ns for f in frames]) / 1e6 >= [0, 99, 199, 299]
    ).all()


def test_a_frame_that_is_not_due_yet_is_none_and_comes_later(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", [0, 400])
    with open_source(str(path), SourceOptions(paced=True)) as source:
        first, nothing, second = source.read(1.0), source.read(0.01), source.read(5.0)
    assert first is not None
    assert nothing is None
    assert second is not None
    assert (first.index, second.index) == (0, 1)


def test_loop_over_a_file_that_vanished_says_so_and_closes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", EVEN[:5])
    with open_source(str(path), SourceOptions(loop=True)) as source:
        path.unlink()
        with pytest.raises(SourceOpenError, match=r"v\.mp4"):
            drain(source, 20)


def test_loop_goes_on_in_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [0, 40, 80])
    with open_source(str(path), SourceOptions(loop=True)) as source:
        frames = drain(source, 8)
    assert [read_code(frame.image) for frame in frames] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [frame.index for frame in frames] == list(range(8))
    assert (np.diff([frame.media_ns or 0 for frame in frames]) > 0).all()


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_truncated_video_gives_what_decodes_and_one_warning(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write_video(tmp_path / f"whole-{name}", EVEN, faststart=True)
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with caplog.at_level(logging.WARNING), open_source(str(path)) as source:
        frames = drain(source)
        drain(source)
    codes = [read_code(frame.image) for frame in frames]
    assert 8 <= len(codes) < len(EVEN)
    assert codes[:-1] == list(range(len(codes) - 1))
    warnings = [
        record.getMessage() for record in caplog.records if "damaged or cut off" in record.getMessage()
    ]
    assert len(warnings) == 1
    assert f"{len(frames)} frames used" in warnings[0]


def test_a_whole_video_gives_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), open_source(str(write_video(tmp_path / "v.mp4", EVEN))) as source:
        drain(source)
    assert not caplog.records


def test_garbage_in_the_middle_does_not_end_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", [40 * i for i in range(60)])
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    for place in rng.integers(len(data) // 3, len(data) // 2, 200):
        data[place] ^= 0xFF
    path.write_bytes(data)
    with open_source(str(path)) as source:
        codes = [read_code(frame.image) for frame in drain(source)]
    assert 59 in codes
    assert codes[:10] == list(range(10))


def write_no_video(kind: str, path: Path) -> None:
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not a video\n" * 50)
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(50_000))
    elif kind == "sound":
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(16000))
    else:
        whole = write_video(path.with_suffix(".whole.mp4"), EVEN)
        path.write_bytes(whole.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("empty", "v.mp4"),
        ("text", "v.mp4"),
        ("text", "notes.txt"),
        ("noise", "v.mkv"),
        ("sound", "v.wav"),
        ("head only", "v.mp4"),
    ],
)
def test_what_is_not_video_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    write_no_video(kind, path)
    before = open_files()
    with pytest.raises(SourceOpenError, match="not a video") as caught:
        open_source(str(path))
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 3
    assert open_files() == before


def test_rotation_is_honoured(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "plain.mp4", EVEN)
    turned = tmp_path / "turned.mp4"
    ffmpeg = ["ffmpeg", "-v", "error", "-i"]
    reference = tmp_path / "reference.png"
    try:
        subprocess.run([*ffmpeg, plain, "-c", "copy", "-metadata:s:v", "rotate=90", turned], check=True)
        subprocess.run([*ffmpeg, turned, "-frames:v", "1", reference], check=True)
    except FileNotFoundError:
        pytest.skip("needs ffmpeg to write a rotated file")
    want = cv2.imread(str(reference))
    assert want is not None
    if want.shape[:2] == (180, 320):
        pytest.skip("this ffmpeg does not write the rotation by -metadata")
    with open_source(str(turned)) as source:
        frame = source.read(1.0)
        assert source.size_wh == (180, 320)
    assert frame is not None
    assert frame.image.shape == want.shape
    assert np.abs(frame.image.astype(int) - want).mean() < 3


def test_full_range_colours_are_right(tmp_path: Path) -> None:
    """JPEG-range YUV, as phones and webcams record it, must not come out pale."""
    path = tmp_path / "v.mp4"
    image = np.zeros((180, 320, 3), np.uint8)
    image[:, 160:] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    with open_source(str(path)) as source:
        frame = source.read(1.0)
    assert frame is not None
    assert frame.image[90, 40].max() <= 4
    assert frame.image[90, 280].min() >= 251


@pytest.mark.shared
def test_the_shared_video_is_whole(shared: Path) -> None:
    with open_source(str(shared / "data/videos/car-detection.mp4")) as source:
        frames = drain(source)
        assert source.size_wh == (768, 432)
    assert len(frames) == 377
    assert [frame.media_ns for frame in frames[:3]] == [0, 80_000_000, 160_000_000]
