"""What a window shows and commands: implements :class:`edgecam.ui.controller.Controller` over an App."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.app.app import App
from edgecam.app.models import NO_CLASS
from edgecam.app.sources import short
from edgecam.core.errors import EdgecamError, RecordError
from edgecam.core.types import Result, Stats
from edgecam.core.units import days_text
from edgecam.overlay.style import Level
from edgecam.pipeline.fanout import SinkLane

if TYPE_CHECKING:
    from edgecam.record.recorder import Recorder


class Controls:
    """All calls come from the GUI's thread.

    over: asked often; True ends the window (a signal came, ``--duration`` is over).
    """

    def __init__(self, app: App, over: Callable[[], bool]) -> None:
        self._app = app
        self._over = over
        self._by_hand: list[tuple[Recorder, SinkLane]] = []

    def results(self) -> tuple[Result | None, ...]:
        """The newest result of each source."""
        latest = self._app.pipeline.latest
        return tuple(latest.get(index) for index in range(len(self._app.sources)))

    def notices(self) -> tuple[str, ...]:
        """What is wrong with each source."""
        return tuple(source.notice for source in self._app.control.state().sources)

    def stats(self) -> Stats:
        """Recent statistics."""
        state = self._app.control.state()
        if len(state.sources) == 1:
            return state.stats
        # each tile has its camera's own
        return replace(state.stats, notice=state.common_notice)

    def source_stats(self) -> tuple[Stats, ...]:
        """Recent statistics of each source."""
        return tuple(source.stats for source in self._app.control.state().sources)

    def displayed(self, result: Result, at_ns: int) -> None:
        """The window painted this result."""
        self._app.collector.displayed(result, at_ns)

    def finished(self) -> bool:
        """Whether the window should close."""
        return self._app.pipeline.finished or self._over()

    def set_paused(self, paused: bool) -> None:
        """Hold files; a camera goes on unseen."""
        self._app.pipeline.set_paused(paused)
        self._app.states.renew()

    def snapshot(self) -> str:
        """Write the newest annotated picture of each source as JPEG; their paths. Raises RecordError."""
        results = self.results()
        names = self._app.camera_names()
        paths = [
            self._write(result, name if len(results) > 1 else "")
            for result, name in zip(results, names, strict=True)
            if result is not None
        ]
        if not paths:
            raise RecordError("there is no picture to save yet")
        return ", ".join(paths)

    def _write(self, result: Result, camera: str) -> str:
        from edgecam.record.snapshot import save_snapshot  # here: PyAV takes a tenth of a second to import

        folder = Path(self._app.config.snapshots).expanduser()
        stats = self._app.states.stats(result.frame.source)
        return str(save_snapshot(folder, self._app.annotate(result), result, stats, short(camera)))

    def toggle_recording(self) -> str:
        """Start or stop clips by hand, beside the snapshots; a line for the screen."""
        try:
            return self._toggle_recording(self._app)
        finally:
            self._app.states.renew()

    def _toggle_recording(self, app: App) -> str:
        if self._by_hand:
            stopping, self._by_hand = self._by_hand, []
            clips: list[str] = []
            for recorder, lane in stopping:
                app.pipeline.remove_sink(lane)
                clips += [str(path) for path in recorder.clips]
            return f"saved {', '.join(clips)}" if clips else "nothing was recorded"
        if app.config.record_on and app.recorders:
            app.control.trigger("key")
            return "recording this"
        if app.config.record is not None:
            return f"already recording to {app.config.record}"
        folder = Path(app.config.snapshots).expanduser().resolve() / "clips"
        for index in range(len(app.sources)):
            recorder, lane = app.add_recorder(folder, index)
            app.pipeline.add_sink(lane)
            self._by_hand.append((recorder, lane))
        return f"recording to {folder}"

    def is_recording(self) -> bool:
        """Whether a clip is being written."""
        return self._app.control.state().recording

    def recording_note(self) -> str:
        """The least space that any recording has."""
        days = self._app.control.state().days_left
        return f"space for {days_text(days)}" if days is not None else ""

    def score(self) -> float:
        """The score below which detections are not shown."""
        detector = self._app.control.state().detector
        return 0.5 if detector is None else detector.score

    def set_score(self, value: float) -> None:
        """Change it, from the next frame on."""
        self._change(score=value)

    def overlay(self) -> Level:
        """How much stands over the picture."""
        return self._app.config.overlay

    def set_overlay(self, level: Level) -> None:
        """Change it, at once."""
        self._change(overlay=level)

    def labels(self) -> tuple[str, ...]:
        """The detector's labels."""
        detector = self._app.control.state().detector
        return () if detector is None else detector.labels

    def enabled_classes(self) -> frozenset[str]:
        """The labels that are looked for."""
        detector = self._app.control.state().detector
        return frozenset() if detector is None else detector.enabled

    def set_enabled_classes(self, classes: Set[str]) -> None:
        """Change them, from the next frame on."""
        self._change(classes=tuple(sorted(classes)) or NO_CLASS)

    def _change(self, **settings: object) -> None:
        """Raises EdgecamError with the reasons if something is refused."""
        refused = self._app.control.change(**settings).refused
        if refused:
            raise EdgecamError("; ".join(refused.values()))
