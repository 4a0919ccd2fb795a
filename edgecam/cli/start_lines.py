"""What a start says: four short lines. The rest is for ``-v``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecam.config import Config
    from edgecam.ui.display import DisplayChoice

#: A line is not longer than a terminal of 80 columns, except where it names something to copy.
WIDTH = 79
#: Notes with these titles hold addresses to look at.
_ADDRESSES = ("web",)


def start_lines(
    notes: Sequence[tuple[str, str]], config: Config, detector_ms: float | None, display: DisplayChoice
) -> list[str]:
    """Source; model and rate; what is looked for, what is off and what is weak; where to look, with what
    is recorded.

    Without anything to look at, as was asked, the last line says what is recorded, or is left out.

    notes: (title, text) lines of the app. detector_ms: of one inference, where it was measured.
    """
    lines = [
        ("source", _source([text for title, text in notes if title == "source"])),
        ("model", _model(dict(notes), detector_ms)),
        ("finds", _finds(dict(notes))),
    ]
    short = [_cut(f"{title:<7} {text}") for title, text in lines if text]
    look, record = _look(notes, display), _record(config)
    if look and record and len(short) >= 3:
        both = f"{'look':<7} {look} · records {record}"
        if len(both) > WIDTH:  # where to look, without what may be said of it
            both = f"{'look':<7} {look.partition(' (')[0]} · records {record}"
        return [*short, both]
    rest = [("record", record), ("look", look)]
    return [*short, *(f"{title:<7} {text}" for title, text in rest if text)]


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH or " --" in line else line[: WIDTH - 1] + "…"


def _source(descriptions: Sequence[str]) -> str:
    if len(descriptions) == 1:
        return descriptions[0]
    return f"{len(descriptions)} cameras: {', '.join(text.split(': ')[0] for text in descriptions)}"


def _model(notes: Mapping[str, str], detector_ms: float | None) -> str:
    name = notes.get("model", "").partition(",")[0]
    rate = f", up to {1e3 / detector_ms:.0f} pictures a second here" if detector_ms else ""
    remembered = notes.get("remembered", "").partition(", as set")[0]
    return f"{name}{rate}" + (f"; {remembered} as before" if remembered else "")


def _finds(notes: Mapping[str, str]) -> str:
    """What is looked for; what is off, and how to have it; what of it is mostly missed."""
    finds, weak = notes.get("finds", ""), notes.get("weak", "").partition(":")[0]
    if not (finds and weak):
        return finds
    looked_for, _, off = finds.partition("; ")
    found = [word for word in looked_for.split(", ") if word not in weak.split(", ")]
    parts = (", ".join(found), off.partition(" or ")[0], f"weak: {weak}")
    return "; ".join(part for part in parts if part)


def _record(config: Config) -> str:
    parts = []
    if config.record is not None:
        causes = [*config.record_on, *_recording_rules(config)]
        when = f"when {', '.join(causes)}" if causes else "all the time"
        parts.append(f"{when}, into {_brief(config.record)}")
    if config.json not in (None, "-"):
        parts.append(f"results into {_brief(config.json)}")
    return "; ".join(parts)


def _brief(path: str | Path) -> str:
    """A path with ``~`` for the home folder."""
    home = str(Path.home())
    text = str(path)
    return f"~{text[len(home) :]}" if home != "/" and text.startswith(f"{home}/") else text


def _recording_rules(config: Config) -> list[str]:
    """The rules that record while they hold, by name."""
    return [str(rule.get("name")) for rule in config.rule if isinstance(rule, dict) and rule.get("record")]


def _look(notes: Sequence[tuple[str, str]], display: DisplayChoice) -> str:
    addresses = [text for title, text in notes if title in _ADDRESSES]
    if display.mode == "none":
        why = display.reason.removeprefix("headless").lstrip(":, ")
        if why == "as asked" and not addresses:
            return ""
        brief = why.partition(" (")[0] if "install" not in why else why
        return " · ".join(addresses) if addresses else f"no window ({brief})"
    shown = "the whole screen" if display.mode == "fullscreen" else "the window"
    return " · ".join([f"{shown} (H lists the keys)", *addresses])
