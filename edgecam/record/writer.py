"""What the cutters write through: opens, fills and finishes clips, and lives with a disk that refuses."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecam.media.packets import PacketGroup
from edgecam.record.clip import Clip, ClipSummary
from edgecam.record.clip_files import ClipFiles
from edgecam.record.disk_fault import DiskFault
from edgecam.record.disk_writer import DiskThread
from edgecam.record.library.upkeep import Upkeep, keep_from
from edgecam.record.options import Target

log = logging.getLogger(__name__)

#: A file source waits this long for the disk before that counts as a fault.
LOSSLESS_WAIT_S = 60.0
#: What is queued must be on the disk within this at the end.
CLOSE_S = 12.0
TOO_SLOW = "the disk is too slow"
#: Seconds between two looks at the free space.
RETENTION_S = 10.0
#: So many paths of finished clips are remembered: a service that cuts one a minute makes 500,000 a year.
CLIPS_REMEMBERED = 100


class ClipWriter:
    """Implements ``cutting.Writer``. The recorder's thread; ``disk`` does what touches files.

    Counts: ``frames`` written, ``nbytes`` of finished clips and how many ``finished``. ``clips``: the last
    :data:`CLIPS_REMEMBERED` paths.
    """

    def __init__(self, target: Target, on_clip: Callable[[ClipSummary], None] | None = None) -> None:
        self.clip: Clip | None = None
        self.clips: deque[Path] = deque(maxlen=CLIPS_REMEMBERED)
        self.finished = 0
        self.frames = 0
        self.nbytes = 0
        self.missed = 0
        self.fault = DiskFault(target)
        self.upkeep = Upkeep(target, keep_from(target))
        self.templates: Mapping[str, Any] = {}
        self.size_wh = (0, 0)
        self._target = target
        self._on_clip = on_clip
        self._disk = DiskThread()
        self._choked = False
        self._retention_s = 0.0
        self._making_room = False

    def open(self) -> None:
        """Check the target, start the disk's thread, recover what a crash left. Raises RecordError."""
        self._target.check()
        self._disk.start()
        self._disk.submit(self.upkeep.begin)
        self._retention_s = time.monotonic()

    def flush(self, timeout_s: float) -> bool:
        """Whether the disk's thread has done all that it was given, at once or within ``timeout_s``."""
        return self._disk.wait_idle(timeout_s)

    def close(self) -> None:
        """Finish the disk's work. Raises what its thread died of."""
        try:
            self._disk.submit(self.upkeep.close)
        finally:
            self._disk.close(CLOSE_S)

    def look(self) -> bool:
        """Look, once per frame, whether the disk's thread reported a failure. False if a clip just failed."""
        clip = self.clip
        now_s = time.monotonic()
        if now_s - self._retention_s >= RETENTION_S and self._target.is_folder:
            self._retention_s = now_s
            self._make_room(0 if clip is None else clip.nbytes)
        if self.upkeep.full and not self.fault.message:
            self.fault.refuse(self.upkeep.full)
            self.end("no space")
            return False
        if clip is not None and clip.failed is not None:
            self.fault.failed(clip.failed)
            self.end(f"disk: {clip.failed.strerror or clip.failed}")
            return False
        self.fault.settle(clip)
        return True

    def begin(self, group: PacketGroup, causes: Sequence[str]) -> bool:
        """Open a clip that starts with ``group``; False while the disk cannot take it."""
        if self.fault.message and self.upkeep.full:
            if self.fault.due():
                self._make_room(0)
            self.fault.lose(1, self.fault.message)
            return False
        if not self.fault.may_begin():
            self.fault.lose(1, self.fault.message)
            return False
        target = self._target
        files = ClipFiles(
            target.folder,
            target.stem(group.wall),
            target.endings(),
            replaceable=target.replaceable,
            device=target.device,
            sync_s=target.options.sync_s,
        )
        self.clip = Clip(
            files,
            self._disk,
            self.templates,
            group,
            camera=target.options.camera,
            size_wh=self.size_wh,
            causes=tuple(causes),
            sheet=target.is_folder,
            on_finished=self._finished,
            on_lost=self._lost,
        )
        self._choked = False
        return True

    def add(self, group: PacketGroup) -> None:
        """Append to the open clip, if the disk keeps up; else leave out all until a key frame."""
        clip = self.clip
        assert clip is not None
        has_space = self._disk.wait_for_space(0.0 if self._target.options.live else LOSSLESS_WAIT_S)
        if not has_space or (self._choked and not group.key):
            if not self._choked:
                log.warning("recording: %s; frames are being left out", TOO_SLOW)
            self._choked = True
            self.fault.lose(1, TOO_SLOW)
            clip.missed += 1
            return
        if self._choked:
            self._choked = False
            log.warning("recording: the disk keeps up again; %d frames were left out", clip.missed)
        clip.add(group)
        self.frames += 1

    def end(self, why: str) -> None:
        """Finish the open clip; the disk's thread does the rest."""
        clip, self.clip = self.clip, None
        if clip is not None:
            self.nbytes += clip.nbytes
            clip.missed += self.missed
            self.missed = 0
            clip.finish(why)

    def _make_room(self, growing: int) -> None:
        """Have the disk's thread do so, unless it has not come to the last time yet."""
        if self._making_room:
            return

        def job() -> None:
            try:
                self.upkeep.apply_retention(growing)
            finally:
                self._making_room = False

        self._making_room = True
        self._disk.submit(job)

    def _lost(self, frames: int) -> None:
        """On the disk's thread."""
        self.fault.lose(frames, self.fault.message or "their clip could not be written")

    def _finished(self, summary: ClipSummary) -> None:
        """On the disk's thread."""
        paths = [path for kind, path in summary.paths.items() if kind != "sidecar"]
        self.clips.extend(paths)
        self.finished += len(paths)
        self.upkeep.finished(summary)
        if self._on_clip is not None:
            self._on_clip(summary)
