"""Draw docs/img/governor.png: a closed loop of a simple board with the governor, and without it.

    python benchmarks/governor_plot.py [OUT.png]
    python benchmarks/governor_plot.py --guest FOLDER [OUT.png]

The board is the model of the tests (tests/telemetry/thermalmodel.py): one heat capacity, one resistance to
the air, a sensor in steps of half a degree, and air that warms by 21 °C and cools again. `--guest` draws
docs/img/governor-guest.png from the two tables that tests/system/test_system_heat.py leaves in FOLDER: the
real program in the virtual board, whose thermal zone follows the program's load.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "telemetry")]

from thermalmodel import Board, Trace, close_loop  # noqa: E402

from edgecam.telemetry.governor import Governor  # noqa: E402

LIMIT_C = 78.0


def run(governor: Governor) -> Trace:
    board = Board(ambient_c=25.0, resistance_c_w=9.0)
    trace = close_loop(board, governor, 1500)
    trace = close_loop(board, governor, 2700, trace, ambient_c=46.5)
    return close_loop(board, governor, 3600, trace, ambient_c=15.0)


def main(out: Path) -> None:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    held, free = run(Governor(max_temp=LIMIT_C)), run(Governor())
    minutes = [s / 60 for s in held.seconds]
    figure, (top, middle, bottom) = plt.subplots(
        3, 1, figsize=(9, 7.2), sharex=True, height_ratios=[3, 2, 1.6]
    )
    top.plot(minutes, free.temperature_c, color="#999999", lw=1.2, label="without governor")
    top.plot(minutes, held.temperature_c, color="#0072B2", lw=1.8, label="with governor")
    top.axhline(LIMIT_C, color="#D55E00", lw=1.2, ls="--", label=f"--max-temp {LIMIT_C:.0f}")
    top.set_ylabel("processor, °C")
    top.legend(loc="upper right", frameon=False, ncols=3)
    top.set_ylim(45, 130)
    middle.step(minutes, held.rate_hz, where="post", color="#0072B2", lw=1.5)
    fast = [p.use_fast for p in held.plans]
    middle.fill_between(minutes, 0, 31, where=fast, color="#E69F00", alpha=0.25, lw=0, label="fast model")
    middle.set_ylabel("detections, Hz")
    middle.set_ylim(0, 31)
    middle.legend(loc="upper right", frameon=False)
    bottom.plot(minutes, held.power_w, color="#009E73", lw=1.5)
    bottom.set_ylabel("power, W")
    bottom.set_xlabel("minutes (air 25 °C, from minute 25 warming to 46 °C, from minute 70 cooling to 15 °C)")
    for axis in (top, middle, bottom):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    top.set_title(
        "The governor gives up detection rate, then the model, and gives both back", loc="left", fontsize=11
    )
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    changes = held.changes_after(0)
    print(
        f"{out}: hottest {max(held.temperature_c):.1f} °C of {LIMIT_C:.0f} °C, {changes} changes of plan in "
        f"{held.seconds[-1] / 60:.0f} minutes; without governor {max(free.temperature_c):.1f} °C"
    )


def mean_of_last(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The mean of each value and up to ``width - 1`` values before it."""
    ones = np.ones(width)
    return np.convolve(values, ones)[: len(values)] / np.convolve(np.ones(len(values)), ones)[: len(values)]


def guest(folder: Path, out: Path, limit_c: float = 76.0) -> None:
    """Draw the closed loop in the virtual board."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5.2), sharex=True, height_ratios=[3, 2])
    hottest = {}
    for name, label, color in (
        ("heat-free", "without governor", "#999999"),
        ("heat", "with governor", "#0072B2"),
    ):
        table = np.genfromtxt(folder / f"{name}.csv", delimiter=",", names=True)
        minutes = table["seconds"] / 60
        hottest[label] = table["temp_c"].max()
        top.plot(minutes, table["temp_c"], color=color, lw=1.8, label=label)
        bottom.plot(minutes, 100 * mean_of_last(table["load"], 15), color=color, lw=1.5)
    top.axhline(limit_c, color="#D55E00", lw=1.2, ls="--", label=f"--max-temp {limit_c:.0f}")
    top.set_ylabel("thermal zone, °C")
    top.legend(loc="lower right", frameon=False, ncols=3)
    top.set_title("Virtual board: the zone follows the program's own load", loc="left", fontsize=11)
    bottom.set_ylabel("processors, % (15 s)")
    bottom.set_ylim(0, 100)
    bottom.set_xlabel("minutes")
    for axis in (top, bottom):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    print(f"{out}: " + ", ".join(f"{label} {temp_c:.1f} °C at most" for label, temp_c in hottest.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument(
        "--guest", type=Path, metavar="FOLDER", help="heat.csv and heat-free.csv of the virtual board"
    )
    options = parser.parse_args()
    images = ROOT / "docs" / "img"
    if options.guest:
        guest(options.guest, options.out or images / "governor-guest.png")
    else:
        main(options.out or images / "governor.png")
