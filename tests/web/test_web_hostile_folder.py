"""The page looks into a folder that somebody else filled: pictures, indexes, sidecars. Without a server."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecam.record.library.catalogue import COLUMNS, SCHEMA
from edgecam.record.library.events import EventFilter
from edgecam.web.boxes import read_boxes
from edgecam.web.event_shelf import EventShelf
from edgecam.web.files import first_picture, smaller
from edgecam.web.limits import BOX_BYTES
from edgecam.web.shelf import Filter, Shelf

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS {} FROM n"


def huge_jpeg() -> bytes:
    """A few hundred bytes whose header promises 12 GB of pixels."""
    data = bytearray(cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = (65500).to_bytes(2, "big") * 2
    return bytes(data)


def test_pictures_are_refused_from_their_headers() -> None:
    good = cv2.imencode(".jpg", np.full((90, 160, 3), 80, np.uint8))[1].tobytes()
    assert smaller(good, 45) and first_picture(good, (640, 360))
    for bad in (huge_jpeg(), b"", b"\xff\xd8", good[:200], b"P6 99999 99999 255\n"):
        assert smaller(bad, 90) is None and first_picture(bad, (640, 360)) is None
    assert first_picture(cv2.imencode(".png", np.zeros((2, 2, 3), np.uint8))[1].tobytes(), (1, 1)) is None


def index(folder: Path, *rows: Mapping[str, object]) -> Shelf:
    path = folder / ".edgecam.sqlite"
    path.unlink(missing_ok=True)
    usual: dict[str, object] = {
        **dict.fromkeys(("frames", "missed", "protected", "recovered"), 0),
        **dict.fromkeys(("camera", "ended", "boot"), "x"),
        **dict.fromkeys(("causes", "labels", "events"), "[]"),
        "started": 1.7e9,
        "duration_s": 1.0,
        "bytes": 5,
        "width": 640,
        "height": 360,
        "boot_s": None,
    }
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    for row in rows:
        name = row["name"]
        values = {**usual, "files": json.dumps({"annotated": name if isinstance(name, str) else "x"}), **row}
        marks = ", ".join("?" for _ in COLUMNS)
        db.execute(f"INSERT INTO clips ({', '.join(COLUMNS)}) VALUES ({marks})", [values[c] for c in COLUMNS])
    db.commit()
    db.close()
    return Shelf(folder)


def test_one_bad_row_costs_itself(tmp_path: Path) -> None:
    shelf = index(
        tmp_path,
        {"name": "good.mp4", "labels": '["person"]'},
        {"name": "../out.mp4", "files": "{}"},
        {"name": b"\xff\xfe", "files": "{}"},
        {"name": "a.mp4", "camera": b"\xff"},
        {"name": "b.mp4", "labels": "no JSON", "started": "never"},
        {"name": "c.mp4", "events": "[" * 50_000},
    )
    assert "good.mp4" in [clip.name for clip in shelf.page(Filter(), 50)]
    assert all("/" not in clip.name for clip in shelf.page(Filter(), 50))
    assert [clip.name for clip in shelf.page(Filter(label="person"), 50)] == ["good.mp4"]
    assert sum(count for _, count in shelf.hours(Filter())) >= 1


def test_details_have_a_bound_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecam.record.library.catalogue.DETAILS_BYTES", 100_000)
    events = json.dumps([[0.1, "x"]] * 5000)
    shelf = index(tmp_path, *({"name": f"{n}.mp4", "events": events} for n in range(9)))
    found = shelf.page(Filter(), 50)
    assert len(found) == 9 and sum(len(clip.events) for clip in found) == 5000


def test_an_index_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    """A view under the table's name, which would never end; a link to somebody else's index."""
    path = tmp_path / ".edgecam.sqlite"
    with sqlite3.connect(path) as db:
        columns = ", x AS ".join(("id", *COLUMNS))
        db.execute(f"CREATE VIEW clips AS {ENDLESS.format(columns)}")
    db.close()
    shelf = Shelf(tmp_path)
    assert shelf.page(Filter(), 5) == [] and shelf.hours(Filter()) == [] and shelf.find("x") is None
    (tmp_path / "real").mkdir()
    index(tmp_path / "real", {"name": "good.mp4"})
    path.unlink()
    path.symlink_to(tmp_path / "real" / ".edgecam.sqlite")
    assert shelf.page(Filter(), 5) == []
    (tmp_path / "events").mkdir()
    with sqlite3.connect(tmp_path / "events" / ".edgecam-events.sqlite") as db:
        db.execute(f"CREATE VIEW events AS {ENDLESS.format('start')}")
    db.close()
    assert EventShelf(tmp_path).hours(EventFilter()) == []


def test_boxes_of_somebody_elses_sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = {"label": "person", "score": 0.5, "xyxy": [1, 2, 3, 4], "track_id": 7, "more": {"x": [1]}}
    good = {"clip_s": 0.5, "width": 640, "height": 360, "detections": [box]}
    bad: tuple[object, ...] = (
        {**good, "clip_s": 10**400}, {**good, "width": 10**30}, {**good, "detections": [{"a": 10**40}]},
        {**good, "detections": 7}, {**good, "detections": [box] * 3000}, [], "x",
    )  # fmt: skip
    lines = [json.dumps(each) for each in bad]
    lines += [
        '{"clip_s": NaN, "detections": []}',
        '{"clip_s": 0.1, "detections": ' + "[" * 9000,
        json.dumps(good),
    ]
    sidecar = tmp_path / "c.jsonl"
    sidecar.write_text("\n".join(lines) + "\n")
    found = read_boxes(sidecar, 0.0, 600.0, (1, 1))
    assert [row.clip_s for row in found.rows] == [0.5] and found.frame_wh == (640, 360)
    assert found.rows[0].detections[0].track_id == 7
    assert BOX_BYTES < 20_000_000
    monkeypatch.setattr("edgecam.web.boxes.BOX_BYTES", 5 * len(lines[-1]))
    sidecar.write_text(f"{lines[-1]}\n" * 50)
    assert len(read_boxes(sidecar, 0.0, 600.0, (1, 1)).rows) < 6
    (tmp_path / "link.jsonl").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "fifo.jsonl")
    for name in ("link", "fifo"):
        with pytest.raises(OSError):
            read_boxes(tmp_path / f"{name}.jsonl", 0.0, 600.0, (1, 1))
