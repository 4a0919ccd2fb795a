"""The thermal zone of the virtual board is heated while edgecam runs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from virtual_board import Board

from edgecam.inference.models.store import find_model

HERE = Path(__file__).parent
LIMIT_C = 76
SOURCE = "synthetic:?live=1&size=320x240&rate=10"
COMMAND = f"edgecam --source '{SOURCE}' --max-temp {LIMIT_C} --display none"
#: A limit that is never reached.
FREE_C = 120
#: With the shipped detector, which is what heats: emulated, it takes 0.7 s, and pictures at 10 a second would
#: fill the processor by themselves.
SHIPPED = (
    "edgecam -v --source 'synthetic:?live=1&size=320x240&rate=2' --display none"
    f" --detector {find_model('default', 'detection', 'int8').stem} --classify off --tune off"
)


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
    """The zone follows what the program computes; `benchmarks/governor_plot.py --guest` draws it."""
    if not long_form:
        pytest.skip("takes a quarter of an hour: EC_SYSTEM=long")
    free = heated_by_itself(board, FREE_C, 180, pictures / "heat-free.csv")
    assert free[-1][1] > LIMIT_C + 3, "without a governor it is no test"
    held = heated_by_itself(board, LIMIT_C, 480, pictures / "heat.csv")
    settled = [temp_c for seconds, temp_c in held if seconds > 240]
    assert settled and max(settled) < LIMIT_C
    # no oscillation: one band, narrower than the governor's own
    assert max(settled) - min(settled) < 8


def heated_by_itself(board: Board, limit_c: int, run_s: int, out: Path) -> list[tuple[float, float]]:
    """(seconds, °C) of a run; its log is printed, its samples are kept in ``out``."""
    board.heat(45)
    board.hand_in(HERE / "inside" / "thermal_model.py")
    board.check(
        f"{SHIPPED} --max-temp {limit_c} --duration {run_s} >/tmp/run.log 2>&1 & echo $! >/tmp/run.pid"
    )
    board.run("python3 /host/thermal_model.py $(cat /tmp/run.pid) /host/heat.csv", run_s + 60)
    print(board.check("cat /tmp/run.log"))
    text = (board.host / "heat.csv").read_text()
    out.write_text(text)
    return [(float(row["seconds"]), float(row["temp_c"])) for row in csv.DictReader(text.splitlines())]
