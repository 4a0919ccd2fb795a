"""From a built App to a web server: the only module of this room that knows the App."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgecam import __version__
from edgecam.app.app import App
from edgecam.app.sources import short
from edgecam.core.errors import EdgecamError, RecordError
from edgecam.core.events import Event
from edgecam.core.types import Result
from edgecam.inference.models.card import Task
from edgecam.web.auth.store import Store, default_path
from edgecam.web.event_shelf import EventShelf
from edgecam.web.history import History
from edgecam.web.live.hub import Hub
from edgecam.web.log_ring import LogRing
from edgecam.web.model_choice import SETTING, ModelChoice, Running
from edgecam.web.scrape import Scrape
from edgecam.web.server import WebOptions, WebServer, running_as_service
from edgecam.web.settings_file import SettingsFile
from edgecam.web.shelf import Shelf
from edgecam.web.site import Site, camera_ids

Rows = Callable[[], Sequence[Mapping[str, Any]]]


def build(
    app: App,
    *,
    doctor: Rows | None = None,
    store: Store | None = None,
    again: threading.Event | None = None,
    given: Mapping[str, object] = MappingProxyType({}),
    logged: LogRing | None = None,
) -> WebServer:
    """The server for ``app.config.web``, not opened yet. Before ``app.start``, since it listens to results.

    doctor: what the room beside this one can tell. again: set where whoever started the program starts it
    anew once it has ended; None where only systemd does. given: settings that hold against the file,
    by name. logged: what has been logged since the start. Raises ConfigError.
    """
    config = app.config
    assert config.web is not None
    cameras = camera_ids(app.camera_names(), short, dict(app.style.keep_clear))
    index = {camera.id: camera.index for camera in cameras}

    def latest(camera_id: str) -> Result | None:
        return app.pipeline.latest.get(index[camera_id])

    rates = {camera.id: app.sources[camera.index].rate_hz for camera in cameras}
    hub = Hub({camera.name: camera.id for camera in cameras}, rates, latest)
    scrape = Scrape(app.control.state, app.wire.counts_waiting)
    events = EventShelf(app.telling.library)
    store = store or Store(default_path())
    choice_path = store.path.with_name("models.json")
    site = Site(
        events=events,
        scrape=scrape,
        config=config,
        control=app.control,
        cameras=cameras,
        store=store,
        hub=hub,
        latest=latest,
        commands=AppCommands(app, {camera.name: camera.index for camera in cameras}, again),
        history=History(),
        annotate=app.annotate,
        shelf=Shelf(app.clips_folder()),
        settings_file=SettingsFile(None if config.config is None else Path(config.config).expanduser()),
        doctor=doctor,
        version=__version__,
        models=ModelChoice(choice_path, loaded(app)),
        log=logged or LogRing(),
        given_models={task: str(given[name]) for task, name in SETTING.items() if name in given},
    )
    app.on_result(hub.publish)
    app.on_result(scrape.observe)
    options = WebOptions(config.web, config.web_tls, config.web_names, config.web_proxies)
    server = WebServer(options, site)

    def tell(event: Event) -> None:
        scrape.write(event)
        server.news.post(event)

    events.tell = tell
    app.telling.add(events, "web")
    return server


def loaded(app: App) -> dict[Task, Running]:
    """The model files that this run was built from."""
    return {task: Running.of(path) for task, path in app.models.files.items()}


class AppCommands:
    """Implements :class:`edgecam.web.site.Commands` over an App."""

    def __init__(self, app: App, index: Mapping[str, int], again: threading.Event | None = None) -> None:
        self._app = app
        self._again = again
        self._index = index
        self._lock = threading.Lock()

    def snapshot(self, camera: str) -> Path:
        """The newest picture with its overlay, beside the program's own snapshots."""
        from edgecam.record.snapshot import save_snapshot

        app = self._app
        result = app.pipeline.latest.get(self._index[camera])
        if result is None:
            raise RecordError("there is no picture to save yet")
        named = short(camera) if len(app.sources) > 1 else ""
        folder = Path(app.config.snapshots).expanduser()
        with self._lock:
            return save_snapshot(folder, app.annotate(result), result, app.states.stats(camera), named)

    def record(self, camera: str, on: bool) -> str:
        """Begins, prolongs or ends a recording of that camera."""
        return self._app.record(self._index[camera], on)

    def restart(self) -> str:
        """Ends this program as SIGTERM does; systemd, or the command itself, starts it again."""
        if not running_as_service():
            if self._again is None:
                raise EdgecamError("another program runs edgecam; end it and start it again yourself")
            self._again.set()
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return "restarting"
