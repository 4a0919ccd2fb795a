"""Pictures that carry their number, results made of them, and a reader that gets the numbers back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from edgecam.core.types import Detections, Frame, Image, Result, Stats
from edgecam.record.recorder import Recorder, RecordOptions

BITS = 16
CELL = 16
NS = 1_000_000_000
#: The disk that runs the tests may be nearly full; that is a test of its own.
ANY_DISK = {"keep_free_percent": 0.0}


def numbered(number: int, width: int = 320, height: int = 180) -> Image:
    """A picture with ``number`` in it as black and white squares, which survive any encoder."""
    image = np.full((height, width, 3), (90, 120, 60), np.uint8)
    x = number * 7 % (width - 40)
    image[height - 60 : height - 20, x : x + 40] = (40, 60, 220)
    for bit in range(BITS):
        value = 235 if number >> bit & 1 else 20
        image[8 : 8 + CELL, 8 + bit * CELL : 8 + (bit + 1) * CELL] = value
    return image


def number_in(image: Image) -> int:
    """The number drawn by :func:`numbered`."""
    number = 0
    for bit in range(BITS):
        x = 8 + bit * CELL
        if image[12 : 4 + CELL, x + 4 : x + CELL - 4].mean() > 128:
            number |= 1 << bit
    return number


def result(
    number: int,
    at_ns: int,
    *,
    labels: Iterable[str] = (),
    score: float = 0.9,
    image: Image | None = None,
    media_ns: int | None = None,
    source: str = "test:",
    age_ns: int | None = None,
) -> Result:
    """A result whose frame shows ``number``."""
    known = ("person", "car")
    ids = [known.index(label) for label in labels]
    detections = Detections(
        np.tile(np.array([[30, 60, 90, 150]], np.float32), (len(ids), 1)),
        np.full(len(ids), score, np.float32),
        np.array(ids, np.int32),
        known,
    )
    image = numbered(number) if image is None else image
    frame = Frame(image, number, at_ns, source, media_ns=media_ns)
    return Result(frame, detections, completed_ns=0 if age_ns is None else at_ns + age_ns)


@contextmanager
def recording(target: Path, painter: Any = None, stats: Any = None, **options: Any) -> Iterator[Recorder]:
    """An open recorder that is closed whatever happens."""
    view = options.pop("view", "annotated" if painter else "clean")
    recorder = Recorder(
        target,
        painter=painter,
        options=RecordOptions(
            view=view, **{"nominal_hz": 15.0, "preset": "ultrafast", **ANY_DISK, **options}
        ),
        stats_provider=stats,
    )
    recorder.open()
    try:
        yield recorder
    finally:
        recorder.close()


@dataclass
class Seen:
    """What a clip showed when it was played."""

    numbers: list[int]
    times_s: list[float]
    keys: list[int]
    size_wh: tuple[int, int]
    duration_s: float | None


def play(path: Path) -> Seen:
    """Decode a clip to its end, strictly."""
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        numbers, times, keys = [], [], []
        for frame in clip.decode(stream):
            numbers.append(number_in(frame.to_ndarray(format="bgr24")))
            times.append(float(frame.time))
            if frame.key_frame:
                keys.append(numbers[-1])
        size_wh = (stream.codec_context.width, stream.codec_context.height)
        return Seen(numbers, times, keys, size_wh, clip.duration / 1e6 if clip.duration else None)


def clips_in(folder: Path) -> list[Path]:
    """Finished clips of a folder, by name."""
    return sorted(p for p in folder.iterdir() if p.suffix in (".mp4", ".mkv") and not p.name.startswith("."))


def board() -> Stats:
    """Statistics without anything in them."""
    return Stats()
