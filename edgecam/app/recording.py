"""Recorders and snapshots of a run: made from the settings, or by hand while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.app.state import StateMaker
from edgecam.config import Config
from edgecam.core.errors import ConfigError, RecordError
from edgecam.core.naming import short
from edgecam.core.ports import Pulse, Source
from edgecam.core.types import Image, Result
from edgecam.overlay.compose import compose
from edgecam.overlay.label_placement import LabelMemory
from edgecam.overlay.scene_cv import paint_cv
from edgecam.overlay.style import Style
from edgecam.pipeline.fanout import SinkLane
from edgecam.pipeline.pipeline import Pipeline

if TYPE_CHECKING:
    from edgecam.record.clip import ClipSummary
    from edgecam.record.recorder import Recorder


def writable_folder(folder: str, option: str) -> None:
    """Make ``folder`` where it is missing, and raise ConfigError where nothing can be written into it."""
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        import tempfile

        with tempfile.NamedTemporaryFile(dir=path, prefix=".edgecam-"):
            pass
    except OSError as error:
        raise ConfigError(
            f"{option} {folder}: cannot write there ({error.strerror}); name a folder of your own"
        ) from None


class Recorders:
    """Opens recorders and knows them all, with the names of their sources.

    opened: (source's name, recorder), in order; ``states`` is attached before the first one opens. labels:
    the detector's, which triggers may name.
    """

    def __init__(
        self,
        config: Config,
        sources: Sequence[Source],
        labels: Sequence[str],
        style: Style,
        pulse: Pulse | None,
    ) -> None:
        self.opened: list[tuple[str, Recorder]] = []
        self.sources = sources
        self._config = config
        self._labels = tuple(labels)
        self._style = style
        self._running: list[tuple[Recorder, SinkLane]] = []
        self._by_hand: list[Recorder] = []
        self._toggling = threading.Lock()
        self._label_positions: dict[str, LabelMemory] = {}
        self._pulse = pulse
        self.states: StateMaker
        #: Whether a rule asks for recordings: then there are only those, unless words say more.
        self.by_rule = False
        #: Told of every finished clip, with its camera's name, on the disk's thread.
        self.on_clip: Callable[[str, ClipSummary], None] = lambda _camera, _clip: None

    def annotate(self, result: Result) -> Image:
        """The result's picture with the overlay drawn in; a new array, the frame stays as it is.

        Greyed, with the reason, where its own camera is lost; another camera's loss is not its business.
        """
        state = self.states.get()
        own = state.source(result.frame.source)
        stats = state.stats if own is None else own.stats
        memory = self._label_positions.setdefault(result.frame.source, LabelMemory())
        lost = own is not None and own.lost
        scene = compose(result, stats, self._style, result.frame.size_wh, stale=lost, memory=memory)
        return paint_cv(scene, result.frame.image)

    def _clip_done(self, camera: str, clip: ClipSummary) -> None:
        self.on_clip(camera, clip)

    def restyle(self, config: Config) -> None:
        """Draw as the settings say now, from the next picture on."""
        self._style = replace(
            self._style,
            level=config.overlay,
            tentative=config.show == "tentative",
            areas=config.show_areas,
        )

    def trigger(self, cause: str) -> None:
        """Begin an event recording, or prolong it: a key, a signal, a call. Any thread."""
        for _, recorder in self.opened:
            recorder.trigger(cause)

    def open(self, target: Path, index: int) -> tuple[Recorder, SinkLane]:
        """Open a recorder for source ``index``; the pipeline starts its lane.

        Raises RecordError if the target cannot be written.
        """
        # here, since PyAV takes a tenth of a second to import
        from edgecam.record.recorder import Recorder, RecordOptions
        from edgecam.record.trigger import parse_triggers

        config, source = self._config, self.sources[index]
        parse_triggers(config.record_on, self._labels)
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
                record_on=config.record_on or (("api",) if self.by_rule else ()),
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
            stats_provider=partial(self.states.stats, source.name),
            on_clip=partial(self._clip_done, source.name),
        )
        recorder.open()
        self.opened.append((source.name, recorder))
        lossless = not source.is_live
        lane = SinkLane(recorder, "record", lossless=lossless, only=index, pulse=self._pulse)
        recorder.queue_drops = lambda: lane.dropped
        self._running.append((recorder, lane))
        return recorder, lane

    def toggle(self, pipeline: Pipeline) -> str:
        """Stop what records, or begin to record; a line for people. Any thread, while the pipeline runs.

        With ``--record-on`` it begins an event instead. Without ``--record`` clips go into a folder beside
        the snapshots. Raises RecordError if there is no room or no right to write.
        """
        with self._toggling:
            if self._of_events():
                self.trigger("key")
                return "recording this"
            return self._stop(pipeline) if self._running else self._begin_all(pipeline)

    def switch(self, pipeline: Pipeline, on: bool) -> str:
        """Begin to record, or end it, whatever is the case now; a line for people. Any thread.

        Where clips are of events, an event begins or ends. Raises RecordError as :meth:`toggle` does.
        """
        with self._toggling:
            if self._of_events():
                if on:
                    self.trigger("api")
                    return "recording this"
                for recorder, _ in self._running:
                    recorder.stop_event()
                return "the recording ends"
            if on == bool(self._running):
                return "recording already" if on else "nothing is being recorded"
            return self._begin_all(pipeline) if on else self._stop(pipeline)

    def _of_events(self) -> bool:
        return bool(self._running) and bool(self._config.record_on or self.by_rule)

    def _begin_all(self, pipeline: Pipeline) -> str:
        target = self._next_target()
        for index in range(len(self.sources)):
            recorder, lane = self.open(target, index)
            pipeline.add_sink(lane)
            if recorder.options.record_on:
                recorder.trigger("api")
        return f"recording to {target}"

    def _stop(self, pipeline: Pipeline) -> str:
        clips = [str(path) for path in self._finish(pipeline, [recorder for recorder, _ in self._running])]
        return f"recording stopped, saved {', '.join(clips)}" if clips else "nothing was recorded"

    def _finish(self, pipeline: Pipeline, wanted: Sequence[Recorder]) -> list[Path]:
        """End some recorders; the last clip of each."""
        stopping = [pair for pair in self._running if pair[0] in wanted]
        self._running = [pair for pair in self._running if pair[0] not in wanted]
        clips: list[Path] = []
        for recorder, lane in stopping:
            pipeline.remove_sink(lane)
            clips += recorder.clips[-1:]
        return clips

    def begin(self, pipeline: Pipeline, index: int) -> str:
        """Record source ``index`` from now on; a line for people, without paths. Any thread.

        An event where clips are of events; nothing where it is recorded all the time. Without ``--record`` it
        is recorded until :meth:`end`, into the folder that :meth:`toggle` takes. Raises RecordError.
        """
        name = self.sources[index].name
        with self._toggling:
            running = [r for r, _ in self._running if (name, r) in self.opened]
            for recorder in running:
                if recorder.options.record_on:
                    recorder.trigger("api")
                    return f"recording for {self._config.post:g} s"
                return "recording already" if recorder in self._by_hand else "recording all the time already"
            over = [r for r in self._by_hand if (name, r) in self.opened]
            self._by_hand = [r for r in self._by_hand if r not in over]
            self.opened[:] = [pair for pair in self.opened if pair[1] not in over]
            target = self._next_target()
            recorder, lane = self.open(target, index)
            self._by_hand.append(recorder)
            pipeline.add_sink(lane)
            if recorder.options.record_on:
                recorder.trigger("api")
            return f"recording into '{target.name}', until you stop it"

    def end(self, pipeline: Pipeline, index: int) -> str:
        """End what :meth:`begin` began, or the event that is being recorded; a line for people. Any thread.

        Raises RecordError where nothing is recorded, or all the time by the settings.
        """
        name = self.sources[index].name
        with self._toggling:
            running = [r for r, _ in self._running if (name, r) in self.opened]
            by_hand = [r for r in running if r in self._by_hand]
            if by_hand:
                clips = self._finish(pipeline, by_hand)
                return f"saved {clips[0].name}" if clips else "nothing was recorded yet"
            for recorder in running:
                if not recorder.options.record_on:
                    raise RecordError("it is recorded all the time, by the setting 'record'")
                if recorder.status().recording:
                    recorder.stop_event()
                    return "the recording ends"
            raise RecordError("nothing is being recorded")

    def folder(self) -> Path:
        """Where the clips of a run are, or would be if somebody began to record."""
        target = Path(self._config.record or self._next_target()).expanduser()
        return target.parent if target.suffix and not target.is_dir() else target

    def _next_target(self) -> Path:
        """The target of a recording that a person begins; a finished file is never overwritten."""
        if self._config.record is None:
            return Path(self._config.snapshots).expanduser().resolve() / "clips"
        target = Path(self._config.record)
        number, free = 1, target
        while target.suffix and free.exists():
            number += 1
            free = target.with_stem(f"{target.stem}-{number}")
        return free

    def snapshots(self, index: int) -> SinkLane:
        """The lane of ``--snapshot-on`` for source ``index``. Raises ConfigError for an unknown class."""
        from edgecam.record.snapshot import SnapshotSink
        from edgecam.record.trigger import parse_triggers

        config, name = self._config, self.sources[index].name
        parse_triggers(config.snapshot_on, self._labels)
        sink = SnapshotSink(
            Path(config.snapshots),
            config.snapshot_on,
            painter=None if config.record_view == "clean" else self.annotate,
            stats_provider=partial(self.states.stats, name),
            camera=short(name) if len(self.sources) > 1 else "",
        )
        return SinkLane(sink, "snapshots", lossless=not self.sources[index].is_live, only=index)
