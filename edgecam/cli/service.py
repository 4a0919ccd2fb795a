"""``edgecam service``: install, remove and look after edgecam as a systemd service."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgecam.core.console import err, out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, EXIT_USAGE, ConfigError, EdgecamError
from edgecam.host.installation import here
from edgecam.service.install import installed, plan_install, plan_uninstall, verify
from edgecam.service.plan import Execute, Plan, execute
from edgecam.service.target import Target
from edgecam.service.units import SYSTEM_UNITS, Mode

_HELP = """\
Run edgecam as a service: started at boot, watched, started again after any fault, never as root.

Every change is shown before it is made, can be made twice, and is undone by `uninstall`.
"""
_EXAMPLES = """\
examples:
  sudo edgecam service install --kiosk --source csi:0
                                        boxes on the screen at power-on, nobody logs in (cage, Wayland)
  sudo edgecam service install --kiosk --linuxfb
                                        the same straight on the framebuffer, for boards without a compositor
  sudo edgecam service install --headless
                                        no screen: clips, JSON lines and events only
  edgecam service install --user --kiosk
                                        full screen in your own desktop session
  edgecam service install --headless --dry-run
                                        only show what would change
  sudo edgecam service reload           take over a changed /etc/edgecam/edgecam.toml
  edgecam service status | logs         how it is, and what it says
  sudo edgecam service uninstall        everything back; clips and your settings stay (--purge: not)
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam service",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--user", action="store_true", help="in your own session instead of the system")
    common.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="a disk image mounted at DIR"
    )
    changes = argparse.ArgumentParser(add_help=False, parents=[common])
    changes.add_argument("--dry-run", action="store_true", help="show what would change, change nothing")
    changes.add_argument("--yes", "-y", action="store_true", help="do not ask")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add = verbs.add_parser("install", parents=[changes], help="install and start it")
    kind = add.add_mutually_exclusive_group(required=True)
    kind.add_argument("--kiosk", action="store_true", help="on the screen, full screen")
    kind.add_argument("--headless", action="store_true", help="without a screen")
    add.add_argument("--linuxfb", action="store_true", help="with --kiosk: the framebuffer instead of cage")
    add.add_argument(
        "--source", metavar="SOURCE", help="the camera to write into the settings: csi:0, /dev/video0 …"
    )
    add.add_argument(
        "--command", metavar="CMD", help="how edgecam is started (default: this very installation)"
    )
    remove = verbs.add_parser("uninstall", parents=[changes], help="stop it and take everything back")
    remove.add_argument(
        "--purge", action="store_true", help="also clips, caches, logs, settings and the account"
    )
    verbs.add_parser(
        "status", parents=[common], help="whether it runs, since when, and how often it restarted"
    )
    logs = verbs.add_parser("logs", parents=[common], help="what it says, as it says it")
    logs.add_argument(
        "-n", "--lines", type=int, default=50, metavar="N", help="how many lines of the past (50)"
    )
    logs.add_argument("--no-follow", action="store_true", help="end after those lines")
    verbs.add_parser("restart", parents=[common], help="stop and start it")
    verbs.add_parser(
        "reload", parents=[common], help="apply changed settings without losing a frame of a clip"
    )
    return parser


def main(argv: Sequence[str] | None = None, run: Execute = execute) -> int:
    """Run ``edgecam service`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_args(argv)
    try:
        target = Target(root=args.root, user=args.user)
        if args.verb == "install":
            if args.command:
                target = Target(root=args.root, user=args.user, command=args.command)
            return _install(args, target, run)
        if args.verb == "uninstall":
            return _change(args, plan_uninstall(target, args.purge), run)
        return _look_after(args, target, run)
    except KeyboardInterrupt:
        return EXIT_OK
    except EdgecamError as error:
        err(f"edgecam service: {error}\n")
        return error.exit_code


def _say(text: str) -> None:
    out(text + "\n")
    sys.stdout.flush()


def _install(args: argparse.Namespace, target: Target, run: Execute) -> int:
    mode = _mode(args)
    plan = plan_install(target, mode, args.source)
    faults = verify(target, mode, run)
    plan.problems += [f"systemd-analyze verify: {line}" for line in faults]
    if not faults:
        plan.notes.insert(0, "systemd-analyze verify has no complaint about the units")
    status = _change(args, plan, run)
    if status == EXIT_OK and not args.dry_run:
        _say(f"settings: {target.settings / 'edgecam.toml'}")
        _say("look at it with: edgecam service status, edgecam service logs")
    return status


def _mode(args: argparse.Namespace) -> Mode:
    if args.linuxfb and (args.user or not args.kiosk):
        raise ConfigError("--linuxfb goes with --kiosk on the system, not with --user or --headless")
    if args.user:
        return "user-kiosk" if args.kiosk else "user"
    if args.kiosk:
        return "linuxfb" if args.linuxfb else "kiosk"
    return "headless"


def _change(args: argparse.Namespace, plan: Plan, run: Execute) -> int:
    _say(plan.describe())
    if plan.problems:
        err("edgecam service: nothing was changed; see the problems above\n")
        return EXIT_USAGE
    if args.dry_run:
        _say("dry run: nothing was changed")
        return EXIT_OK
    if not args.yes and not _agreed():
        _say("nothing was changed")
        return EXIT_OK
    for remark in plan.apply(run):
        _say(f"remark: {remark}")
    _say("done")
    return EXIT_OK


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("without a terminal to ask on, say --yes (or --dry-run to look first)")
    return input("Go ahead? [y/N] ").strip().lower() in ("y", "yes")


def _unit(target: Target) -> str:
    record = installed(target)
    if record is not None:
        return f"{record.unit}.service"
    for name in SYSTEM_UNITS:
        # the Debian package's lie elsewhere; enabling one puts a link here
        if (target.units / f"{name}.service").exists() or any(target.units.glob(f"*.wants/{name}.service")):
            return f"{name}.service"
    raise ConfigError(
        "edgecam is not installed as a service here: "
        f"`{here().as_root('service install --kiosk')}` (or --headless) does it"
        + ("" if target.user else "; for a service in your own session add --user")
    )


def _look_after(args: argparse.Namespace, target: Target, run: Execute) -> int:
    unit = _unit(target)
    if not target.live and not target.user:
        raise ConfigError(f"systemd does not run here: {unit} is installed and will start at boot")
    if args.verb == "status":
        return _status(target, unit, run)
    if args.verb == "logs":
        where = ["--user"] if target.user else []
        follow = [] if args.no_follow else ["-f"]
        return subprocess.call(["journalctl", *where, "-u", unit, "-n", str(args.lines), *follow])
    status, printed = run(target.systemctl(args.verb, unit))
    if status != 0:
        raise EdgecamError(
            f"systemctl {args.verb} {unit} failed: {printed[-400:]} (see `edgecam service logs`)"
        )
    _say(f"{unit}: {args.verb} done")
    return EXIT_OK


_SHOWN = ("ActiveState", "SubState", "Result", "StatusText", "NRestarts", "ActiveEnterTimestamp", "MainPID")


def _status(target: Target, unit: str, run: Execute) -> int:
    code, printed = run(target.systemctl("show", unit, "--property=" + ",".join(_SHOWN)))
    if code != 0:
        raise EdgecamError(f"systemctl show {unit} failed: {printed[-400:]}")
    values = dict(line.partition("=")[::2] for line in printed.splitlines() if "=" in line)
    active = values.get("ActiveState") == "active"
    _say(f"{unit}: {values.get('ActiveState', '?')} ({values.get('SubState', '?')})")
    if active:
        _say(f"  since    {values.get('ActiveEnterTimestamp', '?')}, process {values.get('MainPID', '?')}")
    elif values.get("Result") not in (None, "success"):
        _say(f"  ended by {values.get('Result')}; look at `edgecam service logs`")
    if values.get("StatusText"):
        _say(f"  says     {values['StatusText']}")
    _say(f"  restarts {values.get('NRestarts', '?')}")
    return EXIT_OK if active else EXIT_RUNTIME


if __name__ == "__main__":
    raise SystemExit(main())
