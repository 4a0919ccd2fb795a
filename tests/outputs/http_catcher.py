"""A real HTTP server on loopback that keeps what is posted to it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Posted:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Catcher:
    """answers: statuses to give, in order; then 200."""

    answers: list[int] = field(default_factory=list)
    retry_after: str = ""
    posted: list[Posted] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Catcher:
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {k.lower(): v for k, v in self.headers.items()}
                catcher.posted.append(Posted(self.path, headers, body))
                status = catcher.answers.pop(0) if catcher.answers else 200
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                if catcher.retry_after:
                    self.send_header("Retry-After", catcher.retry_after)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def wait_for(self, count: int, limit_s: float = 60.0) -> bool:
        """Whether so many were posted in time."""
        end = time.monotonic() + limit_s
        while len(self.posted) < count and time.monotonic() < end:
            time.sleep(0.05)
        return len(self.posted) >= count

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
