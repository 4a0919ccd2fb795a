"""Settings over the API: the schema's own help, a diff before it is written, live where that can be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from web_board import CAMERA, Board, Serve

from edgecam.core.errors import ConfigError
from edgecam.web.api.settings import refuse_programs


def board_with_file(serve: Serve, folder: Path, text: str = "") -> tuple[Board, Path]:
    file = folder / "edgecam.toml"
    file.write_text(f'# ours\nsource = ["{CAMERA}"]  # the door\n{text}')
    return serve(config=str(file)), file


def put(board: Board, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status, _, answer = board.ask("PUT", "/api/config", body)
    return status, json.loads(answer)


def test_every_setting_is_told_with_its_help_and_limits(serve: Serve, tmp_path: Path) -> None:
    board, _ = board_with_file(serve, tmp_path)
    found = board.json("/api/config")
    rows = {row["name"]: row for row in found["options"]}
    from edgecam.config import options

    assert list(rows) == [o.name for o in options()]
    assert rows["max_temp"] | {"maximum": 120, "live": True, "type": "number"} == rows["max_temp"]
    assert rows["gate"]["choices"] == ["off", "motion"] and rows["source"]["in_file"]
    assert found["file"] == "edgecam.toml" and str(tmp_path) not in json.dumps(found["file"])


def test_a_change_is_shown_checked_written_and_applied(serve: Serve, tmp_path: Path) -> None:
    board, file = board_with_file(serve, tmp_path)
    changes = {"max_temp": 70, "rate": 15}
    status, _, body = board.ask("POST", "/api/config/check", {"changes": changes})
    shown = json.loads(body)
    assert status == 200 and "+max_temp = 70" in shown["diff"] and shown["restart"] == ["rate"]
    assert "max_temp" not in file.read_text(), "a trial writes nothing"
    tag = board.json("/api/config")["tag"]
    status, saved = put(board, {"tag": tag, "changes": changes})
    assert status == 200 and saved["applied"] == ["max_temp"] and saved["restart"] == ["rate"]
    assert file.read_text().startswith("# ours\n") and "rate = 15" in file.read_text()
    assert board.json("/api/stats")["settings"]["max_temp"] == 70
    assert put(board, {"tag": tag, "changes": {"rate": 10}})[0] == 400, "somebody wrote meanwhile"


def test_what_does_not_fit_is_never_written(serve: Serve, tmp_path: Path) -> None:
    board, file = board_with_file(serve, tmp_path)
    before, tag = file.read_text(), board.json("/api/config")["tag"]
    for wrong in ({"max_temp": 500}, {"size": "big"}, {"nonsense": 1}, {"gate": "maybe"}, {"config": "x"}):
        status, answer = put(board, {"tag": tag, "changes": wrong})
        assert status == 400 and answer["error"] and str(tmp_path) not in answer["error"]
    assert put(board, {"tag": tag, "text": "score = ["})[0] == 400
    assert file.read_text() == before
    assert not list(tmp_path.glob(".edgecam.toml*"))


def test_system_pages(serve: Serve, tmp_path: Path) -> None:
    import logging

    board, _ = board_with_file(serve, tmp_path)
    logging.getLogger("edgecam.test").warning("seen by the page\x1b[31m")
    lines = board.json("/api/logs")
    assert lines[-1]["text"].startswith("seen by the page") and "\x1b" not in lines[-1]["text"]
    names = {row["name"] for row in board.json("/api/models")}
    assert len(names) >= 4
    columns = board.json("/api/history?hours=1")
    assert len({len(column) for column in columns.values()}) == 1
    assert board.ask("GET", "/api/doctor")[0] == 404  # a test's board has none
    assert board.ask("POST", "/api/restart")[0] == 409  # systemd did not start it


def test_the_page_names_no_program() -> None:
    """Without a password, whoever has an account on the board could have had programs run as edgecam."""
    for changes in ({"action": ["*=/tmp/mine"]}, {"power_command": "/tmp/mine"}, {"power_command": None}):
        with pytest.raises(ConfigError, match="on the board itself"):
            refuse_programs(changes)
    refuse_programs({"score": 0.5, "record": "clips"})
    broken = 'power_command = "/usr/bin/watts"\nscore = ='
    refuse_programs({"power_command": "/usr/bin/watts"}, broken)
    with pytest.raises(ConfigError):
        refuse_programs({"power_command": "/tmp/mine"}, broken)
