"""A running App with its page, as the tests see it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecam.app.app import App
    from edgecam.web.server import WebServer

CAMERA = "synthetic:?live=1&size=640x360&rate=20"
PASSWORD = "a long enough phrase"


class Board:
    """A running App with its page; ``ask`` is one request."""

    def __init__(self, app: App, server: WebServer) -> None:
        self.app = app
        self.server = server
        self.port = server.address.port
        self.origin = f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json"} if body is not None else {}
        connection.request(method, path, data, {**given, **(headers or {})})
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def json(self, path: str, headers: dict[str, str] | None = None) -> Any:
        status, _, body = self.ask("GET", path, headers=headers)
        assert status == 200, body
        return json.loads(body)


Serve = Callable[..., Board]
