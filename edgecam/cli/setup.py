"""``edgecam setup``: five questions, then a settings file and, if wanted, the service."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from edgecam.cli.setup_settings import RECORD_WORDS, Answers, Boot, Show, record_words, settings_of, toml_of
from edgecam.core.console import err, out
from edgecam.core.errors import EXIT_OK, EXIT_USAGE, ConfigError
from edgecam.service.install import plan_install
from edgecam.service.plan import Execute, Plan, execute
from edgecam.service.target import Target
from edgecam.service.units import Mode, own_command

_EXAMPLES = """\
examples:
  edgecam setup                      asks five questions; nothing is written before you have seen it
  sudo edgecam setup                 the same for a service that starts with the board
  edgecam setup --camera /dev/video0 --show window --record person --tell nobody --boot no --yes
                                     asks nothing

Questions: which camera, where to show it, record when, tell whom, start at boot. An older settings file is
kept beside the new one as edgecam.toml.before.
"""

_RECORD = {
    "never": "never",
    "person": "when a person is seen",
    "person,car": "when a person or a car is seen (or other classes: dog,bird …)",
    "motion": "when anything moves",
    "always": "all the time",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam setup",
        description="Set edgecam up by answering five questions.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--camera", metavar="SOURCE", help="as for --source")
    parser.add_argument(
        "--show", choices=("window", "fullscreen", "browser", "none"), help="where to show it"
    )
    parser.add_argument("--record", metavar="WHEN", help=f"{', '.join(RECORD_WORDS)}, or classes: person,car")
    parser.add_argument(
        "--tell", metavar="WHOM", help="nobody, a file for JSON lines, mqtt://BROKER or https://…"
    )
    parser.add_argument(
        "--boot", choices=("system", "user", "no"), help="with the board, your session, or not"
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="a disk image mounted at DIR"
    )
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask before writing")
    return parser


def main(argv: Sequence[str] | None = None, run: Execute = execute) -> int:
    """Run ``edgecam setup`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_args(argv)
    if args.root != Path("/") and args.boot in ("no", "user"):
        raise ConfigError(
            f"--root {args.root} goes with --boot system; with --boot {args.boot} all stands in your own home"
        )
    answers = Answers(
        camera=args.camera or _camera(),
        show=args.show or _show(),
        record=_record() if args.record is None else _known(args.record),
        tell=args.tell or _tell(),
        boot=args.boot or _boot(),
    )
    target = Target(root=args.root, user=answers.boot == "user")
    folder = target.settings if answers.boot == "system" else target.home / ".config" / "edgecam"
    clips = Path("/var/lib/edgecam/clips") if answers.boot == "system" else target.home / "edgecam" / "clips"
    text = toml_of(settings_of(answers, clips))
    plan = _plan(target, answers, folder / "edgecam.toml", text)
    if answers.boot == "system" and args.root == Path("/") and target.uid != 0:
        words = [*own_command().split(), "setup", *_as_options(answers)]
        plan.problems = [f"a service that starts with the board needs root: sudo {shlex.join(words)}"]
    _say(f"\n{text}\n{plan.describe()}")
    if plan.problems:
        err("edgecam setup: nothing was changed; see the problems above\n")
        return EXIT_USAGE
    if not args.yes and _ask("Write this? [Y/n] ").lower() not in ("", "y", "yes"):
        _say("nothing was changed")
        return EXIT_OK
    for remark in plan.apply(run):
        _say(f"remark: {remark}")
    _say("done; " + _next(answers, folder / "edgecam.toml"))
    return EXIT_OK


def _as_options(answers: Answers) -> list[str]:
    words = ["--camera", answers.camera, "--show", answers.show, "--record", answers.record]
    return [*words, "--tell", answers.tell, "--boot", answers.boot]


def _plan(target: Target, answers: Answers, path: Path, text: str) -> Plan:
    if answers.boot == "no":
        plan = Plan("write the settings")
        plan.replace(path, text, mode=0o600)
        return plan
    screen = answers.show in ("window", "fullscreen")
    mode: Mode = "headless"
    if answers.boot == "user":
        mode = "user-kiosk" if screen else "user"
    elif screen:
        mode = "kiosk"
    return plan_install(target, mode, settings_text=text)


def _next(answers: Answers, path: Path) -> str:
    if answers.boot == "no":
        return f"start it with: edgecam --config {path}"
    user = " --user" if answers.boot == "user" else ""
    return f"look at it with: edgecam service status{user}, edgecam service logs{user}"


# -- questions


def _ask(question: str) -> str:
    if not sys.stdin.isatty() and sys.stdin is sys.__stdin__:
        raise ConfigError(
            "setup asks questions: run it in a terminal, or answer with "
            "--camera, --show, --record, --tell, --boot and --yes"
        )
    try:
        return input(question).strip()
    except EOFError:
        raise ConfigError("setup was left without an answer; nothing was changed") from None


def _choose(question: str, choices: dict[str, str], default: str, *, free: bool = False) -> str:
    """One of ``choices`` by number or word; free: anything else that is typed, too."""
    words = list(choices)
    _say(f"\n{question}")
    for number, (word, text) in enumerate(choices.items(), 1):
        _say(f"  {number}  {text}{'  (just press Enter)' if word == default else ''}")
    while True:
        given = _ask("> ") or default
        if given.isdigit() and 1 <= int(given) <= len(words):
            return words[int(given) - 1]
        if given in words or (free and not given.isdigit()):
            return given
        _say(f"  a number from 1 to {len(words)}, please")


def _camera() -> str:
    from edgecam.capture.devices import find_cameras

    _say("looking for cameras …")
    cameras = find_cameras().cameras
    found = {camera.by_id or camera.source: f"{camera.name} ({camera.source})" for camera in cameras}
    found["address"] = "a network camera: its rtsp://… or http://… address"
    found["demo:"] = "none yet: photographs under a moving camera"
    answer = _choose("Which camera?", found, next(iter(found)) if len(found) > 2 else "demo:", free=True)
    while answer in ("address", ""):
        answer = _ask("address: ")
    return answer


def _show() -> Show:
    choices = {
        "window": "in a window",
        "fullscreen": "on the whole screen (a kiosk, if it starts at boot)",
        "browser": "in a browser on this machine: http://localhost:8080",
        "none": "nowhere: clips and messages only",
    }
    answer = _choose("Where shall it be shown?", choices, "window")
    return answer if answer in ("fullscreen", "browser", "none") else "window"  # type: ignore[return-value]


def _record() -> str:
    while True:
        answer = _choose("Record when?", _RECORD, "person", free=True)
        try:
            return _known(answer)
        except ConfigError as error:
            _say(f"  {error}")


def _known(when: str) -> str:
    """The answer, if the default detector can see what it names. Raises ConfigError."""
    from edgecam.inference.models.store import find_model, load_card
    from edgecam.record.trigger import PLACED, parse_triggers

    if not record_words(when):
        raise ConfigError("--record is empty; write person, motion, always or never")
    if any(mark in when for mark in PLACED):
        raise ConfigError(
            f"--record '{when}': there are no zones and lines yet; write person, and narrow it down later"
        )
    if when not in RECORD_WORDS:
        parse_triggers(record_words(when), load_card(find_model("default", "detection")).labels)
    return when


def _tell() -> str:
    choices = {
        "nobody": "nobody",
        "broker": "an MQTT broker, and Home Assistant behind it",
        "webhook": "a program with a web address: each event as JSON",
        "file": "a file: one JSON line per result",
    }
    answer = _choose("Tell whom what is seen?", choices, "nobody", free=True)
    if answer == "broker":
        given = _ask("broker's name or address: ") or "localhost"
        return given if "://" in given else f"mqtt://{given}"
    if answer == "webhook":
        return _ask("https://… address: ") or "nobody"
    return _ask("file: ") or "edgecam.jsonl" if answer == "file" else answer


def _boot() -> Boot:
    choices = {
        "no": "no, I start it myself",
        "user": "when I log in",
        "system": "with the board, without anybody logged in"
        + ("" if os.geteuid() == 0 else " (needs sudo)"),
    }
    answer = _choose("Start by itself?", choices, "system" if os.geteuid() == 0 else "no")
    return "system" if answer == "system" else "user" if answer == "user" else "no"


def _say(text: str) -> None:
    out(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
