"""``edgecam clips``: list, show, export, protect, delete and verify what was recorded."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edgecam.core.console import out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, ConfigError, RecordError, suggest
from edgecam.core.units import Seconds
from edgecam.host.beneath import open_beneath
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.database import is_storage_error
from edgecam.record.library.index import Library

_EXAMPLES = """\
examples:
  edgecam clips list --dir clips --label person --since 24h
  edgecam clips show 2026-11-20_10-00-00Z
  edgecam clips export 2026-11-20_10-00-00Z --to /media/usb
  edgecam clips protect 2026-11-20_10-00-00Z      never deleted for its age, last when the disk is full
  edgecam clips delete --until 2026-11-01 --yes
  edgecam clips verify                            decode every clip to its end

A clip is named by its file name, with or without the ending. The folder is --dir, else what the environment's
EDGECAM_RECORD names, else the current one.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam clips",
        description="List, show, export, protect, delete and verify recorded clips.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = ("list", "show", "export", "protect", "unprotect", "delete", "verify")
    parser.add_argument("action", choices=actions, metavar="|".join(actions))
    parser.add_argument(
        "names", nargs="*", metavar="CLIP", help="clips; without one, all that the filters let by"
    )
    parser.add_argument("--dir", type=Path, help="folder of clips")
    parser.add_argument("--since", metavar="TIME", help="recorded after: 2026-11-20T10:00, or 24h ago")
    parser.add_argument("--until", metavar="TIME", help="begun before")
    parser.add_argument("--label", metavar="CLASS", help="with this class in them")
    parser.add_argument("--cause", metavar="CAUSE", help="recorded because of: person, motion, key, api …")
    parser.add_argument("--camera", metavar="NAME", help="of this camera")
    parser.add_argument("--protected", action="store_true", help="protected ones only")
    parser.add_argument("--to", type=Path, metavar="DIR", help="export: where to")
    parser.add_argument("--yes", action="store_true", help="delete: without naming clips one by one")
    parser.add_argument("--force", action="store_true", help="delete: protected ones too")
    parser.add_argument("--json", action="store_true", help="one JSON object per clip")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam clips`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_intermixed_args(argv)
    folder = folder_of_clips(args.dir)
    with index_errors(folder):
        return _run(folder, args)


def _run(folder: Path, args: argparse.Namespace) -> int:
    with Library(folder) as library:
        clips = _chosen(library, args)
        if args.action == "list":
            _list(clips, library, as_json=args.json)
        elif args.action == "show":
            _show(clips, library, as_json=args.json)
        elif args.action == "verify":
            return _verify(clips, library, as_json=args.json)
        elif args.action == "export":
            _export(clips, library, args.to)
        elif args.action == "delete":
            _delete(clips, library, args)
        else:
            for clip in clips:
                try:
                    library.protect(clip, args.action == "protect")
                except OSError as error:
                    raise RecordError(
                        f"'{clip.name}' in '{folder}' cannot be changed: {error.strerror}; look who else "
                        "uses or owns it, and try again"
                    ) from error
                _say(f"{clip.name} is {'now' if args.action == 'protect' else 'no longer'} protected")
    return EXIT_OK


@contextmanager
def index_errors(folder: Path) -> Iterator[None]:
    """Turns an index of ``folder`` that cannot be used now into a RecordError."""
    try:
        yield
    except sqlite3.Error as error:
        if is_storage_error(error):
            what = "cannot be used now", "another program writes it, or the disk refuses; try again"
        else:
            what = "is damaged", "delete it, and it is made anew from what is there"
        raise RecordError(f"the index in '{folder}' {what[0]} ({error}): {what[1]}") from error


def folder_of_clips(given: Path | None) -> Path:
    """``--dir``, else what EDGECAM_RECORD names, else the current folder. Raises ConfigError."""
    folder = given or Path(os.environ.get("EDGECAM_RECORD") or ".")
    if not folder.is_dir():
        folder = folder.parent if given is None and folder.parent.is_dir() else folder
    if not folder.is_dir():
        raise ConfigError(f"there is no folder '{folder}'; name the folder of clips with --dir")
    return folder


def parse_time(text: str | None, option: str) -> datetime | None:
    """A time, or how long ago. Raises ConfigError."""
    if text is None:
        return None
    try:
        ago = Seconds.parse(text.removesuffix("ago").strip())
        return datetime.now(timezone.utc) - timedelta(seconds=ago)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise ConfigError(
            f"{option}: '{text}' is not a time; write 2026-11-20, 2026-11-20T10:00 or 24h"
        ) from None
    return when.astimezone(timezone.utc)  # without a zone it is meant in the board's


def _chosen(library: Library, args: argparse.Namespace) -> list[ClipInfo]:
    found = library.clips(
        since=parse_time(args.since, "--since"),
        until=parse_time(args.until, "--until"),
        label=args.label,
        camera=args.camera,
        cause=args.cause,
        protected=True if args.protected else None,
    )
    if not args.names:
        if args.action in ("export", "protect", "unprotect") and not _filtered(args):
            raise ConfigError(
                f"edgecam clips {args.action}: name a clip, or choose some with --since, --label …"
            )
        return found
    named = []
    for name in args.names:
        clip = library.find(name)
        if clip is None:
            near = suggest(Path(name).stem, [Path(c.name).stem for c in library.clips()])
            raise ConfigError(f"there is no clip '{name}' in {library.folder}{near}")
        if clip in found:
            named.append(clip)
    return named


def _filtered(args: argparse.Namespace) -> bool:
    return any((args.since, args.until, args.label, args.cause, args.camera, args.protected))


def _list(clips: list[ClipInfo], library: Library, *, as_json: bool) -> None:
    if as_json:
        for clip in clips:
            _say(json.dumps(clip.to_dict()))
        return
    if not clips:
        _say(f"no clips in {library.folder}")
        return
    wide = max(len(clip.name) for clip in clips)
    _say(f"{'clip':<{wide}}  {'length':>8}  {'size':>9}  {'why':<12} what")
    for clip in clips:
        flags = " ".join(f for f, on in (("protected", clip.protected), ("recovered", clip.recovered)) if on)
        what = ", ".join(clip.labels[:4]) + (" …" if len(clip.labels) > 4 else "")
        why = ",".join(clip.causes[:2]) or "-"
        row = f"{clip.name:<{wide}}  {_length(clip.duration_s):>8}  {_size(clip.nbytes):>9}  {why:<12} {what}"
        _say(f"{row}  {flags}".rstrip())
    number = "1 clip" if len(clips) == 1 else f"{len(clips)} clips"
    total = sum(clip.nbytes for clip in clips)
    per_day = library.bytes_per_day()
    rate = "" if per_day is None else f", {_size(per_day)} a day"
    _say(f"{number}, {_size(total)}{rate}; {_size(library.written_today())} written today")


def _show(clips: list[ClipInfo], library: Library, *, as_json: bool) -> None:
    for clip in clips:
        if as_json:
            _say(json.dumps(clip.to_dict(), indent=2))
            continue
        _say(f"{library.folder / clip.name}")
        rows = {
            "begun": clip.started.astimezone().isoformat(sep=" ", timespec="seconds"),
            "length": f"{_length(clip.duration_s)}, {clip.frames if clip.frames is not None else '?'} frames"
            + (f", {clip.missed} could not be recorded" if clip.missed else ""),
            "picture": f"{clip.size_wh[0]}x{clip.size_wh[1]}",
            "size": _size(clip.nbytes),
            "camera": clip.camera,
            "why": ", ".join(clip.causes),
            "events": ", ".join(f"{_length(at_s)} {cause}" for at_s, cause in clip.events),
            "what": ", ".join(clip.labels),
            "ended": clip.ended,
            "state": " ".join(
                s for s, on in (("protected", clip.protected), ("recovered", clip.recovered)) if on
            ),
            "files": ", ".join(clip.files.values()),
        }
        for name, value in rows.items():
            if value:
                _say(f"  {name:<8} {value}")


def _verify(clips: list[ClipInfo], library: Library, *, as_json: bool) -> int:
    from edgecam.record.library.inspection import verify

    bad = 0
    for clip in clips:
        for kind in ("annotated", "clean"):
            if kind not in clip.files:
                continue
            path = library.folder / clip.files[kind]
            verdict = verify(path)
            problems = list(verdict.problems)
            if clip.frames is not None and not problems and verdict.frames != clip.frames:
                problems.append(f"it holds {verdict.frames} frames where {clip.frames} were recorded")
            bad += bool(problems)
            if as_json:
                _say(json.dumps({"file": path.name, "frames": verdict.frames, "problems": problems}))
            else:
                _say(f"{path.name}: {verdict.frames} frames, {'; '.join(problems) or 'plays to its end'}")
    return EXIT_RUNTIME if bad else EXIT_OK


def _export(clips: list[ClipInfo], library: Library, to: Path | None) -> None:
    if to is None:
        raise ConfigError("edgecam clips export: say where to with --to DIR")
    try:
        to.mkdir(parents=True, exist_ok=True)
        for clip in clips:
            for path in library.paths(clip):
                _copy(library.folder, path, to / path.name)
            _say(f"{clip.name} → {to}")
    except OSError as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"cannot export to '{to}': {error.strerror or error}") from error


def _copy(folder: Path, path: Path, to: Path) -> None:
    """Copy a clip's file; no link is followed, neither here nor there."""
    import shutil

    with os.fdopen(open_beneath(folder, path.name), "rb") as file:
        try:
            made = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise RecordError(f"'{to}' is there already; export to another folder") from None
        with os.fdopen(made, "wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
        stat = os.fstat(file.fileno())
    os.utime(to, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _delete(clips: list[ClipInfo], library: Library, args: argparse.Namespace) -> None:
    if not args.names and not args.yes:
        raise ConfigError(f"this would delete {len(clips)} clips; say --yes, or name the clips")
    freed = 0
    deleted = 0
    for clip in clips:
        if clip.protected and not args.force:
            _say(f"{clip.name} is protected; delete it with --force")
            continue
        try:
            freed += library.delete(clip)
            deleted += 1
        except OSError as error:
            raise RecordError(f"cannot delete '{clip.name}': {error.strerror or error}") from error
    _say(f"deleted {deleted} clips, {_size(freed)}")


def _length(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _size(nbytes: float) -> str:
    for unit in ("B", "kB", "MB"):
        if nbytes < 1000:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.2f} GB"


def _say(text: str) -> None:
    out(text + "\n")
