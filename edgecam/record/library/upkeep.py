"""Looks after a folder of clips while it is recorded into: recovery, index, retention."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import av

from edgecam.media.reading import open_video_beneath
from edgecam.record.clip import ClipSummary
from edgecam.record.library.event_retention import event_bytes, retain_events
from edgecam.record.library.index import Library
from edgecam.record.library.refusals import Refusals
from edgecam.record.library.repair import recover
from edgecam.record.library.retention import Clocks, Keep, Space, apply_retention, measure
from edgecam.record.options import Target
from edgecam.record.sheet import ContactSheet, thumbnail

log = logging.getLogger(__name__)


class Upkeep:
    """Housekeeping that never stops a recording: what fails is said once, and left. The disk's thread.

    ``full`` says why nothing may be written at the moment, or is empty; ``space`` is the last measurement.
    Both are written by the disk's thread and read by others.
    """

    def __init__(self, target: Target, keep: Keep) -> None:
        self.full = ""
        self.space: Space | None = None
        self._target = target
        self._keep = keep
        self._library: Library | None = None
        self._told = False
        self._stale = False
        self._clips_refused = Refusals("clips")
        self._events_refused = Refusals("days of events")

    def begin(self) -> None:
        """Recover what a crash left, and bring the index up to date."""
        target = self._target
        try:
            if not target.is_folder:
                recover(target.folder, f".{_literal(target.path.stem)}*.part")
                return
            recovered = recover(target.folder)
            for clip in recovered:
                if not clip.stem.endswith(".clean") or len(recovered) == 1:
                    sheet_of(clip)
            self._library = Library(target.folder, update=False)
            self._library.update()
            if recovered:
                log.warning("%d clips were recovered after a crash", len(recovered))
        except (OSError, sqlite3.Error) as error:
            self._stale = True  # the index may only be locked: it is tried again with the next clip
            self._say(error)
        self.apply_retention()

    def finished(self, summary: ClipSummary) -> None:
        """Enter a clip, and make room for the next."""
        if self._library is not None:
            try:
                if self._stale:
                    self._library.update()
                    self._stale = False
                if summary.whole:
                    self._library.add(summary)
                else:
                    self._library.update()  # its file knows better how much of it there is
            except (OSError, sqlite3.Error) as error:
                # a full disk takes no index either; the files are the truth and are read again later
                self._stale = True
                log.info("clip '%s' is not in the index yet: %s", summary.paths, error)
                return  # every further call would wait for the lock as well
            self.apply_retention()

    def apply_retention(self, growing: int = 0) -> None:
        """Delete what has to go, and measure how much space is left."""
        if self._library is None:
            return
        try:
            held = event_bytes(self._target.folder) if self._keep.nbytes is not None else None
            clocks = Clocks.read(self._library)
            self.full = apply_retention(
                self._library,
                self._keep,
                growing=growing + (held or 0),
                clocks=clocks,
                refusals=self._clips_refused,
            )
            self.space = measure(self._library, self._keep)
            retain_events(
                self._library, self._keep, settled=clocks.settled, held=held, refusals=self._events_refused
            )
        except (OSError, sqlite3.Error) as error:
            self._say(error)

    def close(self) -> None:
        """Let go of the index."""
        if self._library is not None:
            self._library.close()
            self._library = None

    def _say(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            log.warning("looking after the clips in '%s' failed: %s", self._target.folder, error)


def sheet_of(clip: Path) -> Path | None:
    """Make the contact sheet of a finished clip from its key frames; None if that cannot be done."""
    sheet = ContactSheet()
    try:
        with open_video_beneath(clip.parent, clip.name) as source:
            stream = source.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            for frame in source.decode(stream):
                sheet.add(thumbnail(frame.to_ndarray(format="bgr24")), float(frame.time or 0.0))
    except (av.FFmpegError, OSError, LookupError, ValueError, AttributeError) as error:
        log.debug("no contact sheet of %s: %s", clip, error)
    return sheet.save(clip.with_name(clip.stem.removesuffix(".clean") + ".jpg"))


def _literal(name: str) -> str:
    """``name`` for a glob pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def keep_from(target: Target) -> Keep:
    """What the target's options promise."""
    options = target.options
    return Keep(options.keep_days, options.keep_bytes, options.keep_free_percent)
