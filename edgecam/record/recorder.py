"""The recorder: results in, clips out. A sink of the pipeline, called from one thread.

Encoding happens in :meth:`Recorder.write`, on the thread that the pipeline gives each sink, behind that
sink's bounded queue. Everything that touches the disk happens on a second thread
(:mod:`edgecam.record.disk`), so that a card that stalls for seconds costs memory and not frames.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecam import clock
from edgecam.jsonlines import board_to_dict, result_to_dict
from edgecam.record.clip import Clip, ClipSummary
from edgecam.record.cutting import ContinuousCutter, EventCutter
from edgecam.record.disk import DiskThread
from edgecam.record.encoder import TICKS_PER_S, Encoder, EncoderChoice, choose_encoder, even
from edgecam.record.files import ClipFiles
from edgecam.record.moment import Moment
from edgecam.record.options import RecordOptions, Target
from edgecam.record.pace import Pace
from edgecam.record.sheet import thumbnail
from edgecam.record.timeline import Timeline
from edgecam.record.trigger import HandTrigger, MotionTrigger, parse_triggers
from edgecam.record.trouble import Trouble
from edgecam.types import Image, Result, Stats

__all__ = ["RecordOptions", "RecordStatus", "Recorder"]

log = logging.getLogger(__name__)

Painter = Callable[[Result], Image]

#: A file source waits this long for the disk before that counts as a fault.
LOSSLESS_WAIT_S = 60.0
#: What is queued must be on the disk within this at the end.
CLOSE_S = 12.0


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """What the recorder is doing. ``trouble`` is empty when all is well."""

    recording: bool
    path: Path | None
    clips: int
    frames: int
    lost: int
    nbytes: int
    trouble: str
    encoder: str


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
        self.clip: Clip | None = None
        self.clips: list[Path] = []
        self._painter = painter
        self._stats = stats_provider
        self._on_clip = on_clip
        self._disk = DiskThread()
        self._timeline = Timeline(self.options.nominal_hz, self.options.constant_hz)
        self._pace = Pace()
        self._hand = HandTrigger()
        self._spec = parse_triggers(self.options.record_on)
        self._motion = MotionTrigger() if self._spec.motion else None
        self._trouble = Trouble(self.target)
        self._encoders: dict[str, Encoder] = {}
        self._choice: EncoderChoice | None = None
        self._awaiting: deque[tuple[Moment, Sequence[str], bool]] = deque()
        self._packets: list[deque[Any]] = []
        self._number = 0
        self._frames = 0
        self._nbytes = 0
        self._last_key: int | None = None
        self._seen: tuple[int, int] | None = None  # last frame's index and the source's drops till then
        self._missed = 0
        self._choked = False
        self._opened = False
        if self.options.record_on:
            self._cutter: ContinuousCutter | EventCutter = EventCutter(
                self,
                pre_s=self.options.pre_s,
                post_s=self.options.post_s,
                longest_s=self.options.longest_s,
                ring_bytes=self.options.ring_bytes,
            )
        else:
            self._cutter = ContinuousCutter(self, self.options.segment_s)

    def open(self) -> None:
        """Check the target and start the disk's thread. Raises RecordError."""
        self.target.check()
        self._disk.start()
        self._opened = True

    def trigger(self, cause: str = "api") -> None:
        """Begin an event recording, or prolong it. Any thread."""
        self._hand.request(cause)

    def stop_event(self) -> None:
        """End the running event recording now. Any thread."""
        self._hand.request_stop()

    def status(self) -> RecordStatus:
        """What is going on, for a status line. Any thread; the figures may be a frame apart."""
        clip = self.clip
        return RecordStatus(
            clip is not None,
            None if clip is None else self.target.folder / f"{clip.files.stem}{self.target.suffix}",
            len(self.clips),
            self._frames,
            self._trouble.lost,
            self._nbytes + (clip.nbytes if clip is not None else 0),
            self._trouble.message,
            "" if self._choice is None else str(self._choice),
        )

    def write(self, result: Result) -> None:
        """Record one result."""
        frame, options = result.frame, self.options
        if options.source is not None and frame.source != options.source:
            return
        causes, stop = self._look(result)
        self._count_missed(result)
        if options.live and not self._pace.keep() and not causes:
            return
        start_s = time.perf_counter()
        clip = self.clip
        if clip is not None and clip.failed is not None:
            self._fail(clip.failed)
        if self._encoders and even(frame.size_wh) != next(iter(self._encoders.values())).size_wh:
            self._drop_encoders("size changed")
        if not self._encoders:
            self._make_encoders(frame.size_wh)
        self._encode(result, causes, stop)
        self._trouble.settle(self.clip)
        if options.live:
            self._pace.spent(time.perf_counter() - start_s, frame.captured_ns)

    def close(self) -> None:
        """Finish the clip and the disk's work. Idempotent. Raises what the disk's thread died of."""
        if not self._opened:
            return
        self._opened = False
        try:
            self._drop_encoders("closed")
        finally:
            self._disk.close(CLOSE_S)

    # What happens to one result

    def _look(self, result: Result) -> tuple[tuple[str, ...], bool]:
        causes, stop = self._hand.take()
        causes += self._spec.matches(result.detections)
        if self._motion is not None and self._motion.moved(result.frame.image):
            causes += ("motion",)
        return causes, stop

    def _count_missed(self, result: Result) -> None:
        """Frames that the vision saw but that never came here: this sink's queue was full."""
        now = (result.frame.index, result.dropped)
        if self._seen is not None and self.options.live:
            lost = now[0] - self._seen[0] - 1 - (now[1] - self._seen[1])
            if lost > 0:
                self._missed += lost
        self._seen = now

    def _make_encoders(self, size_wh: tuple[int, int]) -> None:
        options = self.options
        rate_hz = options.constant_hz or options.nominal_hz
        self._choice = choose_encoder(size_wh, rate_hz, live=options.live)
        if options.preset and self._choice.codec == "libx264":
            self._choice = EncoderChoice("libx264", options.preset, "as asked")
        views = [kind for kind in self.target.endings() if kind != "sidecar"]
        self._encoders = {
            view: Encoder(size_wh, rate_hz, self._choice, threads=options.threads) for view in views
        }
        self._packets = [deque() for _ in views]
        width, height = even(size_wh)
        cut = "" if (width, height) == size_wh else f", cut from {size_wh[0]}x{size_wh[1]} to even sides"
        log.info("recording %dx%d%s with %s", width, height, cut, self._choice)

    def _drop_encoders(self, why: str) -> None:
        """Write what is inside the encoders, end the clip, and start afresh with the next frame."""
        for encoder, packets in zip(self._encoders.values(), self._packets, strict=True):
            packets.extend(encoder.flush())
        self._route()
        if self.clip is not None:
            self.end(why)
        for encoder in self._encoders.values():
            encoder.close()
        self._encoders = {}
        self._awaiting.clear()
        self._cutter.forget()
        self._last_key = None
        self._timeline.restart()

    def _encode(self, result: Result, causes: Sequence[str], stop: bool) -> None:
        places = self._timeline.places(result)
        for pts in places[:-1]:
            self._encode_one(pts, None)
            self._queue(pts, None, None)
        if not places:
            return
        shown = self._encode_one(places[-1], result)
        self._queue(places[-1], result, shown, causes, stop)
        self._route()

    def _encode_one(self, pts: int, result: Result | None) -> Image | None:
        """Encode a result in every view, or the picture before once more; the first view's picture if key."""
        key = self._wants_key(pts)
        shown: Image | None = None
        for (view, encoder), packets in zip(self._encoders.items(), self._packets, strict=True):
            if result is None:
                packets.extend(encoder.repeat(pts, key=key))
                continue
            painter = None if view == "clean" else self._painter
            image = result.frame.image if painter is None else painter(result)
            packets.extend(encoder.encode(image, pts, key=key))
            shown = image if shown is None else shown
        return shown if key else None

    def _queue(
        self,
        pts: int,
        result: Result | None,
        shown: Image | None,
        causes: Sequence[str] = (),
        stop: bool = False,
    ) -> None:
        at_ns = clock.now_ns() if result is None else result.frame.captured_ns
        moment = Moment(self._number, pts, clock.wall_time(at_ns))
        self._number += 1
        if result is not None and self.target.sidecar:
            moment.record = self._record(result)
        if shown is not None and self.target.is_folder:
            moment.thumbnail = thumbnail(shown)
        self._awaiting.append((moment, causes, stop))

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
        record["recorder"] = {"missed": self._missed, "skipped": pace.skipped, "every": pace.every}
        return record

    def _route(self) -> None:
        """Give moments whose packets have all come to the cutter."""
        while self._awaiting and self._packets and all(self._packets):
            moment, causes, stop = self._awaiting.popleft()
            moment.packets = [packets.popleft() for packets in self._packets]
            self._cutter.route(moment, causes, stop)

    # What the cutter asks for (the protocol ``cutting.Writer``)

    def begin(self, moment: Moment, causes: Sequence[str]) -> bool:
        """Open a clip that starts with ``moment``; False while the disk cannot take it."""
        if not self._trouble.may_begin():
            self._trouble.lost += 1
            return False
        target = self.target
        files = ClipFiles(
            target.folder,
            target.stem(moment.wall),
            target.endings(),
            replaceable=target.replaceable(),
            device=target.device,
            sync_s=self.options.sync_s,
        )
        first = next(iter(self._encoders.values()))
        self.clip = Clip(
            files,
            self._disk,
            {view: encoder.template for view, encoder in self._encoders.items()},
            moment,
            camera=self.options.camera,
            size_wh=first.size_wh,
            causes=tuple(causes),
            sheet=target.is_folder,
            on_finished=self._finished,
        )
        self._choked = False
        self._trouble.began()
        return True

    def add(self, moment: Moment) -> None:
        """Append to the open clip, if the disk keeps up; else leave out all until a key frame."""
        clip = self.clip
        assert clip is not None
        room = self._disk.wait_room(0.0 if self.options.live else LOSSLESS_WAIT_S)
        if not room or (self._choked and not moment.key):
            if not self._choked:
                log.warning("recording: the disk is too slow; frames are being left out")
            self._choked = True
            self._trouble.lost += 1
            clip.missed += 1
            return
        if self._choked:
            self._choked = False
            log.warning("recording: the disk keeps up again; %d frames were left out", clip.missed)
        clip.add(moment)
        self._frames += 1

    def end(self, why: str) -> None:
        """Finish the open clip; the disk's thread does the rest."""
        clip, self.clip = self.clip, None
        if clip is not None:
            self._nbytes += clip.nbytes
            clip.missed += self._missed
            self._missed = 0
            clip.finish(why)

    def _fail(self, error: OSError) -> None:
        self._trouble.failed(error)
        self.end(f"disk: {error.strerror or error}")
        if isinstance(self._cutter, EventCutter):
            self._cutter.rewind()

    def _finished(self, summary: ClipSummary) -> None:
        """On the disk's thread."""
        self.clips.extend(path for kind, path in summary.paths.items() if kind != "sidecar")
        if self._on_clip is not None:
            self._on_clip(summary)
