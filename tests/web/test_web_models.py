"""Models over the API and on the page: what runs, checked, chosen, gone back from, removed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, Watched, axe_findings, chromium_browser
from web_board import Board, Serve

from edgecam.inference.models.store import find_model, shipped_folder, user_folder
from edgecam.web.client import Client, RefusedError

FAST = find_model("fast", "detection", "fp32").stem


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file, and a models folder of one's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    user_folder().mkdir(parents=True)
    file = tmp_path / "edgecam.toml"
    file.write_text("# mine\n")
    return file


def choice(board: Board) -> dict[str, Any]:
    return dict(next(c for c in board.json("/api/model-choices") if c["task"] == "detection"))


def row(board: Board, name: str) -> dict[str, Any]:
    return dict(next(r for r in board.json("/api/models") if r["name"] == name))


def test_a_model_is_checked_chosen_and_gone_back_from(serve: Serve, settings: Path) -> None:
    board = serve(config=str(settings), detector=FAST, tune="off")
    settings.write_text(f'# mine\ndetector = "{FAST}"\n')
    client = Client(board.origin)
    assert row(board, FAST)["running"] and not row(board, FAST)["own"]
    now = choice(board)
    assert (now["runs"], now["chosen"], now["restart"], now["previous"]) == (FAST, FAST, False, None)
    good = client.check_model(FAST)
    assert good.state == "good" and good.ms is not None and good.ms > 0
    then = client.use_model("default")
    assert (then.chosen, then.restart, then.previous) == ("default", True, FAST)
    assert settings.read_text() == "# mine\n", "the default needs no line"
    again = client.previous_model()
    assert (again.chosen, again.restart, again.previous) == (FAST, False, None)
    assert settings.read_text() == f'# mine\ndetector = "{FAST}"\n'
    with pytest.raises(RefusedError, match="nothing was chosen here before"):
        client.previous_model()
    with pytest.raises(RefusedError, match="came with edgecam"):
        client.remove_model(FAST)
    for name in ("nothing", "edgecam.toml", "x.onnx"):
        with pytest.raises(RefusedError) as refused:
            client.use_model(name)
        assert refused.value.status == 404


def test_a_file_of_ones_own_stands_first_is_seen_when_replaced_and_removed(
    serve: Serve, settings: Path
) -> None:
    mine = user_folder() / f"{FAST}.onnx"
    shutil.copy(shipped_folder() / mine.name, mine)
    board = serve(config=str(settings), detector=FAST, tune="off")
    client = Client(board.origin)
    found = row(board, FAST)
    assert found["own"] and found["before"] and found["running"] and not found["replaced"]
    os.utime(mine, (1, 1))
    assert row(board, FAST)["replaced"] and choice(board)["restart"]
    broken = user_folder() / "broken.onnx"
    data = bytearray(mine.read_bytes())
    data[len(data) // 2] ^= 0xFF
    broken.write_bytes(bytes(data))
    assert client.check_model("broken").ms is None
    with pytest.raises(RefusedError, match="'broken' cannot be used"):
        client.use_model("broken")
    assert client.remove_model("broken").message == "removed" and not broken.exists()
    assert "takes its place" in client.remove_model(FAST).message
    assert not row(board, FAST)["own"]


def test_without_a_settings_file_it_is_said_how_to(serve: Serve) -> None:
    board = serve()
    assert "--config" in choice(board)["problem"] and choice(board)["runs"] is None
    status, _, body = board.ask("POST", f"/api/models/{FAST}/use", {"task": "detection"})
    assert status == 409 and "without a settings file" in json.loads(body)["error"]


def test_the_page_chooses_a_model_by_keyboard(serve: Serve, settings: Path, chromium: str) -> None:
    board = serve(config=str(settings), detector=FAST, tune="off")
    default = find_model("default", "detection", "fp32").stem
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **PHONE)
        page = watched.open("#/system")
        page.locator(f".model-head:has(b:text-is('{default}'))").press("Enter")
        page.get_by_role("button", name="Check", exact=True).press("Enter")
        page.wait_for_selector("text=it runs here")
        page.get_by_role("button", name="Use it").press("Enter")
        page.wait_for_selector(".banner:has-text('is used after a restart')")
        assert axe_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="Back to default").press("Enter")
        page.wait_for_selector("text=set is default")
        watched.close()
