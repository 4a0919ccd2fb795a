"""Clips over the API: listed, sought while they are being written, protected, shared, deleted."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import time
from datetime import datetime, timezone
from pathlib import Path

import av
import pytest
from web_board import PASSWORD, Board, Serve

from edgecam.web.auth.kept import Kept
from edgecam.web.files import FileAnswer
from edgecam.web.paging import whole_page


def recording(serve: Serve, folder: Path, password: str | None = None, **settings: object) -> Board:
    return serve(password, record=str(folder), record_view="clean", **settings)


def listed(board: Board, headers: dict[str, str] | None = None, query: str = "") -> list[dict[str, object]]:
    found: list[dict[str, object]] = board.json(f"/api/clips{query}", headers)["clips"]
    return found


def finished(board: Board, count: int = 1) -> list[dict[str, object]]:
    deadline = time.monotonic() + 40
    while len(found := [c for c in listed(board) if not c["growing"]]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_a_clip_is_sought_by_ranges_while_it_is_being_written(serve: Serve, tmp_path: Path) -> None:
    board = recording(serve, tmp_path / "clips")
    address = "/api/clips/now.synthetic/video.mp4"
    deadline = time.monotonic() + 40
    sizes: list[int] = []
    while len(sizes) < 2:
        assert time.monotonic() < deadline
        status, headers, body = board.ask("GET", address, headers={"range": "bytes=0-"})
        if status == 206 and len(body) > 20_000 and len(body) > (sizes[-1] if sizes else 0):
            sizes.append(len(body))
            whole = body
        time.sleep(0.1)
    assert headers["content-range"] == f"bytes 0-{sizes[-1] - 1}/{sizes[-1]}"
    assert headers["cache-control"] == "no-store"
    # any part is that part
    status, headers, part = board.ask("GET", address, headers={"range": "bytes=1000-1999"})
    assert (status, part) == (206, whole[1000:2000])
    with av.open(io.BytesIO(whole)) as clip:
        clip.seek(int(clip.duration or 0) // 2)
        assert sum(1 for _ in clip.decode(video=0)) > 0
    (running,) = listed(board)
    assert running["growing"] and running["id"] == "now.synthetic"
    # an event of this very minute names the clip as it will be called: it leads to what is there already
    (hidden,) = (tmp_path / "clips").glob(".*.mp4.part")
    name = hidden.name[1:].removesuffix(".mp4.part")
    assert board.json(f"/api/clips/{name}")["id"] == "now.synthetic"
    assert board.json(f"/api/clips?id={name}")["clips"][0]["growing"]
    begun = datetime.strptime(name[:20], "%Y-%m-%d_%H-%M-%SZ").replace(tzinfo=timezone.utc)
    assert running["start_time"] == begun.timestamp()


def test_a_finished_clip_has_video_boxes_a_protection_and_an_end(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    board = recording(serve, folder, segment="1s")
    clip = finished(board)[-1]
    address = f"/api/clips/{clip['id']}"
    status, headers, video = board.ask("GET", f"{address}/video.mp4")
    assert (status, len(video)) == (200, int(headers["content-length"])) and headers[
        "accept-ranges"
    ] == "bytes"
    assert board.ask("GET", f"{address}/video.mp4", headers={"if-none-match": headers["etag"]})[0] == 304
    assert board.ask("GET", f"{address}/video.mp4", headers={"range": "bytes=-100"})[2] == video[-100:]
    status, headers, _ = board.ask("GET", f"{address}/video.mp4", headers={"range": f"bytes={len(video)}-"})
    assert status == 416 and headers["content-range"] == f"bytes */{len(video)}"
    assert "attachment" in board.ask("GET", f"{address}/video.mp4?download=true")[1]["content-disposition"]
    boxes = board.json(f"{address}/boxes?until=0.5")
    assert boxes["frame_wh"] == [640, 360] and boxes["rows"][0]["clip_s"] == 0.0
    assert board.ask("GET", f"{address}/sheet.jpg")[0] == 200
    assert board.ask("PUT", f"{address}/protected", {"protected": True})[0] == 200
    assert board.ask("DELETE", address)[0] == 409
    assert board.ask("PUT", f"{address}/protected", {"protected": False})[0] == 200
    assert [c["id"] for c in board.json(f"/api/clips?id={clip['id']}")["clips"]] == [clip["id"]]
    assert board.ask("DELETE", address)[0] == 200
    assert board.json(f"/api/clips?id={clip['id']}")["clips"] == [], "asked for in vain, which is no error"
    assert board.ask("GET", address)[0] == 404 and not list(folder.glob(f"{clip['id']}*"))
    assert sum(h["count"] for h in board.json("/api/clip-hours")) >= 0


def test_a_list_goes_on_where_it_ended(serve: Serve, tmp_path: Path) -> None:
    board = recording(serve, tmp_path / "clips", segment="1s")
    finished(board, 3)
    first = board.json("/api/clips?limit=2&protected=false")
    done = [c for c in first["clips"] if not c["growing"]]
    more = board.json(f"/api/clips?limit=2&before={first['next']}")
    assert {c["id"] for c in done}.isdisjoint(c["id"] for c in more["clips"])
    assert all(c["start_time"] < done[-1]["start_time"] for c in more["clips"])
    assert listed(board, query="?label=unicorn&before=4000000000") == []
    assert board.ask("GET", "/api/clips?camera=nobody")[0] == 404


def test_a_share_shows_one_clip_to_whoever_has_the_link(serve: Serve, tmp_path: Path) -> None:
    board = recording(serve, tmp_path / "clips", PASSWORD, segment="1s")
    _, token = board.server.site.store.new_token("owner", "admin")
    owner = {"authorization": f"Bearer {token}"}
    deadline = time.monotonic() + 40
    while not (found := [c for c in listed(board, owner) if not c["growing"]]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    clip = found[-1]["id"]
    made = json.loads(board.ask("POST", f"/api/clips/{clip}/share", {"hours": 1}, owner)[2])
    secret = made["path"].rpartition("/")[2]
    assert board.json(f"/api/shared/{secret}")["id"] == clip
    assert board.ask("GET", f"/api/shared/{secret}/video.mp4")[0] == 200
    assert board.ask("GET", f"/api/clips/{clip}/video.mp4")[0] == 401
    assert board.ask("GET", "/api/shared/nothing")[0] == 404

    def expire(kept: Kept) -> None:
        for share in kept.shares:
            share.expires = 0.0

    board.server.site.store.look(expire)
    assert board.ask("GET", f"/api/shared/{secret}")[0] == 404


def test_a_link_whose_secret_begins_with_a_dash_works(serve: Serve, tmp_path: Path) -> None:
    board = recording(serve, tmp_path / "clips")
    for secret in ("-x", "_x"):
        told = board.ask("GET", f"/api/shared/{secret}{'y' * 40}")
        assert told[0] == 404 and b"this link has ended" in told[2]


def test_pages_of_clips_lose_none_beside_a_row_that_is_not_ours(serve: Serve, tmp_path: Path) -> None:
    board = recording(serve, tmp_path / "clips", segment="1s")
    ids = {c["id"] for c in finished(board, 4)}
    with contextlib.closing(sqlite3.connect(tmp_path / "clips" / ".edgecam.sqlite", timeout=30)) as db, db:
        db.execute("UPDATE clips SET started = 1000.0 WHERE id <= 4")
        db.execute("UPDATE clips SET files = '[]' WHERE id = 2")
        (spoilt,) = db.execute("SELECT name FROM clips WHERE id = 2").fetchone()
    for limit in (1, 2, 3):
        page = board.json(f"/api/clips?limit={limit}&before=1001")
        assert {c["id"] for c in page["clips"]} == ids - {Path(spoilt).stem} and page["next"] is None


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 20])
def test_pages_lose_nothing_that_began_at_the_same_time(limit: int) -> None:
    starts = [9.0, 8.0, 8.0, 8.0, 7.0, 6.0, 6.0, 6.0, 6.0, 6.0, 5.0]
    rows = list(enumerate(starts))
    seen: list[tuple[int, float]] = []
    before: float | None = 10.0
    while before is not None:
        older = [row for row in rows if row[1] < before]
        page, before = whole_page(lambda n, of=older: of[:n], limit, lambda row: row[1])  # type: ignore[misc]
        assert page
        seen += page
    assert seen == rows


def test_a_token_for_some_cameras_learns_nothing_of_the_others(serve: Serve, tmp_path: Path) -> None:
    board = recording(serve, tmp_path / "clips", PASSWORD, segment="1s")
    _, all_of_them = board.server.site.store.new_token("owner", "admin")
    _, other = board.server.site.store.new_token("guest", "admin", cameras=("garden",))
    owner, guest = ({"authorization": f"Bearer {token}"} for token in (all_of_them, other))
    deadline = time.monotonic() + 40
    while not board.json("/api/clip-hours", owner):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert board.json("/api/clip-hours", guest) == []
    for of_all in ("/api/metrics", "/api/logs"):
        assert board.ask("GET", of_all, headers=guest)[0] == 403


def test_an_id_is_never_a_path(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"x")
    board = recording(serve, tmp_path / "clips")
    for name in ("..%2f..%2fetc%2fpasswd", "%2e%2e", "clips/../x", ".edgecam.sqlite", "a%00b"):
        assert board.ask("GET", f"/api/clips/{name}/video.mp4")[0] == 404, name


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("secret")
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "clip.mp4").symlink_to(tmp_path / "passwd")
    with pytest.raises(Exception, match="gone"):
        FileAnswer(folder, "clip.mp4", {}, media_type="video/mp4")


def test_without_a_recorder_a_clip_is_recorded_by_hand_until_it_is_stopped(
    serve: Serve, tmp_path: Path
) -> None:
    """Twice, since the second begins anew; what is recorded is a clip like any other."""
    board = serve(snapshots=str(tmp_path / "shots"), record_view="clean")
    record = "/api/synthetic/record"
    assert board.ask("DELETE", record)[0] == 409
    names: list[str] = []
    for _ in range(2):
        status, _, body = board.ask("POST", record)
        said = json.loads(body)["message"]
        assert status == 200 and "'clips'" in said and str(tmp_path) not in said
        deadline = time.monotonic() + 40
        while not any(c["growing"] and c["bytes"] for c in listed(board)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert json.loads(board.ask("POST", record)[2])["message"] == "recording already"
        assert board.json("/api/cameras")[0]["recording"]
        status, _, body = board.ask("DELETE", record)
        assert status == 200 and json.loads(body)["message"].startswith("saved "), body
        names.append(json.loads(body)["message"].removeprefix("saved "))
    assert len(set(names)) == 2 and all((tmp_path / "shots" / "clips" / name).is_file() for name in names)
    assert {c["id"] for c in finished(board, 2)} == {Path(name).stem for name in names}
    assert len(board.app.recorders) == 1, "what is over is let go"


def test_what_the_settings_record_is_not_stopped_by_hand(serve: Serve, tmp_path: Path) -> None:
    board = recording(serve, tmp_path / "clips")
    assert board.ask("POST", "/api/synthetic/record")[0] == 200
    status, _, body = board.ask("DELETE", "/api/synthetic/record")
    assert status == 409 and "setting" in json.loads(body)["error"]
    assert not any(recorder.clips for recorder in board.app.recorders), "it goes on"
