"""Writes the reference pages that are made from the program itself: commands, settings, messages.

python scripts/reference_pages.py           write them: reference/commands.md, settings.md, troubleshooting.md
python scripts/reference_pages.py --check   exit with 1 if one of them is not current
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
from pathlib import Path

import tomllib

from edgecam.cli import parsers
from edgecam.cli.main import _GROUPS, COMMANDS
from edgecam.config.schema import Option, options
from edgecam.core import errors

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MADE = "Made from the program by `scripts/reference_pages.py`; do not edit.\n"

#: Folder of the package to the heading under which its messages stand, in the page's order.
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


def _text(node: ast.expr) -> str:
    """The message of a string expression, with ``…`` where a value stands; empty for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(v) if isinstance(v, ast.Constant) else "…" for v in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return _text(node.body) or _text(node.orelse)
    return ""


def messages() -> list[tuple[str, str, str]]:
    """(heading of the room, error's class, message) of all that the program raises for people."""
    kinds = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.EdgecamError)
    }
    found: set[tuple[str, str, str]] = set()
    for file in sorted((ROOT / "edgecam").rglob("*.py")):
        parts = file.relative_to(ROOT / "edgecam").parts
        room = ROOMS[parts[0] if len(parts) > 1 else ""]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Name)
                or node.func.id not in kinds
            ):
                continue
            text = " ".join(_text(node.args[0]).split()) if node.args else ""
            if len(re.sub(r"[^a-z]", "", text)) >= 8:
                found.add((room, node.func.id, text))
    order = list(dict.fromkeys(ROOMS.values()))
    return sorted(found, key=lambda m: (order.index(m[0]), m[2].lower()))


def heading_of(message: str) -> str:
    """A message as a heading: what Markdown would take for its own is escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", message)


def troubleshooting() -> str:
    """The page: what people see first, then every message."""
    told = tomllib.loads((DOCS / "explanations.toml").read_text(encoding="utf-8"))
    used: set[str] = set()
    lines = [(DOCS / "troubleshooting-head.md").read_text(encoding="utf-8").rstrip(), ""]
    room = ""
    for of_room, kind, text in messages():
        if of_room != room:
            room = of_room
            lines += [f"## {room}", ""]
        code = getattr(errors, kind).exit_code
        lines += [f"### {heading_of(text)}", "", f"`{kind}`, exit code {code}.", ""]
        for words, why in told.items():
            if words in text:
                used.add(words)
                lines += [why.strip(), ""]
    unused = told.keys() - used
    if unused:
        raise SystemExit(f"docs/explanations.toml explains messages that no longer exist: {sorted(unused)}")
    return "\n".join(lines).rstrip() + "\n"


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```\n"


def commands() -> str:
    """Every command with its own --help."""
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
    return f"`{value}`"


def _row(option: Option) -> str:
    wish = (option.metavar or "|".join(option.choices) or "").replace("|", "\\|")
    name = f"`{option.flag}{f' {wish}' if wish else ''}`"
    text = re.sub(r"([|<>])", r"\\\1", option.description)
    return f"| {name} | {text} | {_default(option)} | {'yes' if option.live else ''} |"


def settings() -> str:
    """Every setting, by group."""
    lines = [
        "# Settings",
        "",
        MADE,
        "One name everywhere: `--max-temp 75` on the command line, `EDGECAM_MAX_TEMP=75` in the environment,",
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
    os.environ["COLUMNS"] = "100"  # argparse folds its help to the terminal
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
