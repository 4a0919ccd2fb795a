"""``edgecam devices``: which cameras there are, and what to give to ``--source``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edgecam.core.console import console, out, raw_out
from edgecam.core.errors import EXIT_OK, EXIT_SOURCE

_HELP = """\
List the cameras of this machine: V4L2 (USB webcams, capture sticks) and libcamera (ribbon cameras, csi:N).
For each: its stable name, driver, and formats x sizes x rates.
"""

_EXAMPLES = """\
examples:
  edgecam devices                 a table
  edgecam devices --controls      also exposure, gain, focus … for --control NAME=VALUE
  edgecam devices --json          for programs

exit code: 0 if there is a camera, 3 if there is none
"""

_NONE = """\
No camera found.
  USB: check the cable; `lsusb` should show it. In a container, pass /dev/video* in.
  Ribbon camera: switch the power off and reseat it; then `rpicam-hello --list-cameras`.
  Without one: edgecam --source demo:
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam devices",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--controls", action="store_true", help="list each camera's controls too")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam devices`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_args(argv)
    from edgecam.capture.devices import find_cameras

    inventory = find_cameras()
    if args.json:
        report = {
            "cameras": [_as_json(camera) for camera in inventory.cameras],
            "skipped": dict(inventory.skipped),
        }
        raw_out(json.dumps(report, indent=2) + "\n")
    else:
        for camera in inventory.cameras:
            _show(camera, args.controls)
        if not inventory.cameras:
            out(_NONE)
        for path, reason in inventory.skipped.items():
            out(f"{path}  skipped: {reason}\n")
    return EXIT_OK if inventory.cameras else EXIT_SOURCE


def _as_json(camera: Any) -> dict[str, Any]:
    report = asdict(camera)
    report["modes"] = [
        {
            "format": mode.fourcc,
            "width": mode.size_wh[0],
            "height": mode.size_wh[1],
            "rates_hz": mode.rates_hz,
        }
        for mode in camera.modes
    ]
    return report


def _show(camera: Any, with_controls: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    from edgecam.capture.devices import group_modes

    # a pipe has no width: nothing is wrapped there
    screen = console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 240)
    screen.print(f"[bold]{camera.source}[/]  {escape(camera.name)}  [dim]({escape(camera.driver)})[/]")
    if camera.by_id:
        screen.print(f"  stable name: {escape(camera.by_id)}", soft_wrap=True)
    if camera.modes:
        table = Table("format", "size", "frames per second", box=None, padding=(0, 2), show_edge=False)
        for row in group_modes(camera.modes):
            table.add_row(*row)
        screen.print(table)
    if with_controls and camera.controls:
        table = Table("control", "now", "default", "allowed", box=None, padding=(0, 2), show_edge=False)
        for control in camera.controls:
            now = "" if control.value is None else control.menu.get(control.value, str(control.value))
            mark = (
                " (read-only)"
                if control.read_only
                else " (inactive: an automatic rules it)"
                if control.inactive
                else ""
            )
            default = control.menu.get(control.default, str(control.default))
            table.add_row(control.name, escape(now), escape(default), escape(control.allowed + mark))
        screen.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
