"""``--web``: the page beside a run: builds, opens, starts and stops the server."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from edgecam.app.app import App
from edgecam.core.errors import EdgecamError, MissingExtraError
from edgecam.host.installation import install_extra
from edgecam.ui.controller import PairingCode, WindowOptions
from edgecam.web.log_ring import LogRing

if TYPE_CHECKING:
    from edgecam.web.server import WebServer

log = logging.getLogger(__name__)


class Page:
    """The page of a run; every method does nothing where there is none."""

    def __init__(
        self, app: App, *, kiosk: bool = False, argv: Sequence[str] = (), logged: LogRing | None = None
    ) -> None:
        self._server: WebServer | None = None
        self._logged = logged
        self._kiosk = kiosk
        self._argv = tuple(argv)
        #: Set where somebody asked for a new start.
        self.again = threading.Event()
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
        server = build(app, doctor=_doctor, again=self.again, given=self._given(app), logged=self._logged)
        store = server.site.store
        if self._kiosk and not server.address.loopback and not store.has_password:
            store.new_pairing()  # the first start: whoever stands before the screen may set the password
        server.open()
        self._server = server
        if not server.address.loopback and server.certificate is None:
            log.warning("the page is served without encryption; for HTTPS: --web-tls self")
        app.notes.append(("web", f"{server.url}{self._how(server)}"))

    def _given(self, app: App) -> dict[str, object]:
        """The models that the command line or the environment names, which go before the file."""
        options = {word.partition("=")[0] for word in self._argv}
        return {
            name: getattr(app.config, name)
            for name in ("detector", "classifier")
            if f"--{name}" in options or f"EDGECAM_{name.upper()}" in os.environ
        }

    @staticmethod
    def _how(server: WebServer) -> str:
        if server.site.store.has_password:
            return ""
        return " (here only; for other machines: edgecam web password)"

    def offer(self, options: WindowOptions) -> WindowOptions:
        """The window's options, with the codes for phones if there is a page that a phone can reach."""
        server = self._server
        if server is None or server.address.loopback:
            return options
        store = server.site.store
        first = not store.look(lambda kept: kept.sessions)
        return replace(options, pairing=self._pairing, pair_at_start=options.kiosk and first)

    def _pairing(self) -> PairingCode:
        """A new way in, as a QR code with this board's address in the network."""
        import segno

        from edgecam.web.address import lan_addresses

        server = self._server
        assert server is not None

        def own_host() -> str:
            found = lan_addresses()
            return found[0] if found else f"{socket.gethostname()}.local"

        host, store = own_host(), server.site.store
        scheme = "https" if server.certificate else "http"
        base = f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.address.port}/"
        secret = store.new_pairing()
        code = segno.make(f"{base}#/pair/{secret}", error="l")
        rows = tuple("".join("1" if cell else "0" for cell in row) for row in code.matrix)

        def state() -> str:
            now = store.pairing_state(secret)
            return "over" if now == "waits" and own_host() != host else now

        first = not store.look(lambda kept: kept.sessions)
        return PairingCode(base, rows, state, self._pairing if self._kiosk and first else None)

    def start(self) -> None:
        """Begin to serve."""
        if self._server is not None:
            self._server.start()

    def stop(self) -> None:
        """Tell every viewer, and end the server: before the app stops, which viewers would see."""
        if self._server is not None:
            self._server.stop()

    def start_anew(self) -> None:
        """Start a new run with the same arguments, if that was asked for, after all else has ended."""
        if self.again.is_set():
            os.execv(sys.executable, [sys.executable, "-m", "edgecam", *self._argv])


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
