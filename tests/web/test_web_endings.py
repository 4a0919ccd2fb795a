"""What ends by itself: streams of a revoked token, bodies that trickle, answers that nobody takes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from web_board import PASSWORD, Serve
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from edgecam.app.app import App
from edgecam.cli.main import main
from edgecam.cli.page import Page
from edgecam.core.events import Event, event_id
from edgecam.core.state import State
from edgecam.core.types import Stats
from edgecam.web import limits
from edgecam.web.auth.store import Store
from edgecam.web.guard import Guard, Message, Scope
from edgecam.web.history import History
from edgecam.web.protocol import cut_off_when_closing


@pytest.mark.parametrize("path", ["/api/synthetic/live?format=jpeg", "/api/updates"])
def test_a_revoked_token_ends_what_it_watches(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(limits, "STILL_EVERY_S", 0.05)
    board = serve(PASSWORD)
    token, secret = board.server.site.store.new_token("tablet", "viewer")
    with connect(
        f"ws://127.0.0.1:{board.port}{path}", additional_headers={"authorization": f"Bearer {secret}"}
    ) as watching:
        watching.recv(30)
        board.server.site.store.revoke_token(token.id)
        with pytest.raises(ConnectionClosed) as ended:
            while True:
                watching.recv(30)
    assert ended.value.rcvd is not None and ended.value.rcvd.code == 1008


def test_a_revoked_token_ends_its_stream_of_pictures(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STILL_EVERY_S", 0.05)
    board = serve(PASSWORD)
    token, secret = board.server.site.store.new_token("tablet", "viewer")
    with socket.create_connection(("127.0.0.1", board.port), timeout=30) as link:
        link.sendall(
            b"GET /api/synthetic/stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            + f"Authorization: Bearer {secret}\r\n\r\n".encode()
        )
        assert link.recv(65536).startswith(b"HTTP/1.1 200")
        board.server.site.store.revoke_token(token.id)
        while link.recv(65536):
            pass


def test_a_body_that_trickles_has_no_more_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_S", 0.5)
    board = serve(PASSWORD)
    head = b"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", board.port), timeout=30) as link:
        link.sendall(head + b"Content-Length: 100\r\n\r\n{")
        link.settimeout(0.2)
        for _ in range(99):
            with contextlib.suppress(OSError):
                link.sendall(b" ")
            with contextlib.suppress(TimeoutError):
                answer = link.recv(4096)
                break
    assert answer.startswith(b"HTTP/1.1 408"), answer


def test_a_closed_connection_does_not_wait_for_one_who_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER_S", 0.1)

    async def run() -> bool:
        loop, lost = asyncio.get_running_loop(), asyncio.Event()

        class Much(asyncio.Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                cut_off_when_closing(transport, loop)
                transport.write(bytes(64 << 20))
                transport.close()

            def connection_lost(self, exc: Exception | None) -> None:
                lost.set()

        server = await loop.create_server(Much, "127.0.0.1", 0)
        client = socket.create_connection(server.sockets[0].getsockname())
        try:
            await asyncio.wait_for(lost.wait(), 30)
        finally:
            client.close()
            server.close()
        return lost.is_set()

    assert asyncio.run(run())


@pytest.mark.parametrize(
    ("said", "let_in"), [("wss", True), ("https", True), ("ws", False), ("gopher", False)]
)
def test_a_proxy_may_name_the_scheme_of_a_websocket(tmp_path: Path, said: str, let_in: bool) -> None:
    passed: list[str] = []

    async def inner(scope: Scope, *_: object) -> None:
        passed.append(scope["type"])

    async def receive() -> Message:
        return {"type": "websocket.disconnect"}

    async def send(_: Message) -> None: ...

    names, proxies = frozenset({"board"}), frozenset({"10.0.0.1"})
    store = Store(tmp_path / "web.json")
    guard = Guard(inner, store, names, loopback_only=False, secure=False, proxies=proxies)
    headers = {"host": "board", "origin": "https://board", "x-forwarded-proto": said}
    scope = {
        "type": "websocket", "client": ("10.0.0.1", 1), "scheme": "ws", "path": "/api/updates",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    assert bool(passed) is let_in


def test_every_connection_is_cut_off_when_it_is_closed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[object] = []
    monkeypatch.setattr("edgecam.web.protocol.cut_off_when_closing", lambda link, _: watched.append(link))
    board = serve()
    assert board.ask("GET", "/api/me")[0] == 200
    assert len(watched) == 1


def test_history_stays_in_order_whatever_the_clock_is_set_to(monkeypatch: pytest.MonkeyPatch) -> None:
    history, state = History(), State(0, stats=Stats(30.0, 15.0))
    wall_s, runs_s = 5000.0, 1000.0
    clocks = SimpleNamespace(time=lambda: wall_s, monotonic=lambda: runs_s)
    monkeypatch.setattr("edgecam.web.history.time", clocks)
    for _ in range(4):
        history.add(state)
        wall_s, runs_s = wall_s - 900.0, runs_s + 10.0  # set back by a quarter of an hour each time
    assert history.rows(3600)["time"] == [wall_s - 40, wall_s - 30, wall_s - 20, wall_s - 10]
    assert history.rows(25)["time"] == [wall_s - 20, wall_s - 10]


def test_metrics_count_events_from_the_first_look_on_and_what_waits(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("prometheus_client", reason="needs the extra 'metrics'")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    board = serve(webhook=["http://127.0.0.1:9/nobody"])
    waits = re.search(rb'edgecam_events_waiting\{[^}]*webhook-1"\} 0', board.ask("GET", "/api/metrics")[2])
    assert waits, "nothing waits yet"
    board.server.site.events.write(
        Event(id=event_id(5.0, 1), type="new", kind="object", camera="synthetic:", label="person")
    )
    deadline = time.monotonic() + 30
    while b'edgecam_events_total{camera="synthetic:"' not in board.ask("GET", "/api/metrics")[2]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_log_of_the_page_begins_with_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []

    class Seen(Page):
        def __init__(self, app: App, **more: Any) -> None:
            logged.extend(line.text for line in more["logged"].newest(50))
            super().__init__(app, **more)

    monkeypatch.setattr("edgecam.cli.run.Page", Seen)
    words = "--source synthetic:?frames=3 --detector off --display none --web 127.0.0.1:0"
    assert main([*words.split(), "--action", "nobody=true"]) == 0
    assert any("no rule is called 'nobody'" in line for line in logged), logged
