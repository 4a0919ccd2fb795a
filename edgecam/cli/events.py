"""``edgecam events``: what happened, how often, why not, and what other rules would have told."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from edgecam.cli.clips import folder_of_clips, index_errors, parse_time
from edgecam.cli.models_pages import page_width
from edgecam.core.console import out
from edgecam.core.errors import EXIT_OK, ConfigError, RecordError
from edgecam.core.events import Event
from edgecam.host.beneath import write_new
from edgecam.record.library.events import EventFilter, EventStore, placed
from edgecam.record.library.index import Library
from edgecam.record.library.journal import FOLDER, load_picture

_EXAMPLES = """\
examples:
  edgecam events list --dir clips --since 24h --class person --zone door
  edgecam events show k3f9qa                          one event, and all that was told of it
  edgecam events watch --rule person-at-door          new ones as they come, until Ctrl-C
  edgecam events counts --since 7d --by day           crossings, visits and objects
  edgecam events export --since 24h --to events.csv   or a .jsonl file, or a folder with the pictures
  edgecam events why --clip 2026-11-20_10-00-00Z --at 12.3s --track 4
  edgecam events replay --since 24h --config new.toml what would be gained and lost

An event is named by its id or the six letters at its end. The folder is --dir, else what the environment's
EDGECAM_RECORD names, else the current one.
"""
ACTIONS = ("list", "show", "watch", "export", "counts", "why", "replay")
_KINDS = ("object", "zone", "line", "occupancy", "motion", "camera", "board", "clip")
#: How often ``watch`` looks for new lines.
LOOK_S = 0.3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam events",
        description="What happened: zones, lines, counts and rules, with pictures and clips.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=ACTIONS, metavar="|".join(ACTIONS))
    parser.add_argument("names", nargs="*", metavar="EVENT", help="show: which")
    parser.add_argument("--dir", type=Path, help="folder of clips")
    parser.add_argument("--since", metavar="TIME", help="after: 2026-11-20T10:00, or 24h ago")
    parser.add_argument("--until", metavar="TIME", help="begun before")
    parser.add_argument("--camera", metavar="NAME", help="of this camera")
    parser.add_argument("--class", dest="label", metavar="CLASS", help="of this class")
    parser.add_argument("--zone", metavar="NAME", help="in this zone, or across this line")
    parser.add_argument("--rule", metavar="NAME", help="told by this rule")
    parser.add_argument("--kind", choices=_KINDS, metavar="|".join(_KINDS), help="of this kind")
    parser.add_argument("-n", "--newest", type=int, metavar="N", help="list: only the last N")
    parser.add_argument("--by", choices=("hour", "day"), default="day", help="counts: per hour or day")
    parser.add_argument("--to", type=Path, metavar="FILE|DIR", help="export: a .csv, a .jsonl, or a folder")
    parser.add_argument("--clip", metavar="CLIP", help="why: in which clip")
    parser.add_argument("--at", metavar="TIME", help="why: at which second of it, such as 12.3s")
    parser.add_argument("--track", type=int, metavar="N", help="why: of this track only")
    parser.add_argument("--config", metavar="FILE.toml", help="why, replay: by the rules of this file")
    parser.add_argument("--json", action="store_true", help="one JSON object per event")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam events`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_intermixed_args(argv)
    folder = folder_of_clips(args.dir)
    with index_errors(folder):
        return _run(folder, args)


def wanted(args: argparse.Namespace) -> EventFilter:
    """The filter that the arguments describe. Raises ConfigError."""
    since, until = parse_time(args.since, "--since"), parse_time(args.until, "--until")
    return EventFilter(
        None if since is None else since.timestamp(),
        None if until is None else until.timestamp(),
        args.camera,
        args.label,
        args.zone,
        args.rule,
        args.kind,
    )


def _run(folder: Path, args: argparse.Namespace) -> int:
    if args.action in ("why", "replay"):
        from edgecam.cli import events_replay  # here, since it reads settings and rules

        return events_replay.why(folder, args) if args.action == "why" else events_replay.replay(folder, args)
    if not (folder / FOLDER).is_dir():
        raise ConfigError(
            f"there are no events in '{folder}'; name the folder of clips (--record) with --dir"
        )
    with EventStore(folder) as store:
        if args.action == "watch":
            return _watch(store, args)
        if args.action == "show":
            return _show(store, folder, args)
        with Library(folder) as library:
            found = placed(store.events(wanted(args), newest=args.newest), library.clips())
    if args.action == "list":
        for line in (event.to_json() for event in found) if args.json else table(found, page_width()):
            _say(line)
    elif args.action == "counts":
        _counts(found, args.by, as_json=args.json)
    else:
        _export(found, folder, args.to)
    return EXIT_OK


def _what(event: Event) -> str:
    """What happened, and where."""
    what = {
        "line": f"{event.label} across {event.line} {event.direction}",
        "occupancy": " ".join(f"{n} {label}" for label, n in (event.counts or {}).items() if n)
        or event.label
        or "",
        "motion": "motion",
    }.get(event.kind, event.label or event.state or "")
    where = f" in {', '.join(event.entered_zones)}" if event.entered_zones and event.kind != "line" else ""
    return f"{what}{where}"


def table(events: Sequence[Event], width: int) -> Iterator[str]:
    """Events for people, a heading a day, each line within ``width`` columns; ``show`` says the rest."""
    if not events:
        yield "no events"
        return
    day = ""
    cameras = len({event.camera for event in events}) > 1
    wide = max(len(event.camera) for event in events) + 2 if cameras else 0
    room = max(width - 39 - wide, 16)
    for event in events:
        begun = datetime.fromtimestamp(event.start_time, timezone.utc).astimezone()
        if f"{begun:%Y-%m-%d}" != day:
            day = f"{begun:%Y-%m-%d}"
            yield day
        moment = event.end_time is None or event.kind == "line"
        lasted = "" if moment else f"{(event.end_time or 0.0) - event.start_time:.1f} s"
        what = f"{_what(event)}{f' [{event.rule}]' if event.rule else ''}"
        what = what if len(what) <= room else f"{what[: room - 1]}…"
        row = f"  {begun:%H:%M:%S}  {event.kind:<9}  {what:<{room}}  {lasted:>6}"
        yield f"{row}  {event.camera if cameras else '':<{wide}}{event.id[-6:]}"
    yield f"More of one: edgecam events show {events[-1].id[-6:]}"


def line_of(event: Event) -> str:
    """An event in one line for people."""
    begun = datetime.fromtimestamp(event.start_time, timezone.utc).astimezone()
    lasted = "" if event.end_time is None else f"{event.end_time - event.start_time:.1f} s"
    clip = f"  {event.clip} at {event.clip_s:.1f} s" if event.clip and event.clip_s is not None else ""
    rule = f"  [{event.rule}]" if event.rule else ""
    return (
        f"{event.id[-6:]}  {begun:%Y-%m-%d %H:%M:%S}  {event.kind:<9}  {_what(event)}"
        f"{f'  {lasted}' if lasted else ''}{rule}  {event.camera}{clip}"
    )


def _show(store: EventStore, folder: Path, args: argparse.Namespace) -> int:
    if not args.names:
        raise ConfigError("edgecam events show: name an event by its id or its last six letters")
    for name in args.names:
        event = store.find(name)
        if event is None:
            raise ConfigError(f"there is no event '{name}' in '{folder}'; see edgecam events list")
        if args.json:
            for moment in store.moments(event.id):
                _say(moment.to_json())
            continue
        with Library(folder) as library:
            (event,) = placed([event], library.clips())
        _say(line_of(event))
        for key, value in event.to_dict().items():
            if key not in ("v", "type", "path") and value not in (None, [], ()):
                _say(f"  {key:<14} {json.dumps(value)}")
        told = ", ".join(f"{m.type} {m.time - event.start_time:+.1f} s" for m in store.moments(event.id))
        _say(f"  told           {told}")
        if event.snapshot and (folder / FOLDER / event.snapshot).exists():
            _say(f"  picture        {folder / FOLDER / event.snapshot}")
    return EXIT_OK


def _watch(store: EventStore, args: argparse.Namespace) -> int:
    """New moments as they come; ends by Ctrl-C."""
    chosen = wanted(args)
    last = next((key for key, _ in store.newest()), None)
    while True:
        store.update()
        for key, event in store.since(last):
            last = key
            if chosen.lets_by(event):
                _say(event.to_json() if args.json else f"{event.type:<6} {line_of(event)}")
        sys.stdout.flush()
        time.sleep(LOOK_S)


def _counts(found: Iterable[Event], by: str, *, as_json: bool) -> None:
    """How many objects, visits and crossings there were, per hour or day of the board's time."""
    numbers: Counter[tuple[str, str, str, str]] = Counter()
    for event in found:
        if event.rule:
            continue
        begun = datetime.fromtimestamp(event.start_time, timezone.utc).astimezone()
        when = f"{begun:%Y-%m-%d %H:00}" if by == "hour" else f"{begun:%Y-%m-%d}"
        if event.kind == "line":
            where = f"line {event.line} {event.direction}"
        elif event.kind == "zone":
            where = f"zone {', '.join(event.entered_zones[:1])}" if event.entered_zones else "zone"
        elif event.kind == "object":
            where = "seen"
        else:
            continue
        numbers[when, event.camera, where, event.label or ""] += 1
    for (when, camera, where, label), number in sorted(numbers.items()):
        if as_json:
            row = {"time": when, "camera": camera, "place": where, "label": label, "count": number}
            _say(json.dumps(row))
        else:
            _say(f"{when}  {number:>6}  {label:<12}  {where:<24}  {camera}")


def _export(found: Sequence[Event], folder: Path, to: Path | None) -> None:
    if to is None:
        raise ConfigError("edgecam events export: say where to with --to FILE.csv, FILE.jsonl or a folder")
    try:
        if to.suffix == ".csv":
            _export_csv(found, to)
        elif to.suffix == ".jsonl":
            to.write_text("".join(event.to_json() + "\n" for event in found), encoding="ascii")
        else:
            to.mkdir(parents=True, exist_ok=True)
            (to / "events.jsonl").write_text("".join(e.to_json() + "\n" for e in found), encoding="ascii")
            for name in {event.snapshot for event in found if event.snapshot}:
                if (data := load_picture(folder, name)) is not None:
                    write_new(to / name, data)
    except OSError as error:
        raise RecordError(f"cannot write to '{to}': {error.strerror}") from error
    _say(f"{len(found)} events to {to}")


_COLUMNS = (
    *("id", "kind", "camera", "label", "track_id", "top_score", "start_time", "end_time", "entered_zones"),
    *("line", "direction", "dwell_s", "speed", "energy_j", "rule", "clip", "clip_s", "snapshot"),
)


def _export_csv(found: Sequence[Event], to: Path) -> None:
    with to.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for event in found:
            row = [getattr(event, name) for name in _COLUMNS]
            writer.writerow([" ".join(v) if isinstance(v, tuple) else v for v in row])


def _say(text: str) -> None:
    out(text + "\n")
