"""The web server: a socket, a thread, a loop; started and stopped by the program's owner."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from edgecam.core.errors import ConfigError, EdgecamError
from edgecam.core.threads import OwnedThread
from edgecam.web import limits, static
from edgecam.web.address import Address, own_names, parse_address
from edgecam.web.api.router import Api
from edgecam.web.api.table import all_operations
from edgecam.web.auth.tls import context, own_certificate
from edgecam.web.guard import Guard, Receive, Scope, Send, refuse
from edgecam.web.news import News
from edgecam.web.protocol import LimitedProtocol
from edgecam.web.site import Site
from edgecam.web.sockets import Streams

log = logging.getLogger(__name__)

START_S = 15.0
STOP_S = 8.0


@dataclass(frozen=True, slots=True)
class WebOptions:
    """address: as of ``--web``. tls: ``off``, ``self`` or a PEM file with key and certificate. names: further
    host names that are ours. proxies: addresses whose forwarding headers are believed.
    """

    address: str
    tls: str = "off"
    names: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()


class WebServer:
    """``open`` takes the port and tells what is wrong; ``start`` and ``stop`` belong to one owner."""

    def __init__(self, options: WebOptions, site: Site) -> None:
        self.options = options
        self.site = site
        self.news = News(site)
        self.address: Address = parse_address(options.address)
        self.certificate: Path | None = None
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._thread = OwnedThread("web", self._run, self._started.set)
        self._streams = Streams(site, self.news)
        operations = all_operations()
        site.features = tuple(dict.fromkeys(op.tag for op in operations))
        self._api = Api(site, operations)

    def open(self) -> None:
        """Check the settings and take the port. Raises ConfigError.

        Beyond loopback a password is needed first: the cameras of a home are nobody else's.
        """
        address = self.address
        if not address.loopback and not self.site.store.has_password and not self.site.store.pairing_open():
            raise ConfigError(
                f"--web {self.options.address} would be open to the whole network, and no password is set;"
                " set one with 'edgecam web password' (or pair a phone: 'edgecam web pair'),"
                f" or listen on this machine only: --web {address.port}"
            )
        if self.options.tls == "self":
            self.certificate = own_certificate(self.site.store.path.parent)
        elif self.options.tls != "off":
            self.certificate = Path(self.options.tls).expanduser()
        if self.certificate is not None:
            context(self.certificate)
        made = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if address.family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            made.bind((address.host, address.port))
            made.listen(128)
        except OSError as error:
            made.close()
            hint = {
                errno.EADDRINUSE: "something listens there already; choose another port",
                errno.EACCES: "ports below 1024 belong to root; choose a higher one",
                errno.EADDRNOTAVAIL: "this machine has no such address",
            }.get(error.errno or 0, str(error.strerror))
            raise ConfigError(f"--web {self.options.address}: {hint}") from error
        made.setblocking(False)
        self._socket = made
        self.address = Address(address.host, int(made.getsockname()[1]))

    @property
    def url(self) -> str:
        """How a browser on this board opens it."""
        host = self.address.host
        if host in ("0.0.0.0", "::"):
            host = "127.0.0.1"
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.address.port}/"

    def start(self) -> None:
        """Begin to serve. Raises what the server's thread died of."""
        self.site.log.attach()
        self._thread.start()
        self._started.wait(START_S)
        if self._thread.error is not None:
            raise self._thread.error

    def stop(self) -> None:
        """Tell every page, end the streams, join the thread, then the encoders. Idempotent."""
        loop, server = self._loop, self._server
        if loop is not None and server is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._end)
        try:
            self._thread.join(STOP_S)
        finally:
            self.site.log.detach()
            self.site.hub.close()
            self.site.replays.close()
            if self._socket is not None:
                self._socket.close()
                self._socket = None
        if self._thread.error is not None:
            raise EdgecamError(f"the web server failed: {self._thread.error}") from self._thread.error

    def _end(self) -> None:
        self.site.hub.end_viewers()
        self.news.end()
        if self._server is not None:
            self._server.should_exit = True

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(limits.WORKERS, thread_name_prefix="web-work"))
        self._loop = self.site.hub.loop = loop
        secure = self.certificate is not None
        gate = Guard(
            self._application,
            self.site.store,
            own_names(self.options.names),
            loopback_only=self.address.loopback,
            secure=secure,
            proxies=frozenset(self.options.proxies),
        )
        config = uvicorn.Config(
            gate,
            http=LimitedProtocol,
            ws="websockets-sansio",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=128,
            timeout_keep_alive=limits.KEEP_ALIVE_S,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=limits.HEAD_BYTES,
            ws_max_size=limits.SOCKET_BYTES,
            ws_per_message_deflate=False,
            ssl_certfile=self.certificate,
        )
        config.load()
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self._server = uvicorn.Server(config)
        assert self._socket is not None
        news = asyncio.ensure_future(self.news.run())
        loop.call_soon(self._started.set)
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            news.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await news

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._streams.websocket(scope, receive, send)
        elif str(scope["path"]).startswith("/api/"):
            if not await self._streams.mjpeg(scope, receive, send):
                await self._api(scope, receive, send)
        elif not await static.serve(scope, receive, send):
            await refuse(scope, receive, send, 404, "there is nothing at this address", [])


def running_as_service() -> bool:
    """Whether systemd started this program, and so starts it again."""
    return "INVOCATION_ID" in os.environ
