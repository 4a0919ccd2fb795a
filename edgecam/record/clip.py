"""One clip in the making: its views, its sidecar, its contact sheet, and what the index will say of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from edgecam.core.clock import isoformat_ms
from edgecam.host.boot import boot_id, uptime_s
from edgecam.media.encoder import TICKS_PER_S
from edgecam.media.mux import Muxer
from edgecam.media.packets import PacketGroup
from edgecam.record.clip_files import MARK, ClipFiles
from edgecam.record.closing import SUFFIXES, closing_box
from edgecam.record.disk_writer import DiskThread
from edgecam.record.limits import LABELS
from edgecam.record.sheet import ContactSheet

log = logging.getLogger(__name__)

#: A cause that was away for this long begins a new event when it comes back.
EVENT_PAUSE = 2 * TICKS_PER_S


@dataclass(frozen=True, slots=True)
class ClipSummary:
    """What is known of a finished clip.

    events: seconds from the clip's start, and cause. whole: False if the disk did not take all of it.
    boot, boot_s: the boot in which it was begun, and the seconds since then; empty and None if not known.
    """

    paths: Mapping[str, Path]
    sheet: Path | None
    camera: str
    started: datetime
    duration_s: float
    frames: int
    missed: int
    nbytes: int
    size_wh: tuple[int, int]
    causes: tuple[str, ...]
    labels: tuple[str, ...]
    ended: str
    events: tuple[tuple[float, str], ...] = ()
    whole: bool = True
    boot: str = ""
    boot_s: float | None = None


class Clip:
    """Takes packet groups, beginning with a key frame. Recorder's thread; the disk's thread writes.

    templates: the encoder's stream per view, in the order of ``PacketGroup.packets``.
    on_finished: called on the disk thread when the files have their names.
    on_lost: called on the disk thread with the number of frames if there is no file at all.
    """

    def __init__(
        self,
        files: ClipFiles,
        disk: DiskThread,
        templates: Mapping[str, Any],
        first: PacketGroup,
        *,
        camera: str,
        size_wh: tuple[int, int],
        causes: tuple[str, ...],
        sheet: bool,
        on_finished: Callable[[ClipSummary], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self.files = files
        self.first = first
        self.last = first
        self.frames = 0
        self.missed = 0
        self.nbytes = 0
        self.causes = list(causes)
        self._disk = disk
        self._camera = camera
        self._size_wh = size_wh
        self._labels: set[str] = set()
        self._events: list[tuple[float, str]] = []
        self._seen: dict[str, int] = {}
        self._delta = 0
        self._sheet = ContactSheet() if sheet else None
        self._on_finished = on_finished
        self._on_lost = on_lost
        self._lines: list[bytes] = []
        self._boot, self._boot_s = boot_id(), round(uptime_s(), 3)
        disk.submit(files.create)
        self._muxers = {
            view: Muxer(
                "." + files.endings[view].rpartition(".")[2],
                template,
                {"comment": json.dumps(self._header(view))},
            )
            for view, template in templates.items()
        }
        if "sidecar" in files.endings:
            self._line({"v": 1, "clip": self._header(",".join(templates))})

    def _header(self, view: str) -> dict[str, Any]:
        return {
            MARK: 1,
            "camera": self._camera,
            "started": isoformat_ms(self.first.wall),
            "view": view,
            "causes": self.causes[:8],
            "boot": self._boot,
            "boot_s": self._boot_s,
        }

    @property
    def failed(self) -> OSError | None:
        """Why the files cannot be written any more, once they cannot."""
        return self.files.failed

    @property
    def length_s(self) -> float:
        """From the first frame to the last."""
        return (self.last.pts - self.first.pts) / TICKS_PER_S

    def add(self, group: PacketGroup) -> None:
        """Append a packet group. Never waits."""
        start = group.pts - self.first.pts
        if self.frames:
            self._delta = group.pts - self.last.pts
        self.last = group
        self.frames += 1
        for (view, muxer), packet in zip(self._muxers.items(), group.packets, strict=True):
            self.nbytes += int(packet.size)
            muxer.add(packet, start, self._delta)
            self._write(view, muxer.take())
        if group.record is not None:
            found = group.record["detections"]
            self._labels.update(d["label"] for d in found if d.get("state") != "tentative")
            if "sidecar" in self.files.endings:
                self._line({**group.record, "clip_s": round(start / TICKS_PER_S, 4)})
        if self._sheet is not None and group.thumbnail is not None:
            self._sheet.add(group.thumbnail, start / TICKS_PER_S)

    def note(self, causes: Sequence[str], pts: int) -> None:
        """What was seen at ``pts``: a cause that was away for a while is a new event of this clip."""
        for cause in causes:
            if cause not in self._seen or pts - self._seen[cause] > EVENT_PAUSE:
                event = (round((pts - self.first.pts) / TICKS_PER_S, 3), cause)
                self._events.append(event)
                if cause not in self.causes:
                    self.causes.append(cause)
                if "sidecar" in self.files.endings:
                    self._line({"v": 1, "event": {"clip_s": event[0], "cause": cause}})
            self._seen[cause] = pts

    def _write(self, kind: str, pieces: list[tuple[int, bytes]]) -> None:
        for offset, data in pieces:
            self._disk.submit(partial(self.files.write, kind, offset, data), len(data))
            if offset:  # with every fragment, so that a killed program's sidecar is as long as its clip
                self._flush_lines()

    def _line(self, data: dict[str, Any]) -> None:
        self._lines.append(json.dumps(data).encode("ascii") + b"\n")

    def _flush_lines(self) -> None:
        if self._lines:
            data = b"".join(self._lines)
            self._lines = []
            self._disk.submit(partial(self.files.write, "sidecar", -1, data), len(data))

    def finish(self, ended: str) -> None:
        """Close the container and hand the clip over to be synced, named and indexed. Never waits."""
        for view, muxer in self._muxers.items():
            self._write(view, muxer.finish())
            if "sidecar" not in self.files.endings and self.files.endings[view].endswith(SUFFIXES):
                labels = sorted(self._labels)[:LABELS]
                box = closing_box({"labels": labels, "end": self._end(ended)})
                self._disk.submit(partial(self.files.write, view, -1, box), len(box))
        if "sidecar" in self.files.endings:
            self._line({"v": 1, "end": self._end(ended)})
            self._flush_lines()
        self._disk.submit(partial(self._finish_files, ended))

    def _end(self, why: str) -> dict[str, Any]:
        return {"why": why, "frames": self.frames, "missed": self.missed}

    def _finish_files(self, ended: str) -> None:
        """On the disk thread."""
        self.files.finish()
        paths = self.files.finished
        video = next((path for kind, path in paths.items() if kind != "sidecar"), None)
        if video is None:
            self._on_lost(self.frames)
            return
        sheet = None
        if self._sheet is not None:
            sheet = self._sheet.save(self.files.folder / f"{self.files.stem}.jpg")
        self._on_finished(
            ClipSummary(
                paths,
                sheet,
                self._camera,
                self.first.wall,
                self.length_s + self._delta / TICKS_PER_S,
                self.frames,
                self.missed,
                sum(path.stat().st_size for path in paths.values()),
                self._size_wh,
                tuple(self.causes),
                tuple(sorted(self._labels)),
                ended,
                tuple(self._events),
                self.files.failed is None,
                self._boot,
                self._boot_s,
            )
        )
