"""Events and zones over the API: drawn, live at once, told to open pages, listed, by hours."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from web_board import PASSWORD, Board, Serve
from websockets import Origin
from websockets.sync.client import connect

from edgecam.core.areas import Areas
from edgecam.core.events import Event, event_id
from edgecam.record.library.events import EventFilter
from edgecam.web.api.operation import Call
from edgecam.web.auth.access import Identity
from edgecam.web.event_shelf import EventShelf

ZONE = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "use": "motion"}


def test_an_event_is_found_before_the_index_has_it(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    shelf = EventShelf(tmp_path)
    event = Event(id=event_id(5.0, 1), type="new", kind="object", camera="synthetic:", start_time=5.0)
    shelf.write(event)
    assert shelf.find(event.id) == event and shelf.find(event_id(5.0, 2)) is None


def test_what_no_camera_is_behind_is_for_those_who_see_all(serve: Serve) -> None:
    site = serve().server.site
    for cameras, other, nobody in ((None, True, True), (frozenset({"synthetic"}), False, False)):
        call = Call(site, Identity("viewer", "token", cameras, "a program"), {}, {}, "", False, None)
        assert call.sees_source(site.cameras[0].name) and call.sees("elsewhere") == other
        assert call.sees_source("") == nobody, "the board's own events, as in the list of events"


def until(board: Board, path: str, good: Any) -> Any:
    deadline = time.monotonic() + 40
    while not good(found := board.json(path)):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_a_zone_is_drawn_checked_and_holds_at_once(serve: Serve) -> None:
    board = serve()
    assert board.json("/api/zones")["cameras"] == [
        {"camera": "synthetic", "zones": [], "lines": [], "counts": {}}
    ]
    line = {"name": "gate", "points": [[0.1, 0.6], [0.9, 0.6]]}
    status, _, body = board.ask("PUT", "/api/synthetic/zones", {"zones": [ZONE], "lines": [line]})
    assert status == 200, body
    (mine,) = board.json("/api/zones")["cameras"]
    assert mine["zones"][0]["points"] == ZONE["points"] and mine["lines"][0]["name"] == "gate"

    def areas() -> Areas:
        return board.app.control.state().sources[0].areas

    deadline = time.monotonic() + 20
    while not areas().zones:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert areas().zones[0].name == "all"
    for wrong in (
        {"zones": [{**ZONE, "points": [[0, 0], [1, 0]]}]},
        {"zones": [{**ZONE, "points": [[0, 0], [1, 1], [1, 0], [0, 1]]}]},  # crosses itself
        {"zones": [{**ZONE, "name": "synthetic"}]},  # a camera's name
        {"zones": [ZONE, ZONE]},
        {"zones": [{**ZONE, "points": [[0, 0], [1, 0], [1, 7]]}]},
    ):
        status, _, body = board.ask("PUT", "/api/synthetic/zones", wrong)
        assert status == 400 and json.loads(body)["error"]
    now = board.json("/api/zones")["cameras"][0]
    assert (now["zones"], now["lines"]) == (mine["zones"], mine["lines"])
    assert board.ask("PUT", "/api/synthetic/zones", {"zones": []})[0] == 200


def test_one_cameras_zones_leave_the_others_alone(serve: Serve) -> None:
    board = serve(source=["synthetic:?live=1&size=320x180", "synthetic:?live=1&size=320x180&seed=2"])
    assert board.ask("PUT", "/api/synthetic/zones", {"zones": [{**ZONE, "name": "a"}]})[0] == 200
    assert board.ask("PUT", "/api/synthetic-2/zones", {"zones": [{**ZONE, "name": "b"}]})[0] == 200
    first, second = board.json("/api/zones")["cameras"]
    assert [z["name"] for z in first["zones"]] == ["a"] and [z["name"] for z in second["zones"]] == ["b"]


def test_what_happens_is_told_to_open_pages_and_listed_with_its_picture(serve: Serve, tmp_path: Path) -> None:
    board = serve(record=str(tmp_path / "clips"), rule=["motion@all"], zone=[ZONE])
    with connect(f"ws://127.0.0.1:{board.port}/api/updates", origin=Origin(board.origin)) as updates:
        deadline = time.monotonic() + 40
        while (told := json.loads(updates.recv(timeout=40)))["type"] != "event":
            assert time.monotonic() < deadline
    told_id = told["event"]["id"]
    assert told["event"]["camera_id"] == "synthetic", "told as it is listed"
    until(board, "/api/events", lambda f: any(e["id"] == told_id for e in f["events"]))
    found = until(board, "/api/events", lambda f: any(e["has_picture"] for e in f["events"]))
    row = next(e for e in found["events"] if e["has_picture"])
    assert row["camera_id"] == "synthetic"
    until(board, "/api/events?rule=motion@all", lambda f: f["events"])
    one = board.json(f"/api/events/{row['id']}")
    assert one["id"] == row["id"] and one["protected"] is False
    picture = board.ask("GET", f"/api/events/{row['id']}/snapshot.jpg?h=90")[2]
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape[0] == 90  # type: ignore[union-attr]
    assert board.ask("DELETE", f"/api/events/{row['id']}")[0] == 200
    assert board.json(f"/api/events/{row['id']}")["has_picture"] is False
    assert sum(h["count"] for h in board.json("/api/event-hours")) >= 1
    assert board.json("/api/events?label=unicorn")["events"] == []
    assert board.ask("GET", "/api/events/nothing")[0] == 404
    assert board.ask("GET", "/api/events?kind=nonsense")[0] == 400


def test_without_a_library_the_newest_events_are_remembered(serve: Serve) -> None:
    board = serve()
    shelf = board.server.site.events
    for number in range(3):
        at = 1_790_000_000.0 + number
        told = Event(id=event_id(at, number), type="new", kind="object", camera="synthetic:", start_time=at)
        shelf.write(told)
    times = [e["start_time"] for e in board.json("/api/events?limit=2")["events"]]
    assert times == [1_790_000_002.0, 1_790_000_001.0]
    assert shelf.hours(EventFilter()) == [(1_790_000_000 // 3600, 3)]


def test_pages_of_events_lose_none_and_a_guest_sees_no_hours(serve: Serve) -> None:
    board = serve(PASSWORD)
    store, shelf = board.server.site.store, board.server.site.events
    _, all_of_them = store.new_token("owner", "admin")
    _, other = store.new_token("guest", "admin", cameras=("garden",))
    owner, guest = ({"authorization": f"Bearer {token}"} for token in (all_of_them, other))
    told = [
        Event(id=event_id(9.0, n), type="new", kind="object", camera="synthetic:", start_time=9.0)
        for n in range(5)
    ]
    for event in told:
        shelf.write(event)
    for limit in (1, 3, 5):
        seen: list[str] = []
        before: float | None = 1e9
        while before is not None:
            page = board.json(f"/api/events?limit={limit}&before={before}", owner)
            seen, before = seen + [e["id"] for e in page["events"]], page["next"]
        assert sorted(seen) == sorted(e.id for e in told)
    assert [h["count"] for h in board.json("/api/event-hours", owner)] == [5]
    assert board.json("/api/event-hours", guest) == []


def test_metrics_are_those_of_the_outputs(serve: Serve) -> None:
    board = serve()
    status, headers, body = board.ask("GET", "/api/metrics")
    try:
        import prometheus_client  # noqa: F401
    except ModuleNotFoundError:
        assert status == 404
        return
    assert (
        status == 200
        and headers["content-type"].startswith("text/plain")
        and b"edgecam_uptime_seconds" in body
    )


def test_a_folder_of_clips_may_be_named_from_where_the_program_stands(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    board = serve(record="clips", rule=["motion@all"], zone=[ZONE])
    until(board, "/api/events?kind=motion", lambda f: f["events"])
    assert sum(h["count"] for h in board.json("/api/event-hours")) >= 1
    assert board.ask("GET", "/api/clips")[0] == 200
