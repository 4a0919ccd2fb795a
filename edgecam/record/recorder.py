"""The recorder: results in, clips out. A sink of the pipeline, called from one thread.

Encoding happens in :meth:`Recorder.write`, on the thread that the pipeline gives each sink, behind that
sink's bounded queue. Everything that touches the disk happens on a second thread
(:mod:`edgecam.record.disk_writer`), so that a card that stalls for seconds costs memory and not frames.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from edgecam.core import clock
from edgecam.core.jsonformat import board_to_dict, result_to_dict
from edgecam.core.jsonformat import wall_time as result_time
from edgecam.core.types import Result, Stats
from edgecam.media.encoder import TICKS_PER_S, choose_encoder, distrust, even
from edgecam.media.motion import MotionDetector
from edgecam.media.packets import PacketGroup
from edgecam.record.clip import ClipSummary
from edgecam.record.cutting import ContinuousCutter, EventCutter
from edgecam.record.library.retention import Space
from edgecam.record.options import RecordOptions, Target
from edgecam.record.pace import Pace
from edgecam.record.sheet import thumbnail
from edgecam.record.timeline import Timeline
from edgecam.record.trigger import HandTrigger, parse_triggers
from edgecam.record.views import Painter, Views
from edgecam.record.writer import ClipWriter

__all__ = ["RecordOptions", "RecordStatus", "Recorder"]

log = logging.getLogger(__name__)

_TOO_SLOW = "this board is too slow for every frame"
_QUEUE_FULL = "they came faster than they could be encoded"


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """What the recorder is doing. ``fault`` is empty when all is well.

    lost: frames that are in no clip. why_lost: the reasons in words, those that cost most first. started:
    wall time of the clip's first frame, seconds since 1970.
    """

    recording: bool
    path: Path | None
    clips: int
    frames: int
    lost: int
    nbytes: int
    fault: str
    encoder: str
    space: Space | None
    why_lost: str = ""
    started: float | None = None


class Recorder:
    """Writes clips of the results it is given.

    target: a file (.mp4, .mkv, .mov), or a folder in which clips are named by their time.
    painter: gives the annotated picture of a result, (H, W, 3) uint8 BGR of the frame's size, on the
        recorder's thread. None: clips are clean.
    stats_provider: gives power and heat for the sidecar.

    ``open`` raises RecordError if the target cannot be written. Later, a full disk or a vanished folder
    does not raise: what was recorded is finished and playable, one message says so, and recording resumes
    when the disk takes it again. ``write`` raises only for defects. ``trigger``, ``stop_event`` and
    ``status`` may be called from any thread; everything else is for the sink's thread.
    """

    def __init__(
        self,
        target: Path | str,
        *,
        painter: Painter | None = None,
        options: RecordOptions | None = None,
        stats_provider: Callable[[], Stats] | None = None,
        on_clip: Callable[[ClipSummary], None] | None = None,
    ) -> None:
        self.options = options or RecordOptions(view="annotated" if painter else "clean")
        if painter is None and self.options.view != "clean":
            raise ValueError(f"a recording with view '{self.options.view}' needs a painter")
        self.target = Target(Path(target), self.options)
        self._painter = painter
        self._stats = stats_provider
        self._writer = ClipWriter(self.target, on_clip)
        self._timeline = Timeline(self.options.nominal_hz, self.options.constant_hz)
        self._pace = Pace()
        self._hand = HandTrigger()
        self._spec = parse_triggers(self.options.record_on)
        self._motion = MotionDetector() if self._spec.motion else None
        self._views: Views | None = None
        self._encoder = ""
        self._number = 0
        self._last_key: int | None = None
        #: Set by the owner: how many results the queue before this sink has dropped so far.
        self.queue_drops: Callable[[], int] = lambda: 0
        self._missed = 0  # in the whole run; the writer's count is its clip's
        self._opened = False
        if self.options.record_on:
            self._cutter: ContinuousCutter | EventCutter = EventCutter(
                self._writer,
                pre_s=self.options.pre_s,
                post_s=self.options.post_s,
                longest_s=self.options.longest_s,
                ring_bytes=self.options.ring_bytes,
            )
        else:
            self._cutter = ContinuousCutter(self._writer, self.target.segment_s)

    def open(self) -> None:
        """Check the target, and recover what a crash left there. Raises RecordError."""
        # What it measures is kept for the process: the first frames must not wait for it.
        choose_encoder((1280, 720), self.options.nominal_hz, live=self.options.live)
        self._writer.open()
        self._opened = True

    def trigger(self, cause: str = "api") -> None:
        """Begin an event recording, or prolong it. Any thread."""
        self._hand.request(cause)

    def stop_event(self) -> None:
        """End the running event recording now. Any thread."""
        self._hand.request_stop()

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was written so far is on the disk; False if it is not within ``timeout_s``."""
        return self._writer.flush(timeout_s)

    def status(self) -> RecordStatus:
        """What is going on, for a status line. Any thread; the figures may be a frame apart."""
        writer = self._writer
        clip = writer.clip
        lost = writer.fault.reasons()
        lost[_TOO_SLOW] = self._pace.skipped
        lost[_QUEUE_FULL] = self._missed
        why = sorted((-count, reason) for reason, count in lost.items() if count)
        return RecordStatus(
            clip is not None,
            None if clip is None else self.target.folder / f"{clip.files.stem}{self.target.suffix}",
            writer.finished,
            writer.frames,
            sum(lost.values()),
            writer.nbytes + (clip.nbytes if clip is not None else 0),
            writer.fault.message,
            self._encoder,
            writer.upkeep.space,
            "; ".join(reason if len(why) == 1 else f"{reason} ({-count})" for count, reason in why),
            None if clip is None else clip.first.wall.timestamp(),
        )

    @property
    def clips(self) -> list[Path]:
        """Finished clips, in order, the last hundred; complete after :meth:`close`."""
        return list(self._writer.clips)

    def write(self, result: Result) -> None:
        """Record one result."""
        frame, options = result.frame, self.options
        if options.source is not None and frame.source != options.source:
            return
        causes, stop = self._look(result)
        self._count_missed()
        waited_s = (clock.now_ns() - result.completed_ns) / 1e9 if result.completed_ns else 0.0
        if options.live and not self._pace.keep(waited_s) and not causes and not stop:
            return
        start_s = time.perf_counter()
        if not self._writer.look():
            self._cutter.rewind()
        try:
            self._encode(self._views_for(frame.size_wh), result, causes, stop)
        except av.FFmpegError as error:
            self._change_encoder(error)
            self._encode(self._views_for(frame.size_wh), result, causes, stop)
        if options.live:
            self._pace.spent(time.perf_counter() - start_s, frame.captured_ns)

    def close(self) -> None:
        """Finish the clip and the disk's work. Idempotent. Raises what the disk's thread died of."""
        if not self._opened:
            return
        self._opened = False
        try:
            self._end_views("closed")
        finally:
            self._writer.close()

    # What happens to one result

    def _look(self, result: Result) -> tuple[tuple[str, ...], bool]:
        causes, stop = self._hand.take()
        causes += self._spec.matches(result.detections)
        if self._motion is not None and self._motion.moved(result.frame.image):
            causes += ("motion",)
        if result.told is not None:
            causes += result.told.record
        return causes, stop

    def _count_missed(self) -> None:
        """Count frames that have a result but never came here, because this sink's queue was full."""
        missed = self.queue_drops()
        self._writer.missed += missed - self._missed
        self._missed = missed

    def _views_for(self, size_wh: tuple[int, int]) -> Views:
        if self._views is not None and self._views.size_wh != even(size_wh):
            self._end_views("size changed")
        if self._views is None:
            names = [kind for kind in self.target.endings() if kind != "sidecar"]
            self._views = Views(names, size_wh, self._painter, self.options)
            self._writer.templates = self._views.templates
            self._writer.size_wh = self._views.size_wh
            self._encoder = str(self._views.choice)
        return self._views

    def _change_encoder(self, error: av.FFmpegError) -> None:
        """An encoder that fails (hardware does) costs a new clip and what was inside it, no more."""
        views = self._views
        if views is None:
            raise error
        distrust(views.choice.codec)
        log.error("encoder %s failed (%s); going on with another one", views.choice.codec, error)
        self._end_views("encoder failed", flush=False)

    def _end_views(self, why: str, *, flush: bool = True) -> None:
        """Write what is inside the encoders, end the clip, and start afresh with the next frame."""
        views, self._views = self._views, None
        if views is not None:
            if flush:
                views.flush()
            self._route(views)
            self._writer.end(why)
            views.close()
        self._cutter.forget()
        self._last_key = None
        self._timeline.restart()

    def _encode(self, views: Views, result: Result, causes: Sequence[str], stop: bool) -> None:
        ticks = self._timeline.ticks(result)
        for pts in ticks:
            own = pts == ticks[-1]
            key = self._wants_key(pts)
            shown = views.encode(result if own else None, pts, key=key)
            at_ns = result.frame.captured_ns if own else clock.now_ns()
            group = PacketGroup(self._number, pts, result_time(result) if own else clock.wall_time(at_ns))
            self._number += 1
            if own:
                group.record = self._record(result) if self.target.sidecar else _names(result)
            if key and shown is not None and self.target.is_folder:
                group.thumbnail = thumbnail(shown)
            views.expect(group, causes if own else (), stop and own)
        self._route(views)

    def _wants_key(self, pts: int) -> bool:
        due = self._last_key is None or pts - self._last_key >= self.options.key_s * TICKS_PER_S - 1
        if due or self._cutter.wants_key(pts):
            self._last_key = pts
            return True
        return False

    def _record(self, result: Result) -> dict[str, Any]:
        stats = None if self._stats is None else self._stats()
        record = result_to_dict(result, stats)
        if stats is not None:
            record["board"] = board_to_dict(stats)
        pace = self._pace
        record["recorder"] = {"missed": self._writer.missed, "skipped": pace.skipped, "every": pace.every}
        return record

    def _route(self, views: Views) -> None:
        """Give groups whose packets have all come to the cutter."""
        for group, causes, stop in views.ready():
            self._cutter.route(group, causes, stop)


def _names(result: Result) -> dict[str, Any]:
    """The part of a record that says what was seen."""
    found = result.detections
    return {"detections": [{"label": found.labels[i]} for i in sorted(set(found.class_id.tolist()))]}
