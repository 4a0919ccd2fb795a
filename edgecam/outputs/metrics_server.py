"""The port of ``--metrics``: few connections, none for long, whoever is on the other end."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import time
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = logging.getLogger(__name__)

#: Open connections, each with a thread; further ones are closed unread. Prometheus needs one.
CONNECTIONS = 16
#: A connection is closed after so long, whether it is silent, or sends or reads a byte now and then.
CONNECTION_S = 10.0
JOIN_S = 5.0


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Serves a registry on its own thread, from the start on. Raises OSError where it cannot listen."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        from prometheus_client import make_wsgi_app

        self._lock = threading.Lock()
        self._until_s: dict[socket.socket, float] = {}
        infos = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, _, _, _, place = infos[0]
        super().__init__((str(place[0]), address[1]), _SilentHandler)
        self.set_app(make_wsgi_app(registry))
        self._thread = threading.Thread(target=self.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more, and close every connection."""
        self.shutdown()
        self.server_close()
        self._close_since(float("inf"))
        self._thread.join(JOIN_S)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own, if there are not too many."""
        with self._lock:
            full = len(self._until_s) >= CONNECTIONS
            if not full:
                self._until_s[request] = time.monotonic() + CONNECTION_S
        if full:
            log.debug("a connection from %s was closed: %d are open", client_address[0], CONNECTIONS)
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        with self._lock:
            self._until_s.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Every half second: close what has been open for too long."""
        super().service_actions()
        self._close_since(time.monotonic())

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Somebody who hangs up is nothing to tell."""
        log.debug("a connection from %s ended early: %r", client_address[0], sys.exc_info()[1])

    def _close_since(self, now_s: float) -> None:
        with self._lock:
            for request, until_s in self._until_s.items():
                if until_s <= now_s:
                    with contextlib.suppress(OSError):
                        request.shutdown(socket.SHUT_RDWR)  # its thread wakes up and closes it


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """A scrape is nothing to tell."""
