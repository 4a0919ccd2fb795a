"""The whole pipeline as a loop: ``for result in watch("demo:")``."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecam.app.app import App
from edgecam.config.loading import load
from edgecam.config.options import options
from edgecam.config.schema import Config
from edgecam.core.errors import ConfigError, suggest
from edgecam.core.types import Result

log = logging.getLogger(__name__)

#: Results of files that may wait for the loop; then reading waits too, and none is lost.
FILE_DEPTH = 4
#: Results of cameras that may wait for the loop; then the oldest gives way to the newest.
LIVE_DEPTH = 2
#: The loop looks at least this often whether the run has ended, or its time is over.
TURN_S = 0.1


def watch(*sources: str | Path, **settings: Any) -> Generator[Result, None, None]:
    """Everything ``edgecam --source …`` does, without a window, as a generator of results.

    Sources are captured, and the network runs, on threads of their own, while the loop's body runs. A file
    waits for a slow body and loses no frame; a camera goes on, and the body gets the newest results. The run
    begins with the first ``next``. When the loop is left, by its end, ``break``, an exception or Ctrl-C,
    everything is stopped and joined, and clips are finished, before the program goes on; hold no second
    reference to the generator, or use :func:`contextlib.closing`.

    sources: as ``--source``: ``"/dev/video0"``, ``"clip.mp4"``, ``"rtsp://…"``, ``"demo:"``; one or several.
    settings: the options of ``edgecam --help`` with underscores, as text or as Python values:
    ``classes=["person"]``, ``record="clips"``, ``detect_rate=5``, ``size=(1280, 720)``, ``duration="5m"``,
    ``config="edgecam.toml"``. ``EDGECAM_…`` variables count as they do for the program.

    Raises ConfigError at once for a setting that does not exist or does not fit; SourceOpenError, ModelError,
    and what goes wrong later, inside the loop.

        for result in edgecam.watch("demo:", classes=["person"], record="clips"):
            print(result.frame.index, [(d.track_id, d.label) for d in result.detections])
    """
    return _results(_config(sources, settings))


def _config(sources: tuple[str | Path, ...], settings: dict[str, Any]) -> Config:
    known = [option.name for option in options()]
    for name in settings:
        if name == "source":
            raise ConfigError("watch() takes its sources first, without a name: watch('demo:')")
        if name == "display":
            raise ConfigError("watch() has no window; leave 'display' out, or run edgecam for one")
        if name not in known:
            raise ConfigError(
                f"watch() has no setting '{name}'{suggest(name, known) or '; see edgecam --help'}"
            )
    given = {name: _plain(name, value) for name, value in settings.items() if value is not None}
    if sources:
        given["source"] = [str(source) for source in sources]
    config = load(given)
    if not config.source:
        raise ConfigError("watch() has no source; try watch('demo:') or watch('/dev/video0')")
    return config


def _plain(name: str, value: Any) -> Any:
    """A Python value as a settings file would have it."""
    if name == "size" and isinstance(value, (tuple, list)):
        return "x".join(map(str, value))
    if isinstance(value, (tuple, list, set, frozenset)):
        return [str(each) for each in value]
    return str(value) if isinstance(value, Path) else value


@dataclass(slots=True)
class _Handover:
    """Results between the pipeline's thread, which calls ``put``, and the loop's, which calls ``take``.

    waits: a full queue makes the pipeline wait (files); else its oldest result gives way (cameras).
    """

    waits: bool
    ended: bool = False
    results: deque[Result] = field(default_factory=deque)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, result: Result) -> None:
        with self.changed:
            if self.waits:
                self.changed.wait_for(lambda: self.ended or len(self.results) < FILE_DEPTH)
            elif len(self.results) >= LIVE_DEPTH:
                self.results.popleft()
            if not self.ended:
                self.results.append(result)
                self.changed.notify_all()

    def take(self, timeout_s: float) -> Result | None:
        with self.changed:
            self.changed.wait_for(lambda: bool(self.results), timeout_s)
            if not self.results:
                return None
            self.changed.notify_all()
            return self.results.popleft()

    def end(self) -> None:
        """The loop is left: whoever waits in ``put`` goes on."""
        with self.changed:
            self.ended = True
            self.changed.notify_all()


def _results(config: Config) -> Generator[Result, None, None]:
    app = App(config, paced=False, say=log.info)
    handover = _Handover(waits=not any(source.is_live for source in app.sources))
    app.on_result(handover.put)
    over_s = None if config.duration is None else time.monotonic() + config.duration
    try:
        app.start()
        while over_s is None or time.monotonic() < over_s:
            finished = app.wait(0.0)  # asked before the queue is: what was published before is in it
            result = handover.take(0.0 if finished else TURN_S)
            if result is not None:
                yield result
            elif finished:
                break
    finally:
        handover.end()
        app.stop()
