"""The composition root: Config -> objects. The only module that names them all.

Build order: models first (a session is built before any thread starts), then sources, then sinks (opened by
the owner, so that an unwritable path is told at once), then the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from edgecam.app.control import AppControl
from edgecam.app.governing import Governing
from edgecam.app.models import Models
from edgecam.app.own_files import check_outputs
from edgecam.app.plugin_sinks import open_plugin_sinks
from edgecam.app.recording import Recorders, writable_folder
from edgecam.app.sources import Opener, open_sources, style_of
from edgecam.app.state import Parts, StateMaker
from edgecam.app.telling import Telling
from edgecam.app.wire import Wire
from edgecam.capture import SourceOptions, check_source, open_source, waits
from edgecam.config import Config
from edgecam.config.live import LiveSettings
from edgecam.core.errors import ConfigError, RecordError
from edgecam.core.ports import Pulse
from edgecam.core.progress import ShowProgress
from edgecam.core.types import Image, Result
from edgecam.host.memory import HeapTrimmer, give_back_heap, keep_frames_on_heap, unmap_unused_code
from edgecam.media.motion import MotionDetector
from edgecam.outputs.json_lines import JsonLinesSink
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.fanout import SinkLane
from edgecam.pipeline.pipeline import Pipeline
from edgecam.pipeline.workers import Eye
from edgecam.telemetry.collector import StatsCollector
from edgecam.telemetry.health import open_health_meter
from edgecam.telemetry.meters.choose import open_power_meter

if TYPE_CHECKING:
    from edgecam.record.recorder import Recorder


class App:
    """Everything built from one Config, with the handles a window, a status line or a service needs.

    ``start``, ``wait`` and ``stop`` belong to one owner; the rest may be called from any thread.
    say: told what takes longer than a moment while building; progress: how it goes on. pulse: hears from the
    pipeline's threads. opener: opens the sources (benchmarks play files as cameras). batch: as of
    :class:`edgecam.app.models.Models`; None looks at the sources.
    control: what is going on, and what may change meanwhile (:class:`edgecam.core.control.Control`).

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
        self.live = LiveSettings(config)
        self.notes: list[tuple[str, str]] = []
        self._lanes: list[SinkLane] = []
        self._heap = HeapTrimmer()
        #: ``--max-age``, and how often it was not kept; written by one thread at a time.
        self.max_age_ns = None if config.max_age is None else round(config.max_age * 1e9)
        self.too_old = 0
        self._on_result: list[Callable[[Result], None]] = []
        check_outputs(config)
        for uri in config.source:
            check_source(uri, SourceOptions(wait=config.wait))
        with ExitStack() as undo:
            if batch is None:
                batch = opener is open_source and not paced and all(waits(uri) for uri in config.source)
            meter = open_power_meter(command=config.power_command)
            self.models = Models(config, say, batch=batch, meter=meter, progress=progress)
            self.notes += self.models.notes
            self.collector = StatsCollector(self.models.name, meter, open_health_meter())
            self.sources = open_sources(config, opener, undo, paced=paced)
            self.notes += [("source", source.description) for source in self.sources]
            if len(self.sources) > 1:
                self.collector.tell_apart(self.camera_names())
            give_back_heap()
            unmap_unused_code()
            keep_frames_on_heap()
            self.credit = " · ".join(c for s in self.sources if (c := s.credit))
            self.style = style_of(config, self.sources, self.credit)
            gate = [MotionDetector().moved for _ in self.sources] if config.gate == "motion" else None
            self.cadence = Cadence(len(self.sources), config.detect_rate, gate)
            self._build_control(pulse)
            self._build_sinks(undo)
            self.pipeline = Pipeline(
                [Eye(source, self.models.vision(source)) for source in self.sources],
                self._lanes,
                self.collector,
                frames=config.frames,
                cadence=self.cadence,
                on_result=self._fed,
                finish=self.telling.look,
                pulse=pulse,
                concurrency=self.models.concurrency,
                prepare=self.models.prepare,
                cpu=self.models.network_cpu,
            )
            self.states.attach(self.pipeline)
            self.wire.attach(self.pipeline)
            self._built = undo.pop_all()

    # -- building

    def _build_control(self, pulse: Pulse | None) -> None:
        """Connect what acts on the live settings, what reports on the run, and who may change settings."""
        config, labels = self.config, () if self.models.detector is None else self.models.detector.labels
        self.governing = Governing(config, self.cadence, self.models.switch, self.collector.set_model)
        self.collector.on_sample = self._sampled
        self.live.bind(("score", "classes"), self.models.apply)
        self.live.bind(("detect_rate", "max_watts", "max_temp"), self.governing.apply)
        self._recorders = Recorders(config, self.sources, labels, self.style, pulse)
        self.live.bind(("overlay", "show", "show_areas"), self._recorders.restyle)
        self.telling = Telling(config, self.sources, labels, self._recorders.opened, self._energy_j)
        self._recorders.by_rule = self.telling.rules.records
        self._recorders.on_clip = self.telling.clip_done
        self.live.bind(("zone", "line", "rule"), self.telling.rules.apply)
        self.states = self._recorders.states = StateMaker(
            Parts(
                self.collector,
                self.sources,
                self.models,
                self.live,
                self.cadence,
                self.governing,
                self._recorders.opened,
                lambda: self.too_old,
            )
        )
        self.control = AppControl(self.live, self.states, self._recorders.trigger)
        self.wire = Wire(
            config,
            self.control,
            picture=self.telling.desk.picture,
            record=self.switch_recording,
            add=self.telling.add,
            rules=lambda: self.telling.rules.rules,
        )

    def _build_sinks(self, undo: ExitStack) -> None:
        config = self.config
        lossless = not any(source.is_live for source in self.sources)
        try:
            if config.json is not None:
                sink = JsonLinesSink(
                    config.json,
                    stats_provider=self.states.stats,
                    on_reader_gone=lambda: self.pipeline.end(),
                    over=lambda: self.pipeline.stopping,
                    wait_s=3600.0 if lossless else 2.0,
                )
                sink.open()
                undo.callback(sink.close)
                self._lanes.append(SinkLane(sink, "json", lossless=lossless))
            self.telling.open(undo)
            self.wire.open(undo)
            self._on_result += self.wire.hooks
            if config.record is not None:
                for index in range(len(self.sources)):
                    recorder, lane = self.add_recorder(Path(config.record), index)
                    undo.callback(recorder.close)
                    self._lanes.append(lane)
                    self.notes.append(("recording", f"{config.record_view} clips to {recorder.target.path}"))
            if config.snapshot_on or config.snapshots != ".":
                writable_folder(config.snapshots, "--snapshots")
            self._lanes += open_plugin_sinks(config.sink, lossless=lossless, undo=undo.callback)
            if config.snapshot_on:
                self._lanes += [self._recorders.snapshots(index) for index in range(len(self.sources))]
        except RecordError as error:
            raise ConfigError(str(error)) from error

    def add_recorder(self, target: Path, index: int) -> tuple[Recorder, SinkLane]:
        """See :meth:`edgecam.app.recording.Recorders.open`."""
        return self._recorders.open(target, index)

    def toggle_recording(self) -> str:
        """See :meth:`edgecam.app.recording.Recorders.toggle`."""
        try:
            return self._recorders.toggle(self.pipeline)
        finally:
            self.states.renew()

    def switch_recording(self, on: bool) -> str:
        """See :meth:`edgecam.app.recording.Recorders.switch`."""
        try:
            return self._recorders.switch(self.pipeline, on)
        finally:
            self.states.renew()

    def record(self, index: int, on: bool) -> str:
        """See :meth:`edgecam.app.recording.Recorders.begin` and ``end``."""
        try:
            return (self._recorders.begin if on else self._recorders.end)(self.pipeline, index)
        finally:
            self.states.renew()

    def clips_folder(self) -> Path:
        """See :meth:`edgecam.app.recording.Recorders.folder`."""
        return self._recorders.folder()

    def annotate(self, result: Result) -> Image:
        """See :meth:`edgecam.app.recording.Recorders.annotate`."""
        return self._recorders.annotate(result)

    @property
    def config(self) -> Config:
        """The settings that hold now."""
        return self.live.config

    @property
    def recorders(self) -> list[Recorder]:
        """All recorders, in the order in which they were opened."""
        return [recorder for _, recorder in self._recorders.opened]

    def camera_names(self) -> tuple[str, ...]:
        """What the sources are called, each differently: ``demo:``, ``synthetic:``, ``synthetic:-2``."""
        return tuple(source.name for source in self.sources)

    def _sampled(self) -> None:
        """Called after each sample of the meters, on telemetry's thread."""
        self.governing.tick(self.collector.snapshot)
        self.telling.watch_condition(self.states.get)

    def _energy_j(self) -> float | None:
        energy = self.collector.energy()
        return None if energy is None else energy.energy_j

    # -- life

    def _fed(self, result: Result) -> None:
        if self.max_age_ns is not None and result.completed_ns - result.frame.captured_ns > self.max_age_ns:
            self.too_old += 1
        for hook in self._on_result:
            hook(result)

    def on_result(self, hook: Callable[[Result], None]) -> None:
        """Have ``hook`` called after each result, by one thread at a time; add it before ``start``."""
        self._on_result.append(hook)

    def start(self) -> None:
        """Start sampling, taking changes, and the pipeline."""
        self._built.pop_all()  # from now on the pipeline closes what was opened
        self._heap.start()
        self.collector.start()
        self.control.start()
        self.telling.start()
        self.pipeline.start()
        self.wire.start()

    def wait(self, timeout_s: float) -> bool:
        """True once every source is exhausted, or something failed."""
        return self.pipeline.wait(timeout_s)

    def stop(self) -> None:
        """Stop everything, finish the files, and re-raise the first thing that went wrong."""
        with ExitStack() as closing:
            closing.callback(self.collector.close)
            closing.callback(self._heap.close)
            closing.callback(self.control.close)
            closing.callback(self.telling.close)
            closing.callback(self._built.close)
            self.pipeline.stop()
