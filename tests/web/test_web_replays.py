"""What other rules would have told, over the API: gained, lost, pictures; bounded; cancelled; applied."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from web_board import PASSWORD, Board, Serve

sys.path.append(str(Path(__file__).resolve().parents[1] / "app"))
from browser import DESK, Watched, axe_findings, chromium_browser
from telling_run import ZONE, Run

from edgecam.app.what_if import StoppedError, what_if
from edgecam.record.library.index import Library
from edgecam.rules.reading import build
from edgecam.web.api.replays import Trial
from edgecam.web.api.rule_types import RuleRow
from edgecam.web.client import Client, RefusedError

LINE = "mid=0.5,0 0.5,1"
RULE = {"name": "stays", "on": "rectangle@left:0.5", "loitering": "1s"}
RIGHT = [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic world of which every box is known, recorded with its events."""
    folder = tmp_path_factory.mktemp("clips")
    Run(folder, frames=300, all_the_time=True, zone=[ZONE], line=[LINE], rule=[RULE]).go()
    return folder


def with_recordings(serve: Serve, folder: Path, password: str | None = None, **more: Any) -> Board:
    rules = {"zone": [ZONE], "line": [LINE], "rule": [RULE]}
    return serve(password, record=str(folder), record_on=["api"], **{**rules, **more})


def ended(board: Board, replay_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (found := board.json(f"/api/replays/{replay_id}"))["state"] == "running":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return dict(found)


def test_the_same_rules_tell_the_same_and_others_gain_and_lose(serve: Serve, recorded: Path) -> None:
    board = with_recordings(serve, recorded)
    (rule,) = board.json("/api/rules")["rules"]
    assert rule["on"] == ["rectangle@left:0.5"] and rule["loitering"] == 1.0
    status, _, body = board.ask("POST", "/api/replays", {})
    assert status == 200, body
    same = ended(board, json.loads(body)["id"])
    assert same["state"] == "done" and same["share"] == 1.0 and same["whole"] and same["recorded_s"] > 8
    assert (same["gained"], same["lost"]) == (0, 0) and same["kept"] > 5

    other = {"rules": [{**rule, "name": "comes", "on": ["rectangle@right"], "loitering": 0.0}],
             "places": {"synthetic": {"zones": [{"name": "right", "points": RIGHT}]}}}  # fmt: skip
    found = ended(board, json.loads(board.ask("POST", "/api/replays", other)[2])["id"])
    assert {e["rule"] for e in found["gained_events"]} == {"", "comes"}
    assert "stays" in {e["rule"] for e in found["lost_events"]}, "the rule is gone"
    assert not any(e["kind"] == "line" for e in found["gained_events"]), "and the line"
    assert found["gained"] == len(found["gained_events"]) > 0 and found["kept"] > 0
    for row in (found["gained_events"][0], found["lost_events"][0]):
        address = f"/api/replays/{found['id']}/{row['id']}/picture.jpg?h=90"
        status, _, data = board.ask("GET", address)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert status == 200 and image is not None and image.shape[0] == 90
    # nothing was changed by it
    assert board.json("/api/rules")["rules"] == [rule]
    # and then it is, both at once
    status, _, body = board.ask("PUT", "/api/rules", other)
    assert status == 200, body
    assert [r["name"] for r in board.json("/api/rules")["rules"]] == ["comes"]
    assert [z["name"] for z in board.json("/api/zones")["cameras"][0]["zones"]] == ["right"]


def test_what_does_not_fit_is_said_and_changes_nothing(serve: Serve, recorded: Path) -> None:
    board = with_recordings(serve, recorded)
    for body, says in (
        ({"rules": [{"name": "a", "on": ["person@nowhere"]}]}, "there is no zone 'nowhere'"),
        ({"places": {"nobody": {"zones": []}}}, "there is no camera 'nobody'"),
        ({"places": {"synthetic": {"zones": []}}}, "there is no zone 'left'"),  # a rule needs it
    ):
        for method, path in (("POST", "/api/replays"), ("PUT", "/api/rules")):
            status, _, answer = board.ask(method, path, body)
            assert status in (400, 404) and says in json.loads(answer)["error"], answer
    status, _, answer = board.ask("POST", "/api/replays", {"before": 1000})
    assert status == 409 and "nothing was recorded" in json.loads(answer)["error"]
    assert board.ask("GET", "/api/replays/none")[0] == 404
    assert [r["name"] for r in board.json("/api/rules")["rules"]] == ["stays"]


def test_one_at_a_time_and_it_is_cancelled(serve: Serve, recorded: Path, monkeypatch: Any) -> None:
    board = with_recordings(serve, recorded)
    held = threading.Event()

    def slow(*_: Any, stopped: Any, **__: Any) -> None:
        while not held.wait(0.01):
            if stopped():
                raise StoppedError

    monkeypatch.setattr("edgecam.web.replays.what_if", slow)
    first = json.loads(board.ask("POST", "/api/replays", {})[2])
    assert first["state"] == "running"
    status, _, body = board.ask("POST", "/api/replays", {})
    assert status == 409 and "a replay is running" in json.loads(body)["error"]
    assert board.ask("DELETE", f"/api/replays/{first['id']}")[0] == 200
    assert ended(board, first["id"])["state"] == "cancelled"
    assert json.loads(board.ask("POST", "/api/replays", {})[2])["state"] == "running"
    # the server's end cancels the second: the fixture fails if its thread is left over


def test_time_is_over_and_what_was_gone_through_is_compared(recorded: Path) -> None:
    rules = build([ZONE], [LINE], [RULE])
    with Library(recorded) as library:
        clips = [clip for clip in library.clips() if "sidecar" in clip.files]
    assert len(clips) > 1
    none = what_if(recorded, clips, rules, rules, limit_s=0.0)
    assert not none.whole and none.clips < len(clips)
    assert not none.difference.lost, "what was not gone through is not lost"
    shares: list[float] = []
    all_of_it = what_if(recorded, clips, rules, rules, limit_s=60, progress=shares.append)
    assert all_of_it.whole and shares == sorted(shares) and all_of_it.difference.kept > 5
    with pytest.raises(StoppedError):
        what_if(recorded, clips, rules, rules, limit_s=60, stopped=lambda: True)


def test_a_program_asks_and_may_only_ask_for_its_camera(serve: Serve, recorded: Path) -> None:
    board = with_recordings(serve, recorded, PASSWORD)
    store = board.server.site.store
    client = Client(board.origin, token=store.new_token("all", "operator")[1])
    found = client.replay(Trial(rules=[RuleRow("any", ["rectangle"])]), poll_s=0.05)
    assert found.state == "done" and found.gained > 0
    assert client.replay_picture(found.id, found.gained_events[0].id).startswith(b"\xff\xd8")
    assert client.set_rules([RuleRow("any", ["rectangle"])]).rules == client.rules()
    blind = Client(board.origin, token=store.new_token("none", "operator", cameras=("other",))[1])
    with pytest.raises(RefusedError, match="no such replay"):
        blind.replay_picture(found.id, found.gained_events[0].id)
    with pytest.raises(RefusedError, match="nothing was recorded"):
        blind.replay(Trial())
    looker = Client(board.origin, token=store.new_token("looks", "viewer")[1])
    with pytest.raises(RefusedError, match="needs the role operator"):
        looker.replay(Trial())


def test_what_is_drawn_also_changes_a_file_that_says_otherwise(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "edgecam.toml"
    file.write_text('# mine\nzone = ["yard=0,0 1,0 1,1"]\nrule = ["motion@yard"]\n')
    zone = {"name": "yard", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "use": "motion"}
    board = serve(config=str(file))
    status, _, body = board.ask("PUT", "/api/synthetic/zones", {"zones": [zone]})
    assert status == 200 and json.loads(body)["note"] == "", body
    text = file.read_text()
    assert text.startswith("# mine\n") and "0.0, 1.0" in text and 'rule = ["motion@yard"]' in text
    rules = board.json("/api/rules")["rules"]
    assert (
        board.ask("PUT", "/api/rules", {"rules": [*rules, {"name": "new", "on": ["motion@yard"]}]})[0] == 200
    )
    assert 'name = "new"' in file.read_text()


def test_the_page_tries_rules_by_keyboard_and_puts_them_to_use(
    serve: Serve, recorded: Path, chromium: str
) -> None:
    """From a zone that is drawn and not saved, over what is gained, to what holds."""
    board = with_recordings(serve, recorded)
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **DESK)
        page = watched.open("#/zones")
        page.get_by_role("button", name="Zone", exact=True).press("Enter")
        page.get_by_label("Name").fill("porch")
        page.get_by_role("button", name="Try on recordings").press("Enter")
        page.get_by_role("button", name="Another rule").press("Enter")
        page.get_by_role("combobox", name="Where").last.select_option("@porch")
        page.get_by_role("button", name="Add it").last.press("Enter")
        page.get_by_role("button", name="anything in left: take it out").press("Enter")
        page.get_by_role("button", name="Last hour").press("Enter")
        page.get_by_role("button", name="Try it").press("Enter")
        page.wait_for_selector(".verdict-line")
        assert page.locator(".gain").inner_text() != "+0"
        assert axe_findings(page) == []
        page.locator(".tried .event").first.press("Enter")
        page.wait_for_selector("dialog video")
        assert page.get_by_role("button", name="Protect").count() == 0, "there is nothing to protect yet"
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Use them from now on").press("Enter")
        page.wait_for_selector("text=they hold from the next picture on")
        assert "porch" in [z["name"] for z in board.json("/api/zones")["cameras"][0]["zones"]]
        assert "any@porch" in [word for rule in board.json("/api/rules")["rules"] for word in rule["on"]]
        page.get_by_role("button", name="Back to the events").press("Enter")
        page.wait_for_selector("h1:has-text('Events')")
        watched.close()
