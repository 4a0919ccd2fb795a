"""Files that are larger than they look, that block, or that are not what their names say."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from capture_material import write_video
from hostile import h264_units, png_bomb, resized_jpeg

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.decode.headers import picture_size
from edgecam.core.errors import CaptureError, EndOfStream, SourceOpenError

FIVE = [0, 33, 66, 100, 133]
OPEN_ONE = """
import resource, sys
from edgecam.capture import open_source
from edgecam.core.errors import EdgecamError
import cv2, av
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with open_source(sys.argv[1]) as source:
        source.read(1.0)
except EdgecamError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def costs(path: Path) -> tuple[str, int]:
    """(what is said, MB that opening took) in a program of its own."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN_ONE, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    *words, memory = done.stdout.splitlines()
    return " ".join(words), int(memory)


def small_jpeg() -> bytes:
    return cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()


def test_huge_pictures_are_refused_from_their_headers(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bomb(12_000, 12_000))
    (tmp_path / "b.png").write_bytes(resized_jpeg(small_jpeg(), 65_000, 65_000))
    (tmp_path / "c.jpg").write_bytes(resized_jpeg(small_jpeg(), 65_000, 65_000))
    whole = cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    chunk = whole.index(b"IDAT")
    (tmp_path / "e.png").write_bytes(whole[: chunk - 4] + b"\xff\x00\x20\x00" + whole[chunk:])
    (tmp_path / "d.tif").write_bytes(b"II*\0\x08\0\0\0\x02\0" + b"\0\1\4\0\1\0\0\0\0\xff\0\0" * 1)
    for path in sorted(tmp_path.iterdir()):
        words, memory = costs(path)
        assert "it cannot be read" in words, path
        assert memory < 100, (path, memory)


def test_a_huge_video_is_refused_from_its_header(tmp_path: Path) -> None:
    start = b"\0\0\0\1"
    units = h264_units(16_000, 16_000)
    (tmp_path / "a.h264").write_bytes(b"".join(start + unit for unit in units) * 3)
    words, memory = costs(tmp_path / "a.h264")
    assert "pictures of 16000x16000 are over the limit of 64 megapixels (--max-pixels)" in words
    assert memory < 200


def test_the_limit_is_an_option(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 200, 3), np.uint8))
    video = write_video(tmp_path / "b.mp4", FIVE)
    for path in (tmp_path / "a.png", video):
        open_source(str(path), SourceOptions(max_pixels=320 * 180)).close()
        with pytest.raises(SourceOpenError):
            open_source(str(path), SourceOptions(max_pixels=19_999))


def test_a_jpeg_of_a_thousand_scans(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (600, 800, 3), np.uint8)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    scan = data.rindex(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(data[:-2] + data[scan:-2] * 300 + data[-2:])
    began = time.process_time()
    with pytest.raises(SourceOpenError):
        open_source(str(tmp_path / "a.jpg"))
    assert time.process_time() - began < 1.0


def test_a_fifo_in_a_folder_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "c.png")
    cv2.imwrite(str(tmp_path / "b.jpg"), np.zeros((64, 96, 3), np.uint8))
    (tmp_path / "d.jpg").symlink_to("/dev/zero")
    seen = []

    def read() -> None:
        with open_source(str(tmp_path)) as source:
            try:
                while True:
                    seen.append(source.read(1.0))
            except EndOfStream:
                pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    assert not reader.is_alive() and len(seen) == 1


@pytest.mark.parametrize("name", ["list.mp4", "list.mkv"])
def test_a_playlist_opens_no_other_file(tmp_path: Path, name: str) -> None:
    write_video(tmp_path / "secret.mp4", FIVE)
    for text in ("ffconcat version 1.0\nfile secret.mp4\n", "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n"):
        (tmp_path / name).write_text(text)
        with pytest.raises(SourceOpenError):
            open_source(str(tmp_path / name))


def test_names_that_are_no_utf8_and_nul(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", FIVE)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")
    video.rename(odd)
    with open_source(odd) as source:
        frame = source.read(5.0)
        assert frame is not None and "caf\\xe9" in frame.source
        frame.source.encode()
    for text in ("a\0b.mp4", "\0"):
        with pytest.raises(SourceOpenError, match="NUL"):
            open_source(text)


def test_mutated_videos_and_pictures_raise_only_ours(tmp_path: Path) -> None:
    """The short form of benchmarks/attack.py."""
    rng = random.Random(16)
    seeds = [write_video(tmp_path / f"a{suffix}", FIVE).read_bytes() for suffix in (".mp4", ".mkv", ".avi")]
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    suffixes = (".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm")
    shots = [cv2.imencode(suffix, image)[1].tobytes() for suffix in suffixes]
    for case in range(150):
        whole = (seeds + shots)[case % 9]
        data = bytearray(whole[: rng.randrange(len(whole))] if case % 5 == 0 else whole)
        for _ in range(rng.choice((1, 4, 30))):
            data[rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(len(data), 300))] = (
                rng.randrange(256)
            )
        path = tmp_path / f"case{'.mp4' if case % 9 < 3 else '.jpg'}"
        path.write_bytes(data)
        picture_size(bytes(data))
        try:
            with open_source(str(path)) as source:
                while True:
                    source.read(5.0)
        except (EndOfStream, SourceOpenError, CaptureError):
            pass
    assert av.__version__
