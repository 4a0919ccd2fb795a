"""Folders, globs and single pictures."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from capture_material import pictures, same, write_pictures

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.generated.frame_code import read_code
from edgecam.core.errors import EndOfStream, SourceOpenError
from edgecam.core.ports import Source
from edgecam.core.types import Frame


def drain(source: Source, limit: int = 100) -> list[Frame]:
    frames: list[Frame] = []
    while len(frames) < limit:
        try:
            frame = source.read(1.0)
        except EndOfStream:
            break
        if frame is not None:
            frames.append(frame)
    return frames


def test_natural_order_with_their_files(tmp_path: Path) -> None:
    with open_source(str(write_pictures(tmp_path, 5))) as source:
        frames = drain(source)
        assert source.rate_hz is None
        assert source.description == f"{tmp_path}: 5 pictures, the first 320x180"
    assert [read_code(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.file for frame in frames] == [str(tmp_path / f"shot{n}.png") for n in (0, 5, 10, 15, 20)]
    assert [frame.media_ns for frame in frames] == [n * 1_000_000_000 for n in range(5)]


def test_a_glob_into_folders(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", 2)
    write_pictures(tmp_path / "b", 2)
    with open_source(f"{tmp_path}/**/shot5.*") as source:
        assert [frame.file for frame in drain(source)] == [str(tmp_path / d / "shot5.png") for d in "ab"]


def test_sizes_and_kinds_may_vary(tmp_path: Path) -> None:
    image = pictures(1)[0]
    cv2.imwrite(str(tmp_path / "1.png"), image)
    cv2.imwrite(str(tmp_path / "2.jpg"), image[:100, :200])
    cv2.imwrite(str(tmp_path / "3.bmp"), image[:50, :, 0])
    cv2.imwrite(str(tmp_path / "4.png"), cv2.cvtColor(image, cv2.COLOR_BGR2BGRA))
    (tmp_path / "notes.txt").write_text("no picture")
    with open_source(str(tmp_path)) as source:
        frames = drain(source)
    assert [frame.image.shape for frame in frames] == [
        (180, 320, 3),
        (100, 200, 3),
        (50, 320, 3),
        (180, 320, 3),
    ]
    assert same(frames[3].image, image)


def test_unreadable_ones_are_skipped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_pictures(tmp_path, 3)
    (tmp_path / "shot0.png").write_bytes(b"no picture")
    (tmp_path / "shot7.png").touch()
    with caplog.at_level(logging.WARNING), open_source(str(tmp_path)) as source:
        frames = drain(source)
    assert [frame.index for frame in frames] == [0, 1]
    assert [frame.file for frame in frames] == [str(tmp_path / f"shot{n}.png") for n in (5, 10)]
    assert sorted(r.getMessage().split()[0] for r in caplog.records) == [
        str(tmp_path / f"shot{n}.png") for n in (0, 7)
    ]


def test_none_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceOpenError, match="it cannot be read"):
        open_source(str(tmp_path))
    with pytest.raises(SourceOpenError, match="it cannot be read"):
        open_source(str(tmp_path / "a.jpg"))


def test_empty_folder_and_glob(tmp_path: Path) -> None:
    with pytest.raises(SourceOpenError, match="holds no pictures"):
        open_source(str(tmp_path))
    with pytest.raises(SourceOpenError, match="No picture matches"):
        open_source(f"{tmp_path}/*.jpg")


def test_exif_orientation(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    picture = image_module.fromarray(np.full((40, 80, 3), 200, np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # EXIF 2.3, Orientation: the camera was turned by 90 degrees
    picture.save(tmp_path / "turned.jpg", exif=exif)
    with open_source(str(tmp_path / "turned.jpg")) as source:
        assert source.size_wh == (40, 80)


def test_loop_ends_when_the_pictures_vanish(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "shots", 2)
    with open_source(str(folder), SourceOptions(loop=True, rate_hz=1000)) as source:
        assert [read_code(frame.image) for frame in drain(source, 5)] == [0, 1, 0, 1, 0]
        shutil.rmtree(folder)
        with pytest.raises(EndOfStream):
            for _ in range(5):
                source.read(1.0)


def test_shown_at_the_rate_asked_for(tmp_path: Path) -> None:
    with open_source(str(write_pictures(tmp_path, 3)), SourceOptions(paced=True, rate_hz=20)) as source:
        frames = drain(source)
    assert (frames[2].captured_ns - frames[0].captured_ns) / 1e6 >= 99
    assert [frame.media_ns for frame in frames] == [0, 50_000_000, 100_000_000]


def test_folders_that_lead_back_to_themselves_have_an_end(tmp_path: Path) -> None:
    """Two such links make 2 to the power of 40 ways for ``**``."""
    inner = tmp_path / "inner"
    inner.mkdir()
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(".")
        (inner / name).symlink_to("..")
    (tmp_path / ".hidden").mkdir()
    for place in (tmp_path, inner, tmp_path / ".hidden"):
        cv2.imwrite(str(place / "p.png"), np.zeros((8, 8, 3), np.uint8))
    with open_source(f"{tmp_path}/**/*.png") as source:
        assert [frame.file for frame in source] == [str(inner / "p.png"), str(tmp_path / "p.png")]
