"""What edgecam says about a board that it has never seen, and how it keeps it cool."""

from __future__ import annotations

import json

from virtual_board import Board


def test_doctor(board: Board) -> None:
    board.plug_in()
    page = board.run("edgecam doctor", 120)
    print(page.out)
    assert "Traceback" not in page.out
    found = json.loads(board.run("edgecam doctor --json", 120).out)
    text = json.dumps(found)
    assert "3.13" in text and "vivid" in text
