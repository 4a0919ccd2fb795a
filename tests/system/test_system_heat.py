"""The thermal zone of the virtual board is heated while edgecam runs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from virtual_board import Board

HERE = Path(__file__).parent
LIMIT_C = 70
SOURCE = "synthetic:?live=1&size=320x240&rate=10"
COMMAND = f"edgecam --source '{SOURCE}' --max-temp {LIMIT_C} --display none"


def test_detection_slows_when_it_gets_hot_and_recovers(board: Board, model: str) -> None:
    board.heat(50)
    board.check(f"{COMMAND} {model} -v >/tmp/run.log 2>&1 & echo $! >/tmp/run.pid")
    board.wait_for("grep -q 'runs on' /tmp/run.log", 120)
    board.heat(85)
    board.wait_for("grep -qi 'detecting' /tmp/run.log", 60)
    board.heat(50)
    board.wait_for("grep -q 'back at the full' /tmp/run.log", 120)
    print(board.check("kill -INT $(cat /tmp/run.pid); sleep 2; cat /tmp/run.log"))


def test_own_load_settles_below_the_limit(board: Board, model: str, pictures: Path, long_form: bool) -> None:
    if not long_form:
        pytest.skip("takes six minutes: EC_SYSTEM=long")
    board.hand_in(HERE / "inside" / "thermal_model.py")
    board.check(f"{COMMAND} {model} -v --duration 360 >/tmp/run.log 2>&1 & echo $! >/tmp/run.pid")
    board.run("python3 /host/thermal_model.py $(cat /tmp/run.pid) /host/heat.csv", 420)
    print(board.check("cat /tmp/run.log"))
    with (board.host / "heat.csv").open() as file:
        rows = [(float(r["seconds"]), float(r["load"]), float(r["temp_c"])) for r in csv.DictReader(file)]
    (pictures / "heat.csv").write_text((board.host / "heat.csv").read_text())
    settled = [temp for seconds, _, temp in rows if seconds > 180]
    assert settled and max(settled) < LIMIT_C
    # no oscillation: one band, narrower than the governor's own
    assert max(settled) - min(settled) < 8
