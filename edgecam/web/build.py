"""From a built App to a web server: the one module here that knows how the program is put together."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecam import __version__
from edgecam.app.app import App
from edgecam.app.sources import short
from edgecam.core.errors import EdgecamError, RecordError
from edgecam.core.types import Result
from edgecam.web.auth.store import Store, default_path
from edgecam.web.event_shelf import EventShelf
from edgecam.web.history import History
from edgecam.web.live.hub import Hub
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
) -> WebServer:
    """The server for ``app.config.web``, not opened yet. Before ``app.start``, since it listens to results.

    doctor: what the room beside this one can tell. Raises ConfigError.
    """
    config = app.config
    assert config.web is not None
    cameras = camera_ids(app.camera_names(), short)
    index = {camera.id: camera.index for camera in cameras}

    def latest(camera_id: str) -> Result | None:
        return app.pipeline.latest.get(index[camera_id])

    rates = {camera.id: app.sources[camera.index].rate_hz for camera in cameras}
    hub = Hub({camera.name: camera.id for camera in cameras}, rates, latest)
    scrape = Scrape(app.control.state)
    events = EventShelf(app.telling.library)
    site = Site(
        events=events,
        scrape=scrape,
        config=config,
        control=app.control,
        cameras=cameras,
        store=store or Store(default_path()),
        hub=hub,
        latest=latest,
        commands=AppCommands(app, {camera.name: camera.index for camera in cameras}),
        history=History(),
        annotate=app.annotate,
        shelf=Shelf(app.clips_folder()),
        settings_file=SettingsFile(None if config.config is None else Path(config.config).expanduser()),
        doctor=doctor,
        version=__version__,
    )
    app.on_result(hub.publish)
    app.on_result(scrape.observe)
    options = WebOptions(config.web, config.web_tls, config.web_names, config.web_proxies)
    server = WebServer(options, site)
    events.tell = server.news.post
    app.telling.add(events, "web")
    return server


class AppCommands:
    """Implements :class:`edgecam.web.site.Commands` over an App."""

    def __init__(self, app: App, index: Mapping[str, int]) -> None:
        self._app = app
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
        """Ends this program as SIGTERM does; systemd starts it again."""
        if not running_as_service():
            raise EdgecamError("edgecam was not started by systemd; end it and start it again yourself")
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return "restarting"
