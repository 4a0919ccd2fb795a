"""The composition root: Config -> objects. The only module that names them all.

Build order: models first (a session is built before any thread starts), then sources, then sinks (opened by
the owner, so that an unwritable path is told at once), then the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import msgspec

from edgecam.app.governing import Governing
from edgecam.app.models import Models
from edgecam.app.sources import Opener, kept_clear, open_sources, short
from edgecam.capture import SourceOptions, check_source, open_source, waits
from edgecam.config import Config
from edgecam.core.errors import ConfigError, RecordError
from edgecam.core.ports import Pulse
from edgecam.core.progress import ShowProgress
from edgecam.core.types import Image, Result, Stats
from edgecam.host.memory import HeapTrimmer, give_back_heap, keep_frames_on_heap, unmap_unused_code
from edgecam.outputs.json_lines import JsonLinesSink
from edgecam.overlay.compose import compose
from edgecam.overlay.scene_cv import paint_cv
from edgecam.overlay.style import Style
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.fanout import SinkLane
from edgecam.pipeline.pipeline import Pipeline
from edgecam.pipeline.workers import Eye
from edgecam.telemetry.collector import StatsCollector
from edgecam.telemetry.governor import Governor
from edgecam.telemetry.health import firmware_limit_c, open_health_meter
from edgecam.telemetry.meters.choose import open_power_meter
from edgecam.telemetry.recent import StatsCache

if TYPE_CHECKING:
    from edgecam.record.recorder import Recorder

#: The governor's limit: this far below where the firmware throttles, or this where that is not known.
BELOW_FIRMWARE_C = 2.0
DEFAULT_LIMIT_C = 78.0


class App:
    """Everything built from one Config, with the handles a window, a status line or a service needs.

    ``start``, ``wait`` and ``stop`` belong to one owner; the rest may be called from any thread.
    say: told what takes longer than a moment while building; progress: how it goes on. pulse: hears from the
    pipeline's threads. opener: opens the sources (benchmarks play files as cameras). batch: as of
    :class:`edgecam.app.models.Models`; None looks at the sources.

    Building it raises ConfigError, ModelError, SourceOpenError or MissingExtraError and leaves nothing open.
    """

    def __init__(
        self,
        config: Config,
        *,
        paced: bool,
        say: Callable[[str], None] | None = None,
        progress: ShowProgress | None = None,
        pulse: Pulse | None = None,
        opener: Opener = open_source,
        batch: bool | None = None,
    ) -> None:
        cv2.setNumThreads(1)
        self._pulse = pulse
        self.config = config
        self.notes: list[tuple[str, str]] = []
        self.style = Style()
        self.recorders: list[Recorder] = []
        self._lanes: list[SinkLane] = []
        self._heap = HeapTrimmer()
        #: ``--max-age``, and how often it was not kept; written by one thread at a time.
        self.max_age_ns = None if config.max_age is None else round(config.max_age * 1e9)
        self.too_old = 0
        self._on_result: list[Callable[[Result], None]] = []
        for uri in config.source:
            check_source(uri, SourceOptions(wait=config.wait))
        with ExitStack() as undo:
            if batch is None:
                batch = opener is open_source and not paced and all(waits(uri) for uri in config.source)
            meter = open_power_meter(command=config.power_command)
            self.models = Models(config, say, batch=batch, meter=meter, progress=progress)
            self.notes += self.models.notes
            self.collector = StatsCollector(self.models.name, meter, open_health_meter())
            self.stats_cache = StatsCache(self.collector)
            self.sources = open_sources(config, opener, undo, paced=paced)
            self.notes += [("source", source.description) for source in self.sources]
            if len(self.sources) > 1:
                self.collector.tell_apart(self.camera_names())
            give_back_heap()
            unmap_unused_code()
            keep_frames_on_heap()
            self.credit = " · ".join(c for s in self.sources if (c := getattr(s, "credit", "")))
            self.style = Style(credit=self.credit, keep_clear=kept_clear(self.sources))
            self._build_sinks(undo)
            self.cadence = Cadence(len(self.sources), config.detect_rate, config.gate == "motion")
            self.governing = self._build_governing()
            self.pipeline = Pipeline(
                [Eye(source, self.models.vision(source)) for source in self.sources],
                self._lanes,
                self.collector,
                frames=config.frames,
                cadence=self.cadence,
                on_result=self._fed,
                pulse=pulse,
                concurrency=self.models.concurrency,
                prepare=self.models.prepare,
                cpu=self.models.network_cpu,
            )
            undo.pop_all()

    # -- building

    def _build_governing(self) -> Governing:
        config = self.config
        # Keep a little below where the firmware would throttle on its own.
        limit_c = firmware_limit_c()
        own_c = DEFAULT_LIMIT_C if limit_c is None else limit_c - BELOW_FIRMWARE_C
        max_temp = own_c if config.max_temp is None else config.max_temp
        switch = self.models.switch
        governor = Governor(config.max_watts, max_temp, has_fast=switch is not None)
        return Governing(governor, self.cadence, config.detect_rate, switch, self.collector.set_model)

    def _build_sinks(self, undo: ExitStack) -> None:
        config = self.config
        lossless = not any(source.is_live for source in self.sources)
        try:
            if config.json is not None:
                sink = JsonLinesSink(
                    config.json,
                    stats_provider=self.stats_cache.get,
                    on_reader_gone=lambda: self.pipeline.end(),
                    wait_s=3600.0 if lossless else 2.0,
                )
                sink.open()
                undo.callback(sink.close)
                self._lanes.append(SinkLane(sink, "json", lossless=lossless))
            if config.record is not None:
                for index in range(len(self.sources)):
                    recorder, lane = self.add_recorder(Path(config.record), index)
                    undo.callback(recorder.close)
                    self._lanes.append(lane)
                    self.notes.append(("recording", f"{config.record_view} clips to {recorder.target.path}"))
            if config.snapshot_on:
                self._lanes += [self._snapshot_lane(index) for index in range(len(self.sources))]
        except RecordError as error:
            raise ConfigError(str(error)) from error

    def _snapshot_lane(self, index: int) -> SinkLane:
        from edgecam.record.snapshot import SnapshotSink
        from edgecam.record.trigger import parse_triggers

        config, name = self.config, self.sources[index].name
        parse_triggers(config.snapshot_on, self._labels())
        sink = SnapshotSink(
            Path(config.snapshots),
            config.snapshot_on,
            painter=None if config.record_view == "clean" else self.annotate,
            stats_provider=partial(self.stats_cache.get, name),
            camera=short(name) if len(self.sources) > 1 else "",
        )
        return SinkLane(sink, "snapshots", lossless=not self.sources[index].is_live, only=index)

    def trigger(self, cause: str) -> None:
        """Begin an event recording, or prolong it: a key, a signal, a call. Any thread."""
        for recorder in self.recorders:
            recorder.trigger(cause)

    def camera_names(self) -> tuple[str, ...]:
        """What the sources are called, each differently: ``demo:``, ``synthetic:``, ``synthetic:-2``."""
        return tuple(source.name for source in self.sources)

    def _labels(self) -> tuple[str, ...]:
        return () if self.models.detector is None else self.models.detector.labels

    def add_recorder(self, target: Path, index: int) -> tuple[Recorder, SinkLane]:
        """Open a recorder for source ``index``; the pipeline starts its lane.

        Raises RecordError if the target cannot be written.
        """
        # here, since PyAV takes a tenth of a second to import
        from edgecam.record.recorder import Recorder, RecordOptions
        from edgecam.record.trigger import parse_triggers

        config, source = self.config, self.sources[index]
        parse_triggers(config.record_on, self._labels())
        several = len(self.sources) > 1
        if several and target.suffix:
            target = target.with_stem(f"{target.stem}-{index + 1}")
        recorder = Recorder(
            target,
            painter=None if config.record_view == "clean" else self.annotate,
            options=RecordOptions(
                view=config.record_view,
                live=source.is_live,
                nominal_hz=source.rate_hz,
                segment_s=config.segment,
                record_on=config.record_on,
                pre_s=config.pre,
                post_s=config.post,
                longest_s=config.record_longest,
                constant_hz=config.record_rate,
                keep_days=config.keep_days,
                keep_bytes=config.keep_bytes,
                keep_free_percent=config.keep_free,
                camera=short(source.name),
                camera_in_name=several,
            ),
            stats_provider=partial(self.stats_cache.get, source.name),
        )
        recorder.open()
        self.recorders.append(recorder)
        lossless = not source.is_live
        lane = SinkLane(recorder, "record", lossless=lossless, only=index, pulse=self._pulse)
        recorder.queue_drops = lambda: lane.dropped
        return recorder, lane

    # -- life

    def _fed(self, result: Result) -> None:
        if self.max_age_ns is not None and result.completed_ns - result.frame.captured_ns > self.max_age_ns:
            self.too_old += 1
        for hook in self._on_result:
            hook(result)

    def on_result(self, hook: Callable[[Result], None]) -> None:
        """Have ``hook`` called after each result, by one thread at a time; add it before ``start``."""
        self._on_result.append(hook)

    def reconfigure(self, config: Config) -> list[str]:
        """Apply what can change while running; the options that cannot and differ. The owner's thread.

        Raises ConfigError (an unknown class) and changes nothing then.
        """
        before, live = self.config, ("classes", "score", "detect_rate", "max_watts", "max_temp")
        if config.classes != before.classes:
            self.models.set_classes(config.classes or None)
        if config.score != before.score:
            self.models.set_score(config.score)
        self.governing.set_limits(config.max_watts, config.max_temp, config.detect_rate)
        applied = {name: getattr(config, name) for name in live}
        self.config = msgspec.structs.replace(before, **applied)
        return [
            name
            for name in config.__struct_fields__
            if name not in live and getattr(config, name) != getattr(before, name)
        ]

    def start(self) -> None:
        """Start sampling and the pipeline."""
        self._heap.start()
        self.collector.start()
        self.pipeline.start()

    def wait(self, timeout_s: float) -> bool:
        """True once every source is exhausted, or something failed."""
        self.stats()
        return self.pipeline.wait(timeout_s)

    def stop(self) -> None:
        """Stop everything, finish the files, and re-raise the first thing that went wrong."""
        try:
            self.pipeline.stop()
        finally:
            self._heap.close()
            self.collector.close()

    def stats(self) -> Stats:
        """Recent statistics, with what the sources and the governor have to say. The owner's thread."""
        stats = self.stats_cache.get()
        self.governing.tick(stats)
        several = len(self.sources) > 1
        lost = [
            f"{source.name}: {n}" if several else n
            for source in self.sources
            if (n := getattr(source, "notice", ""))
        ]
        self.collector.set_notice(" · ".join(n for n in (*lost, *self.common_notices()) if n))
        return stats

    def common_notices(self) -> tuple[str, ...]:
        """What concerns everybody: why nothing is recorded, and what the governor gave up."""
        faults = [fault for recorder in self.recorders if (fault := recorder.status().fault)]
        return (*(f"NOT RECORDING: {fault}" for fault in faults[:1]), self.governing.notice)

    def annotate(self, result: Result) -> Image:
        """The result's picture with the overlay drawn in; a new array, the frame stays as it is.

        Greyed, with the reason, where its own camera is lost; another camera's loss is not its business.
        """
        own = [getattr(s, "notice", "") for s in self.sources if s.name == result.frame.source]
        lost = own[0] if own and all(own) else ""
        notice = " · ".join(n for n in (lost, self.governing.notice) if n)
        stats = replace(self.stats_cache.get(result.frame.source), notice=notice)
        scene = compose(result, stats, self.style, result.frame.size_wh, stale=bool(lost))
        return paint_cv(scene, result.frame.image)
