"""``edgecam events why`` and ``edgecam events replay``: what was recorded, seen through rules once more."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import cv2

from edgecam.app.replay import Difference, ExplainedFrame, bare, compare, play, why_of
from edgecam.cli.clips import parse_time
from edgecam.cli.events import line_of, wanted
from edgecam.config import load
from edgecam.core.console import out
from edgecam.core.errors import EXIT_OK, ConfigError, suggest
from edgecam.core.events import Event
from edgecam.core.units import Seconds
from edgecam.media.reading import picture_at
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.events import EventStore
from edgecam.record.library.index import Library
from edgecam.record.library.journal import FOLDER, rules_at
from edgecam.rules.reading import build, from_json
from edgecam.rules.spec import RuleSet

#: Blue, green, red of the box in a picture.
_COLOURS = {"gained": (60, 220, 60), "lost": (60, 60, 240)}


def _rules_of(path: str) -> RuleSet:
    """The rules of a settings file. Raises ConfigError."""
    config = load({"config": path})
    return build(
        config.zone,
        config.line,
        config.rule,
        record_on=config.record_on,
        snapshot_on=config.snapshot_on,
    )


def _kept_rules(folder: Path, clip: ClipInfo) -> RuleSet:
    """The rules that held when a clip was recorded, which the library remembers. Raises ConfigError."""
    kept = rules_at(folder, clip.started.timestamp() + clip.duration_s)
    if kept is None:
        raise ConfigError(
            f"the rules by which '{clip.name}' was recorded are not known; name a settings file with --config"
        )
    return from_json(kept)


def why(folder: Path, args: argparse.Namespace) -> int:
    """``edgecam events why``."""
    if args.clip is None or args.at is None:
        raise ConfigError("edgecam events why: say where with --clip CLIP and --at SECONDS, such as 12.3s")
    try:
        at_s = float(Seconds.parse(args.at))
    except ValueError as error:
        raise ConfigError(f"--at: {error}") from None
    with Library(folder) as library:
        clip = library.find(args.clip)
        clips = library.clips()
    if clip is None:
        near = suggest(Path(args.clip).stem, [Path(c.name).stem for c in clips])
        raise ConfigError(f"there is no clip '{args.clip}' in {folder}{near}")
    rules = _rules_of(args.config) if args.config else _kept_rules(folder, clip)
    explained = why_of(folder, clips, clip, at_s, rules)
    _tell(explained, clip, args.track, as_json=args.json)
    return EXIT_OK


def _tell(explained: ExplainedFrame, clip: ClipInfo, track: int | None, *, as_json: bool) -> None:
    reasons = [r for r in explained.reasons if track is None or r.track_id == track]
    if as_json:
        for reason in reasons:
            _say(json.dumps({"v": 1, "clip": clip.name, "at_s": explained.at_s, **asdict(reason)}))
        return
    _say(f"{clip.name} at {explained.at_s:.2f} s")
    seen = [(s.track_id, s.label, s.score) for s in explained.frame.seen]
    for number, label, score in seen:
        if track is not None and number != track:
            continue
        _say(f"  track {number}, {label}, score {score:.2f}")
        for reason in (r for r in reasons if r.track_id == number):
            _say(f"    {reason.rule}: {reason.text}")
    for number, label, score in explained.frame.tentative:
        if track in (None, number):
            _say(f"  track {number}, {label}, score {score:.2f}: tentative, seen too little to count")
    for reason in (r for r in reasons if r.track_id is None):
        _say(f"  {reason.rule}: {reason.text}")
    if not reasons:
        known = sorted({number for number, _, _ in seen})
        if track is not None and track not in known:
            there = f"; there are {', '.join(map(str, known))}" if known else ""
            raise ConfigError(f"track {track} is not in {clip.name} at {explained.at_s:.2f} s{there}")
        _say("  nothing was seen here" if explained.has_rules else "  there are no rules")


def replay(folder: Path, args: argparse.Namespace) -> int:
    """``edgecam events replay``."""
    since, until = parse_time(args.since, "--since"), parse_time(args.until, "--until")
    with Library(folder) as library:
        clips = library.clips(since=since, until=until)
        if args.camera:
            clips = [c for c in clips if args.camera.rstrip(":") in (c.camera, c.camera.rstrip(":"))]
    clips = [c for c in clips if "sidecar" in c.files]
    if not clips:
        raise ConfigError(f"no clip with its results beside it was recorded in '{folder}' then")
    rules = _rules_of(args.config) if args.config else _kept_rules(folder, clips[-1])
    begun = time.perf_counter()
    after = list(play(folder, clips, rules))
    took_s = time.perf_counter() - begun
    chosen = wanted(args)
    if args.json:
        for event in after:
            if chosen.lets_by(event):
                _say(bare(event).to_json())
        return EXIT_OK
    spans = [(c.started.timestamp(), c.started.timestamp() + c.duration_s) for c in clips]
    with EventStore(folder) as store:
        told = [m for _, m in store.since(None, limit=-1) if any(a <= m.time <= b + 1 for a, b in spans)]
    rest = [e for e in told if chosen.lets_by(e) and e.kind not in ("camera", "board", "clip")]
    found = compare(rest, (e for e in after if chosen.lets_by(e)))
    long_s = sum(b - a for a, b in spans)
    times = f"{long_s / max(took_s, 1e-6):,.0f} times real time"
    numbers = f"{found.kept} events as before, {len(found.gained)} gained, {len(found.lost)} lost"
    _say(f"{len(clips)} clips, {long_s / 3600:.2f} h in {took_s:.1f} s ({times}): {numbers}")
    for sign, events in (("+", found.gained), ("-", found.lost)):
        for event in events:
            _say(f"{sign} {line_of(event)}{_picture(folder, event)}")
    if args.to is not None:
        _pictures(folder, found, args.to)
    return EXIT_OK


def _picture(folder: Path, event: Event) -> str:
    if event.snapshot and (folder / FOLDER / event.snapshot).exists():
        return f"  {folder / FOLDER / event.snapshot}"
    return ""


def _pictures(folder: Path, found: Difference, to: Path) -> None:
    """A picture of each event that is gained or lost, out of its clip."""
    to.mkdir(parents=True, exist_ok=True)
    number = 0
    for sign, events in (("gained", found.gained), ("lost", found.lost)):
        for event in events:
            image = None
            if event.clip is not None and event.clip_s is not None:
                image = picture_at(folder, event.clip, event.clip_s)
            if image is None:
                continue
            if event.box_norm is not None:
                size = (image.shape[1], image.shape[0]) * 2
                x1, y1, x2, y2 = (round(v * n) for v, n in zip(event.box_norm, size, strict=True))
                cv2.rectangle(image, (x1, y1), (x2, y2), _COLOURS[sign], 2)
            number += cv2.imwrite(str(to / f"{sign}-{event.id}.jpg"), image)
    _say(f"{number} pictures in {to}")


def _say(text: str) -> None:
    out(text + "\n")
