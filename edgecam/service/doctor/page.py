"""Runs every check and lays the page out."""

from __future__ import annotations

import json
import logging
import textwrap
from collections.abc import Callable, Iterable, Iterator

from edgecam.core.package import __version__
from edgecam.service.doctor import board, condition, devices, packages
from edgecam.service.doctor.core import Around, Line, Status

_log = logging.getLogger(__name__)

_MARKS: dict[Status, tuple[str, str]] = {"ok": ("✓", "32"), "warn": ("!", "33"), "bad": ("✗", "31")}
_RESET = "\x1b[0m"


def examine(around: Around) -> list[Line]:
    """Every line of the page. Never raises: a check that fails is a line itself."""
    probes = around.probes([*packages.wanted_probes(around), "display", "cameras", "models"])
    try:
        # what needs no child first: the children work meanwhile
        page = {name: _collect(check(around), name) for name, check in _ALONE.items() if name not in _LAST}
        page |= {
            "imports": _collect(packages.check_imports(around, probes), "imports"),
            "providers": _collect(packages.check_providers(around, probes), "providers"),
            "screen": _collect(packages.check_screen(probes), "screen"),
            "cameras": _collect(devices.check_cameras(around, probes), "cameras"),
            "models": _collect(devices.check_models(around, probes), "models"),
        }
        page |= {name: _collect(_ALONE[name](around), name) for name in _LAST}
        return [line for name in _ORDER for line in page[name]]
    finally:
        probes.close()


_ALONE: dict[str, Callable[[Around], Iterable[Line]]] = {
    "board": board.check_board,
    "system": board.check_system,
    "python": board.check_python,
    "duplicates": packages.check_duplicates,
    "pairs": packages.check_pairs,
    "permissions": devices.check_permissions,
    "power": condition.check_power,
    "disk": condition.check_disk,
    "clock": condition.check_clock,
    "service": condition.check_service,
}
#: Once the children are done: beside them a disk looks slow, and systemd seems not to answer.
_LAST = ("disk", "service")
_ORDER = (
    *("board", "system", "python", "imports", "duplicates", "pairs", "providers", "screen", "cameras"),
    *("permissions", "models", "power", "disk", "clock", "service"),
)


def _collect(lines: Iterable[Line], name: str) -> list[Line]:
    found: list[Line] = []
    try:
        found.extend(lines)
    except Exception as error:  # one odd board must not cost the rest of the page
        _log.debug("%s", name, exc_info=True)
        problem = f"{type(error).__name__}: {error}"
        fix = "a fault of edgecam's: please report it with this page (edgecam doctor --json)"
        found.append(Line("doctor", name.replace("check_", ""), "warn", problem, fix))
    return found


def verdict(lines: Iterable[Line]) -> str:
    """One sentence for the page's end."""
    counts = {status: sum(line.status == status for line in lines) for status in ("bad", "warn")}
    if counts["bad"]:
        return f"{counts['bad']} to put right, {counts['warn']} to look at"
    return f"good, {counts['warn']} to look at" if counts["warn"] else "all good"


def render(lines: list[Line], colour: bool, columns: int | None = None) -> Iterator[str]:
    """The page, line by line: a mark, what, how it is, and below it the fix.

    columns: of the terminal, for wrapping; None for a file or a program.
    """
    yield f"edgecam {__version__}"
    width = max((len(line.title) for line in lines), default=0)
    section = ""
    for line in lines:
        if line.section != section:
            section = line.section
            yield f"\n{section}"
        mark, code = _MARKS[line.status]
        painted = f"\x1b[{code}m{mark}{_RESET}" if colour else mark
        first, *rest = _wrapped(line.detail, width + 6, columns)
        yield f"  {painted} {line.title:<{width}}  {first}"
        yield from rest
        if line.fix:
            first, *rest = _wrapped(line.fix, width + 8, columns)
            yield f"    {'':<{width}}  → {first}"
            yield from rest
    yield f"\n{verdict(lines)}"


def _wrapped(text: str, indent: int, columns: int | None) -> list[str]:
    """``text`` beside ``indent`` columns; the first line without them."""
    if columns is None:
        return [text]
    room = max(columns - indent, 30)
    first, *rest = textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False) or [""]
    return [first, *(" " * indent + line for line in rest)]


def as_json(lines: list[Line]) -> str:
    """The same for programs: ``{"v": 1, "verdict": …, "lines": [{section, title, status, detail, fix}]}``."""
    rows = [
        {"section": x.section, "title": x.title, "status": x.status, "detail": x.detail, "fix": x.fix}
        for x in lines
    ]
    page = {"v": 1, "edgecam": __version__, "verdict": verdict(lines), "lines": rows}
    return json.dumps(page, ensure_ascii=False, indent=1)
