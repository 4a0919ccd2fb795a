"""``edgecam plugins``: what edgecam is made of, and what other packages add to it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from edgecam import plugins
from edgecam.cli.models_pages import columns
from edgecam.core.console import out, raw_out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, EdgecamError
from edgecam.host.installation import document
from edgecam.plugins import GROUPS, Plugin

_EPILOG = """\
A package adds sources, detectors, runtimes, sinks, actions and power meters by entry points;
the last line of the list names the page that tells how.

examples:
  edgecam plugins          everything, by kind, with the package and version it comes from
  edgecam plugins --added  only what other packages add
  edgecam --source mine:// --sink mine:file    use what a package adds

Each plug-in of another package is imported, so that one that cannot be is told here (exit code 1).
"""


def main(argv: Sequence[str]) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(
        prog="edgecam plugins",
        description="List what edgecam ships and what installed packages add, with version and origin.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--added", action="store_true", help="only what other packages add")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(argv)
    there = [plugin for group in GROUPS for plugin in plugins.every(group)]
    rows = [(plugin, _problem(plugin)) for plugin in there if not (options.added and plugin.is_built_in)]
    if options.json:
        raw_out(json.dumps({"v": 1, "plugins": [_row(*row) for row in rows]}, indent=2) + "\n")
    else:
        if rows:
            _print(rows)
        else:
            out("no package adds to edgecam here\n")
        out(f"how a package adds to edgecam: {document('plugins.md')}\n")
    return EXIT_RUNTIME if any(problem for _, problem in rows) else EXIT_OK


def _problem(plugin: Plugin) -> str:
    """Why it cannot be used, or nothing. edgecam's own are not imported: they may need extras."""
    if plugin.is_built_in:
        return ""
    try:
        plugin.load()
    except EdgecamError as error:
        return str(error)
    return ""


def _row(plugin: Plugin, problem: str) -> dict[str, str]:
    return {
        "group": plugin.group,
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "target": plugin.target,
        "problem": problem,
    }


def _print(rows: Sequence[tuple[Plugin, str]]) -> None:
    cells = [("kind", "name", "from", "module")]
    cells += [(p.group, p.name, f"{p.package} {p.version}", p.target.partition(":")[0]) for p, _ in rows]
    out("".join(f"{line}\n" for line in columns(cells)))
    for _, problem in rows:
        if problem:
            out(f"\n{problem}\n")
