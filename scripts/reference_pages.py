"""Write the reference pages that are generated from the program: commands, settings, messages.

python scripts/reference_pages.py           write them: reference/commands.md, settings.md, troubleshooting.md
python scripts/reference_pages.py --check   exit with 1 if one of them is not current
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import tomllib
from program_messages import collect

from edgecam.cli import parsers
from edgecam.cli.main import _GROUPS, COMMANDS
from edgecam.config.options import Option, options
from edgecam.core import errors

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MADE = "<!-- Made from the program by scripts/reference_pages.py; do not edit. -->\n"

#: Folder of the package: the heading of its messages, in the page's order.
ROOMS = {
    "config": "Settings and the command line",
    "cli": "Settings and the command line",
    "app": "Starting",
    "capture": "Cameras, files and addresses",
    "inference": "Models",
    "tracking": "Models",
    "rules": "Zones, lines and rules",
    "record": "Clips, events and the disk",
    "media": "Clips, events and the disk",
    "outputs": "Broker, messages, metrics",
    "web": "The page",
    "ui": "Window and screen",
    "overlay": "Window and screen",
    "service": "The service and the doctor",
    "telemetry": "Power and heat",
    "host": "The machine",
    "latency": "Measuring",
    "bench": "Measuring",
    "nn": "Training and exporting",
    "pipeline": "Inside",
    "core": "Inside",
    "": "Plug-ins and the front door",
}


def messages() -> list[tuple[str, str, str]]:
    """(heading, kind, message) of all the program's messages for users, in the page's order."""
    found = {(ROOMS[m.folder], m.kind, m.text) for m in collect(ROOT / "edgecam")}
    order = list(dict.fromkeys(ROOMS.values()))
    return sorted(found, key=lambda m: (order.index(m[0]), m[2].lower(), m[1]))


def told(kind: str) -> str:
    """Where users see a message of this kind."""
    if kind == "answer":
        return "An answer of the page."
    if kind == "log":
        return "A warning in the log; edgecam goes on."
    if kind == "reason":
        return "A part of a longer message: why."
    code = getattr(errors, kind).exit_code if hasattr(errors, kind) else ""
    return f"`{kind}`, exit code {code}." if code != "" else f"`{kind}`."


def heading_of(message: str) -> str:
    """A message as a heading, with Markdown's special characters escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", message)


def troubleshooting() -> str:
    """The page: common problems first, then every message."""
    explained = tomllib.loads((DOCS / "explanations.toml").read_text(encoding="utf-8"))
    used: set[str] = set()
    lines = [(DOCS / "troubleshooting-head.md").read_text(encoding="utf-8").rstrip(), ""]
    by_text: dict[tuple[str, str], list[str]] = {}
    for of_room, kind, text in messages():
        by_text.setdefault((of_room, text), []).append(kind)
    room = ""
    for (of_room, text), of_kinds in by_text.items():
        if of_room != room:
            room = of_room
            lines += [f"### {room}", ""]
        lines += [f"#### {heading_of(text)}", "", " ".join(told(kind) for kind in of_kinds), ""]
        for words, why in explained.items():
            if words in text:
                used.add(words)
                lines += [why.strip(), ""]
    unused = explained.keys() - used
    if unused:
        raise SystemExit(f"docs/explanations.toml explains messages that no longer exist: {sorted(unused)}")
    return "\n".join(lines).rstrip() + "\n"


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```\n"


def commands() -> str:
    """The page of all commands, each with its own --help."""
    parts = ["# Commands\n", MADE, "## edgecam\n", _block(parsers.parser_of("").format_help())]
    for name, (_, text) in COMMANDS.items():
        parser = parsers.parser_of(name)
        parts += [f"## edgecam {name}\n", f"{text[0].upper()}{text[1:]}.\n", _block(parser.format_help())]
        for sub, one in parsers.subcommands_of(parser).items():
            parts += [f"### edgecam {name} {sub}\n", _block(one.format_help())]
    return "\n".join(parts)


def _default(option: Option) -> str:
    value = option.default
    if value in (None, (), False) or option.kind == "count":
        return ""
    if isinstance(value, float):
        return f"`{value:g}{'s' if option.metavar == 'TIME' else ''}`"
    return f"`{value}`"


def _row(option: Option) -> str:
    wish = option.metavar or "|".join(option.choices) or ""
    name = f"`{option.flag}{f' {wish}' if wish and '|' not in wish else ''}`"
    if "|" in wish:  # a table in Markdown needs it escaped, even in code
        name += f" {', '.join(f'`{word}`' for word in wish.split('|'))}"
    text = re.sub(r"([|<>])", r"\\\1", option.description)
    return f"| {name} | {text} | {_default(option)} | {'yes' if option.live else ''} |"


def settings() -> str:
    """The page of all settings, by group."""
    lines = [
        "# Settings",
        "",
        MADE,
        "Every setting has one name everywhere:",
        "`--max-temp 75` on the command line, `EDGECAM_MAX_TEMP=75` in the environment,",
        "`max_temp = 75` in the TOML file. The command line wins over the environment, which wins over the",
        "file. *Live*: may change while edgecam runs, by the window, the page, MQTT or `systemctl reload`.",
        "",
    ]
    for group, title in _GROUPS.items():
        lines += [f"## {title[0].upper()}{title[1:]}", ""]
        lines += ["| option | what | default | live |", "|---|---|---|---|"]
        lines += [_row(option) for option in options() if option.group == group]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


PAGES = {
    "reference/commands.md": commands,
    "reference/settings.md": settings,
    "troubleshooting.md": troubleshooting,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    os.environ["COLUMNS"] = "100"  # argparse wraps its help to the width of the terminal
    stale = []
    for name, make in PAGES.items():
        page, text = DOCS / name, make()
        if check:
            if not page.exists() or page.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
    if stale:
        print(f"not current: {', '.join(stale)}; run python scripts/reference_pages.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
