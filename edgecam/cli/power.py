"""``edgecam power``: what the board draws, by which meter, and how to make an estimate better."""

from __future__ import annotations

import argparse
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edgecam.core.console import err, out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, ConfigError, EdgecamError
from edgecam.core.ports import PowerMeter
from edgecam.core.units import power_text
from edgecam.host.boards import detect_board
from edgecam.host.commands import kill_group
from edgecam.telemetry import calibration
from edgecam.telemetry.calibration import Calibration
from edgecam.telemetry.health import open_health_meter
from edgecam.telemetry.meters.choose import find_meters
from edgecam.telemetry.meters.ina3221 import Ina3221Meter
from edgecam.telemetry.meters.pmic import PmicMeter, wall_w

_HELP = """\
Show what the board draws, in watts, and where the figure comes from.

The best meter is found by itself: the Pi 5's own power chip, a Jetson's INA3221, an INA219 or INA226 board,
a laptop's battery, an x86 processor's counters. Without one the figure is an estimate from load and
frequency, marked ≈, with its error.
"""

_EXAMPLES = """\
examples:
  edgecam power                              every meter of this board, and what each says
  edgecam power --watch                      one line a second until Ctrl-C
  edgecam power --command 'plug-power -w'    a command of yours that prints watts
  edgecam power calibrate                    with a wall meter at hand: asks, loads the cores, asks again
  edgecam power calibrate --idle 2.9 --full 6.3
                                             the same without questions
  sudo edgecam power calibrate --system …    for the service (writes /etc/edgecam/power.toml)
"""

#: How long each anchor is held: the time a wall meter's display needs to settle.
_SETTLE_S = 20.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam power",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--command", metavar="CMD", help="a command that prints watts (5.4, '5.4 W', '5400 mW')"
    )
    parser.add_argument("--watch", action="store_true", help="one line a second until Ctrl-C")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help=argparse.SUPPRESS)
    actions = parser.add_subparsers(dest="action", metavar="calibrate", required=False)
    calibrate = actions.add_parser(
        "calibrate",
        help="give the estimate this board's own idle and full-load power (±10 %% instead of ±25 %% or more)",
        description="Stores what a wall meter shows at idle and with every core busy, for this board.",
    )
    calibrate.add_argument("--idle", type=float, metavar="W", help="watts with nothing running")
    calibrate.add_argument("--full", type=float, metavar="W", help="watts with every core busy")
    calibrate.add_argument(
        "--system", action="store_true", help="write /etc/edgecam/power.toml (for the service)"
    )
    calibrate.add_argument("--file", type=Path, metavar="FILE", help="write this file instead")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam power`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_args(argv)
    try:
        if args.action == "calibrate":
            return _calibrate(args)
        return _watch(args) if args.watch else _show(args)
    except KeyboardInterrupt:
        _say("")
        return EXIT_OK
    except EdgecamError as error:
        err(f"edgecam power: {error}\n")
        return error.exit_code


def _say(line: str) -> None:
    out(line + "\n")
    sys.stdout.flush()


def _show(args: argparse.Namespace) -> int:
    found = find_meters(args.root, args.command)
    time.sleep(0.5)  # meters of mean power (RAPL, the estimate) need an interval
    anchors = found.board.anchors
    _say(f"board      {found.board.name}")
    best: PowerMeter | None = None
    for meter in found.meters:
        reading = meter.read()
        if reading is None:
            _say(f"           {meter.name}: nothing at the moment")
            continue
        calibrated = " (calibrated)" if meter.name.startswith("calibrated") else ""
        _say(f"{'power' if best is None else 'also':<10} {power_text(reading)}{calibrated}")
        best = best or meter
        for line in _details(meter):
            _say(f"             {line}")
    _say(f"estimate   idle {anchors.idle_w:.1f} W, all cores busy {anchors.full_w:.1f} W")
    _say(f"           ({anchors.source})")
    health = open_health_meter(args.root).read()
    parts = [
        f"{health.temperature_c:.1f} °C" if health.temperature_c is not None else "",
        f"{health.frequency_mhz:.0f} MHz" if health.frequency_mhz is not None else "",
        f"fan {health.fan_rpm} rpm" if health.fan_rpm is not None else "",
    ]
    if any(parts):
        _say("sensors    " + ", ".join(p for p in parts if p))
    _say("firmware   now: " + (", ".join(health.throttled_now) or "no complaint"))
    if health.throttled_since_boot:
        _say("           since boot: " + ", ".join(health.throttled_since_boot))
    if found.hint:
        for line in textwrap.wrap(found.hint, 68):
            _say(f"{'hint' if found.hint.startswith(line) else '':<10} {line}")
    return EXIT_OK if best is not None else EXIT_RUNTIME


def _details(meter: PowerMeter) -> list[str]:
    if isinstance(meter, PmicMeter):
        rails = meter.rails() or {}
        total = sum(rails.values())
        lines = [f"{name:<10} {watts:7.3f} W" for name, watts in sorted(rails.items(), key=lambda kv: -kv[1])]
        return [*lines, f"rails {total:.2f} W → at the wall {wall_w(total):.2f} W (1.1451 × rails + 0.5879)"]
    if isinstance(meter, Ina3221Meter):
        return [f"{c.label:<16} {w:7.3f} W" for c in meter.channels if (w := c.watts()) is not None]
    return []


def _watch(args: argparse.Namespace) -> int:
    found = find_meters(args.root, args.command)
    health = open_health_meter(args.root)
    while True:
        time.sleep(1.0)
        reading = next((r for m in found.meters if (r := m.read()) is not None), None)
        state = health.read()
        heat = "" if state.temperature_c is None else f"  {state.temperature_c:.1f} °C"
        load = "" if state.cpu_percent is None else f"  CPU {state.cpu_percent:.0f} %"
        now = "" if not state.throttled_now else "  " + ", ".join(state.throttled_now)
        _say(("no reading" if reading is None else power_text(reading)) + heat + load + now)


def _calibrate(args: argparse.Namespace, ask: Callable[[str], str] = input) -> int:
    board = detect_board(args.root)
    idle_w, full_w = args.idle, args.full
    if idle_w is None or full_w is None:
        if not sys.stdin.isatty():
            raise ConfigError("without a terminal to ask on, give both figures: --idle W --full W")
        idle_w, full_w = _interview(ask)
    target = args.file or (calibration.system_file(args.root) if args.system else calibration.user_file())
    calibration.save(Calibration(board.name, idle_w, full_w), target)
    _say(f"{board.name}: idle {idle_w} W, full load {full_w} W, kept in {target}")
    return EXIT_OK


def _interview(ask: Callable[[str], str]) -> tuple[float, float]:
    _say(f"Stop edgecam and other programs, wait {_SETTLE_S:.0f} s, and read your meter at the supply.")
    idle_w = _watts(ask, "idle, watts: ")
    _say("Now every core is kept busy. Read the meter when it has settled (about 20 s).")
    load = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(_cores())
    ]
    try:
        full_w = _watts(ask, "full load, watts: ")
    finally:
        for process in load:
            kill_group(process)
    return idle_w, full_w


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))


def _watts(ask: Callable[[str], str], question: str) -> float:
    while True:
        answer = ask(question).strip().rstrip("Ww ").replace(",", ".")
        try:
            return float(answer)
        except ValueError:
            _say(f"{answer!r} is not a number of watts; for example 3.1")


if __name__ == "__main__":
    raise SystemExit(main())
