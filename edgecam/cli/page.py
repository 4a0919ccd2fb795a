"""``--web``: the page beside a run: builds, opens, starts and stops the server."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from edgecam.app.app import App
from edgecam.core.errors import EdgecamError, MissingExtraError
from edgecam.host.installation import install_extra

if TYPE_CHECKING:
    from edgecam.web.server import WebServer

log = logging.getLogger(__name__)


class Page:
    """The page of a run; every method does nothing where there is none."""

    def __init__(self, app: App) -> None:
        self._server: WebServer | None = None
        if app.config.web is None:
            return
        try:
            self._open(app)
        except EdgecamError as error:
            if "INVOCATION_ID" not in os.environ:
                raise
            # a camera on a mast must not go blind because its page cannot be served
            log.error("going on without the page: %s", error)

    def _open(self, app: App) -> None:
        try:
            from edgecam.web.build import build
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"--web needs the package '{error.name}', which is not installed: {install_extra('web')}"
            ) from None
        server = build(app, doctor=_doctor)
        server.open()
        self._server = server
        if not server.address.loopback and server.certificate is None:
            log.warning("the page is served without encryption; for HTTPS: --web-tls self")
        app.notes.append(("web", f"{server.url}{self._how(server)}"))

    @staticmethod
    def _how(server: WebServer) -> str:
        if server.site.store.has_password:
            return ""
        return " (open to this machine only; for others: edgecam web password)"

    def start(self) -> None:
        """Begin to serve."""
        if self._server is not None:
            self._server.start()

    def stop(self) -> None:
        """Tell every viewer, and end the server. Before the app stops, so that nobody looks at a ruin."""
        if self._server is not None:
            self._server.stop()


def _doctor() -> Sequence[Mapping[str, str]]:
    from edgecam.service.doctor.core import Around
    from edgecam.service.doctor.page import examine

    lines: list[Mapping[str, str]] = []
    with suppress(OSError):
        lines = [
            {"section": x.section, "title": x.title, "status": x.status, "detail": x.detail, "fix": x.fix}
            for x in examine(Around())
        ]
    return lines
