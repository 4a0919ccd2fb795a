"""The API as its document says it is."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest
from web_board import Serve

from edgecam.capture.generated.frame_code import read_code
from edgecam.cli.main import main


def test_the_document_names_every_operation_and_resolves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["openapi"] == "3.1.0"
    names = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(names) == len(set(names)) >= 17
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"] and operation["description"] and "200" in operation["responses"]

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [r for value in part.values() for r in references(value)]
        return [r for value in part for r in references(value)] if isinstance(part, list) else []

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_a_running_board_serves_the_same_document(serve: Serve) -> None:
    board = serve()
    assert board.json("/api/openapi.json")["paths"]["/api/stats"]["get"]["x-role"] == "viewer"
    assert board.ask("GET", "/api/nothing")[0] == 404
    status, headers, _ = board.ask("DELETE", "/api/stats")
    assert status == 405 and headers["allow"] == "GET"
    assert board.ask("GET", "/api/stats?x=1")[0] == 400
    assert board.ask("PUT", "/api/live", b"[]")[0] == 400
    assert board.ask("PUT", "/api/live", b"{}", {"content-type": "text/plain"})[0] == 415


def test_the_newest_picture_is_the_frame_it_says(serve: Serve) -> None:
    board = serve()
    for _ in range(50):
        status, headers, body = board.ask("GET", "/api/synthetic/latest.jpg?quality=95")
        if status == 200:
            break
    image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None and read_code(image.astype(np.uint8)) == int(headers["x-frame-index"])
    small = board.ask("GET", "/api/synthetic/latest.jpg?h=90&boxes=true")[2]
    assert cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR).shape == (90, 160, 3)  # type: ignore[union-attr]
    assert board.ask("GET", "/api/synthetic/latest.jpg?h=1")[0] == 400


def test_live_settings_change_or_say_why_not(serve: Serve) -> None:
    board = serve()
    status, _, body = board.ask(
        "PUT", "/api/live", {"settings": {"max_temp": 70, "size": "1x1", "score": 0.4}}
    )
    changed = json.loads(body)
    assert status == 200 and changed["applied"] == {"max_temp": 70.0}
    assert set(changed["refused"]) == {"size", "score"}  # not live, and there is no detector
    assert board.json("/api/stats")["settings"]["max_temp"] == 70.0


def test_a_snapshot_is_saved(serve: Serve, tmp_path: Any) -> None:
    board = serve(snapshots=str(tmp_path / "shots"))
    while board.ask("GET", "/api/synthetic/latest.jpg")[0] == 503:
        pass
    status, _, body = board.ask("POST", "/api/synthetic/snapshot")
    assert status == 200 and len(list((tmp_path / "shots").glob("*.jpg"))) == 1
    assert str(tmp_path) not in body.decode(), "no path of the file system goes out"
