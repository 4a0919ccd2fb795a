"""Everything about events of a run: rules, the desk that completes them, the bus, and who takes them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgecam.app.condition import ConditionWatch
from edgecam.app.event_desk import ClipNow, EventDesk
from edgecam.app.rules import Rules
from edgecam.config import Config
from edgecam.core.errors import ConfigError
from edgecam.core.events import Event, event_id
from edgecam.core.ports import EventSink, Source
from edgecam.core.state import State
from edgecam.core.types import Result
from edgecam.outputs.json_lines import EventLinesSink
from edgecam.pipeline.event_bus import EventBus
from edgecam.rules.spec import RuleSet

if TYPE_CHECKING:
    from edgecam.record.clip import ClipSummary
    from edgecam.record.recorder import Recorder

log = logging.getLogger(__name__)


class Telling:
    """What a run tells. Made before the recorders, started before the pipeline, closed after it.

    recorders: those opened so far, with their cameras' names. energy_j: joules spent so far. bus: where all
    events go; further sinks are added with :meth:`add` before ``start``. desk: has the recent pictures.

    Raises ConfigError if a zone, a line or a rule is wrong, and RecordError if events cannot be kept.
    """

    def __init__(
        self,
        config: Config,
        sources: Sequence[Source],
        labels: Sequence[str],
        recorders: Sequence[tuple[str, Recorder]],
        energy_j: Callable[[], float | None],
    ) -> None:
        self._config, self._recorders = config, recorders
        self._lossless = not any(source.is_live for source in sources)
        self.library = _library(config)
        self.bus = EventBus()
        pictured = self.library is not None or bool(config.mqtt or config.webhook or config.notify)
        self.desk = EventDesk(
            self.bus,
            clip_of=self._clip_of,
            energy_j=energy_j,
            draw=_draw if pictured else None,
            keep=_sent_only if self.library is None else partial(_keep, self.library),
            load=_forgotten if self.library is None else partial(_load, self.library),
        )
        self.rules = Rules(config, sources, labels, self.desk.put)
        self._condition = ConditionWatch()
        self._started = False

    def open(self, undo: ExitStack) -> None:
        """Open the sinks that the settings name. Raises RecordError."""
        config = self._config
        if config.events is not None:
            if config.events == "-" and config.json == "-":
                raise ConfigError("--events - and --json - would mix on standard output; write one to a file")
            sink = EventLinesSink(config.events, wait_s=3600.0 if self._lossless else 2.0)
            sink.open()
            undo.callback(sink.close)
            self.add(sink, "events")
        if self.library is not None:
            from edgecam.record.library.journal import EventJournal  # here: PyAV takes a tenth of a second

            journal = EventJournal(self.library)
            journal.open()
            self.add(journal, "event journal")
            self._remember(self.rules.rules)
            self.rules.on_change = self._remember

    def _remember(self, rules: RuleSet) -> None:
        """Store the rules beside the events, so that ``why`` and ``replay`` know which ones held."""
        from edgecam.record.library.journal import keep_rules

        assert self.library is not None
        try:
            keep_rules(self.library, time.time(), msgspec.to_builtins(rules))
        except OSError as error:
            log.info("the rules are not kept beside the events: %s", error)

    def add(self, sink: EventSink, name: str) -> None:
        """Have an opened sink take every event; the bus closes it."""
        self.bus.add(sink, name, lossless=self._lossless)
        self.rules.wanted = True

    def look(self, index: int, result: Result) -> Result:
        """See :meth:`edgecam.app.rules.Rules.look`."""
        return self.rules.look(index, result)

    def watch_condition(self, state: Callable[[], State]) -> None:
        """Tell of cameras that are lost, and of the board. A few times a second, on one thread."""
        if self._started and self.rules.wanted:
            events = self._condition.look(state(), time.time())
            if events:
                self.desk.put(events, None)

    def clip_done(self, camera: str, clip: ClipSummary) -> None:
        """Tell of a finished clip. The disk's thread."""
        if not self._started or not self.rules.wanted:
            return
        start, end = round(clip.started.timestamp(), 3), round(clip.started.timestamp() + clip.duration_s, 3)
        name = next(path.name for kind, path in clip.paths.items() if kind != "sidecar")
        event = Event(
            id=event_id(start, camera, "clip", name),
            type="new",
            kind="clip",
            camera=camera,
            start_time=start,
            end_time=end,
            time=max(end, start),
            clip=name,
            clip_s=0.0,
            message=f"{clip.duration_s:.0f} s: {', '.join(clip.causes) or 'recording all the time'}",
        )
        self.desk.put([event], None)

    def start(self) -> None:
        """Start the threads."""
        self._started = True
        self.bus.start()
        self.desk.start()

    def close(self) -> None:
        """Tell the last ends, and let every sink finish; raises what went wrong first."""
        if not self._started:
            return
        self.rules.end()
        self.desk.put(self._condition.end(time.time()), None)
        self._started = False
        try:
            self.desk.close()
        finally:
            failures = self.bus.close()
        if failures:
            raise failures[0]

    def _clip_of(self, camera: str) -> ClipNow | None:
        for name, recorder in self._recorders:
            if name == camera:
                status = recorder.status()
                if status.path is not None and status.started is not None:
                    return ClipNow(status.path.name, status.started)
        return None


def _library(config: Config) -> Path | None:
    """The folder of clips, where events are kept; None where clips go to a file, or nowhere."""
    if config.record is None:
        return None
    path = Path(config.record).expanduser()
    return path if path.is_dir() or not path.suffix or config.record.endswith("/") else None


def _draw(result: Result, event: Event) -> bytes:
    from edgecam.record.snapshot import encode_snapshot

    return encode_snapshot(result.frame.image, event.to_dict())


def _sent_only(_name: str, _jpeg: bytes) -> bool:
    """Keep nothing: without a library a picture is only sent."""
    return True


def _forgotten(_name: str) -> None:
    """None: without a library older pictures are gone."""


def _load(folder: Path, name: str) -> bytes | None:
    from edgecam.record.library.journal import load_picture

    return load_picture(folder, name)


def _keep(folder: Path, name: str, jpeg: bytes) -> bool:
    from edgecam.record.library.journal import keep_picture

    return keep_picture(folder, name, jpeg)
