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
#: With the shipped detector, which is what heats: emulated, it takes 0.7 s, and pictures at 10 a second would
#: fill the processor by themselves.
SHIPPED = (
    f"edgecam --source 'synthetic:?live=1&size=320x240&rate=2' --max-temp {LIMIT_C} --display none"
    " --detector ssd-mobilenet-v1-300-int8 --classify off --tune off"
)
RUN_S = 600


def test_detection_slows_when_it_gets_hot_and_recovers(board: Board, model: str) -> None:
    board.heat(50)
    board.check(f"{COMMAND} {model} -v >/tmp/run.log 2>&1 & echo $! >/tmp/run.pid")
    board.wait_for("grep -q 'runs on' /tmp/run.log", 120)
    board.heat(85)
    board.wait_for("grep -qi 'detecting' /tmp/run.log", 60)
    board.heat(50)
    board.wait_for("grep -q 'back at the full' /tmp/run.log", 120)
    print(board.check("kill -INT $(cat /tmp/run.pid); sleep 2; cat /tmp/run.log"))


def test_own_load_settles_below_the_limit(board: Board, pictures: Path, long_form: bool) -> None:
    if not long_form:
        pytest.skip("takes ten minutes: EC_SYSTEM=long")
    board.hand_in(HERE / "inside" / "thermal_model.py")
    board.check(f"{SHIPPED} -v --duration {RUN_S} >/tmp/run.log 2>&1 & echo $! >/tmp/run.pid")
    board.run("python3 /host/thermal_model.py $(cat /tmp/run.pid) /host/heat.csv", RUN_S + 60)
    print(board.check("cat /tmp/run.log"))
    with (board.host / "heat.csv").open() as file:
        rows = [(float(r["seconds"]), float(r["load"]), float(r["temp_c"])) for r in csv.DictReader(file)]
    (pictures / "heat.csv").write_text((board.host / "heat.csv").read_text())
    settled = [temp for seconds, _, temp in rows if seconds > 240]
    assert settled and max(settled) < LIMIT_C
    # no oscillation: one band, narrower than the governor's own
    assert max(settled) - min(settled) < 8
