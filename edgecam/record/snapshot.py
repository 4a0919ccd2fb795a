"""Snapshots: a JPEG of a moment, with the moment's record inside it."""

from __future__ import annotations

import json
import logging
import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2

from edgecam.core import clock
from edgecam.core.errors import RecordError
from edgecam.core.jsonformat import board_to_dict, result_to_dict
from edgecam.core.types import Image, Result, Stats
from edgecam.host.beneath import write_new
from edgecam.media.motion import MotionDetector
from edgecam.record.clip_files import camera_part, names, part_path, place
from edgecam.record.library.sidecar import parse_object
from edgecam.record.trigger import HandTrigger, parse_triggers

log = logging.getLogger(__name__)

#: JPEG's marker of a comment (ITU-T T.81, B.2.4.5), which programs that show pictures print or pass over.
_COM = b"\xff\xfe"
_MOST = 65_533
QUALITY = 92
#: So many paths of snapshots a sink remembers.
SAVED_REMEMBERED = 100


def encode_snapshot(image: Image, record: Mapping[str, Any]) -> bytes:
    """A JPEG of ``image`` (H, W, 3) uint8 BGR with ``record`` as its comment, in JSON.

    A record too long for a comment (65,533 bytes) is stored without its detections beyond the first ones.
    """
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not ok:
        raise RecordError(f"a picture of {image.shape[1]}x{image.shape[0]} could not be made a JPEG")
    jpeg = data.tobytes()
    text = json.dumps(record).encode("ascii")
    found = list(record.get("detections", ()))
    while len(text) > _MOST and found:
        found = found[: len(found) // 2]
        text = json.dumps({**record, "detections": found, "cut": True}).encode("ascii")
    return jpeg[:2] + _COM + struct.pack(">H", len(text) + 2) + text + jpeg[2:]


def read_record(path: Path) -> dict[str, Any] | None:
    """The record inside a snapshot, or None if it has none. Raises OSError."""
    data = path.read_bytes()
    at = 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        if data[at : at + 2] == _COM:
            return parse_object(data[at + 4 : at + 2 + length])
        at += 2 + length
    return None


def save_snapshot(
    folder: Path, image: Image, result: Result, stats: Stats | None = None, camera: str = ""
) -> Path:
    """Write a snapshot named by its time, and its camera, into ``folder``; never over another.

    Raises RecordError.
    """
    record = result_to_dict(result, stats)
    if stats is not None:
        record["board"] = board_to_dict(stats)
    stem = clock.wall_time(result.frame.captured_ns).strftime("%Y-%m-%d_%H-%M-%SZ")
    stem += camera_part(camera) + "_snapshot"
    data = encode_snapshot(image, record)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names(stem):
            final = folder / f"{name}.jpg"
            part = part_path(final)
            if final.exists():
                continue
            write_new(part, data)
            if place(part, final):
                return final
            part.unlink()
    except OSError as error:
        raise RecordError(
            f"the snapshot cannot be written to '{folder}': {error.strerror or error};"
            " choose a folder that you may write to (--snapshots)"
        ) from error
    raise RecordError(f"'{folder}' holds too many snapshots of one second")


class SnapshotSink:
    """``--snapshot-on``: a snapshot when something begins, not of every frame in which it goes on.

    words: as for ``--record-on``. painter: draws the overlay; None: the clean picture.
    camera: for the file names.
    pause_s: after a snapshot, the same thing has to be gone for this long before it counts as new.
    A disk that refuses is said once. One thread; ``request`` from any.
    """

    def __init__(
        self,
        folder: Path,
        words: Sequence[str],
        *,
        painter: Callable[[Result], Image] | None = None,
        stats_provider: Callable[[], Stats] | None = None,
        pause_s: float = 5.0,
        camera: str = "",
    ) -> None:
        self.saved: deque[Path] = deque(maxlen=SAVED_REMEMBERED)
        self._folder = folder
        self._camera = camera
        self._spec = parse_triggers(words)
        self._motion = MotionDetector() if self._spec.motion else None
        self._painter = painter
        self._stats = stats_provider
        self._pause_ns = round(pause_s * 1e9)
        self._hand = HandTrigger()
        self._last_ns: dict[str, int] = {}
        self._fault = False

    def open(self) -> None:
        """Nothing to open; the folder is made with the first snapshot."""

    def request(self, cause: str = "key") -> None:
        """Ask for a snapshot of the next result. Any thread."""
        self._hand.request(cause)

    def write(self, result: Result) -> None:
        """Look at a result, and save it if something begins in it."""
        at_ns = result.frame.timeline_ns  # a file is not read as fast as it was seen
        asked, _ = self._hand.take()
        seen = self._spec.matches(result.detections)
        if self._motion is not None and self._motion.moved(result.frame.image):
            seen += ("motion",)
        if result.told is not None:
            seen += result.told.snapshot
        if any(last > at_ns for last in self._last_ns.values()):
            self._last_ns.clear()  # a file that begins again
        fresh = [c for c in seen if at_ns - self._last_ns.get(c, at_ns - self._pause_ns) >= self._pause_ns]
        self._last_ns.update(dict.fromkeys(seen, at_ns))
        if not fresh and not asked:
            return
        image = result.frame.image if self._painter is None else self._painter(result)
        stats = None if self._stats is None else self._stats()
        try:
            self.saved.append(save_snapshot(self._folder, image, result, stats, self._camera))
            self._fault = False
        except RecordError as error:
            if not self._fault:
                log.error("%s", error)
            self._fault = True

    def close(self) -> None:
        """Nothing is held back."""
