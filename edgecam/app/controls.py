"""What a window shows and commands: implements :class:`edgecam.ui.controller.Controller` over an App."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgecam.app.app import App
from edgecam.core.control import Changes
from edgecam.core.errors import RecordError
from edgecam.core.naming import short
from edgecam.core.state import State
from edgecam.core.types import Result


class Controls:
    """All calls come from the GUI's thread.

    over: asked often; True ends the window (a signal came, ``--duration`` is over).
    """

    def __init__(self, app: App, over: Callable[[], bool]) -> None:
        self._app = app
        self._over = over

    def results(self) -> tuple[Result | None, ...]:
        """The newest result of each source."""
        latest = self._app.pipeline.latest
        return tuple(latest.get(index) for index in range(len(self._app.sources)))

    def state(self) -> State:
        """What is going on."""
        return self._app.control.state()

    def change(self, **settings: object) -> Changes:
        """Set live settings, from the next frame on."""
        return self._app.control.change(**settings)

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
        """Start or stop clips; a line for the screen."""
        return self._app.toggle_recording()
