"""The typed client against a real board."""

from __future__ import annotations

import contextlib
import inspect
import re
import socket
import threading
from pathlib import Path

import pytest
from web_board import PASSWORD, Serve

from edgecam.web.api.rule_types import NewPlaces, ZoneRow
from edgecam.web.api.table import all_operations
from edgecam.web.client import Client, RefusedError
from edgecam.web.live.message import LiveHeader


def test_a_program_sees_changes_and_draws(serve: Serve, tmp_path: Path) -> None:
    board = serve(PASSWORD, record=str(tmp_path / "clips"))
    _, token = board.server.site.store.new_token("script", "operator")
    client = Client(board.origin, token=token)
    assert client.me().role == "operator"
    assert client.stats().cameras[0].id == "synthetic" and client.cameras()[0].size_wh == (640, 360)
    found = [header.index for header, _ in zip_first(client, 3)]
    assert found == sorted(found) and len(found) == 3
    assert client.picture("synthetic", height=90).startswith(b"\xff\xd8")
    assert client.change(max_temp=66).applied == {"max_temp": 66.0}
    corners = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
    assert (
        client.draw("synthetic", NewPlaces([ZoneRow("yard", corners)])).cameras[0].zones[0].points == corners
    )
    assert client.clips(limit=5).clips[0].growing
    assert next(client.clip_video("now.synthetic"))
    assert len(client.models()) >= 4 and client.history().time is not None
    with pytest.raises(RefusedError, match="needs the role admin") as refused:
        client.settings()
    assert refused.value.status == 403
    with pytest.raises(RefusedError, match="log in first"):
        Client(board.origin).stats()
    with pytest.raises(RefusedError, match="does not answer"):
        Client("http://127.0.0.1:9", timeout_s=2).stats()


def test_a_program_can_do_all_that_the_page_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operation has a method, but for those by which a browser logs in and a link is opened."""
    asked: set[tuple[str, str]] = set()

    def take(_self: Client, method: str, path: str, **_: object) -> bytes:
        asked.add((method, f"/api/{path}"))
        raise RefusedError(0, "noted")

    monkeypatch.setattr(Client, "_bytes", take)
    monkeypatch.setattr(Client, "_open", take)
    client = Client("http://board")
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_") and name != "live":
            needed = [
                p
                for p in inspect.signature(method).parameters.values()
                if p.default is p.empty and p.name != "self"
            ]
            values = [
                () if p.name in ("rules", "changes") else "x" for p in needed if p.kind is not p.VAR_KEYWORD
            ]
            with contextlib.suppress(RefusedError):
                found = method(client, *values)
                next(found) if inspect.isgenerator(found) else None
    client_only = {("GET", "/api/clips/x/thumb.jpg"), ("GET", "/api/replays/x"), ("DELETE", "/api/replays/x")}
    asked |= client_only  # by an argument, or while a replay is waited for
    asked.add(("PUT", "/api/config"))  # after the settings were read
    browsers = ("/api/login", "/api/logout", "/api/pair", "/api/shared", "/api/openapi")
    missing = [
        (op.method, op.path)
        for op in all_operations()
        if not op.path.startswith(browsers) and (op.method, re.sub(r"\{\w+\}", "x", op.path)) not in asked
    ]
    assert not missing


def zip_first(client: Client, count: int) -> list[tuple[LiveHeader, bytes]]:
    stream = client.live("synthetic")
    found = [next(stream) for _ in range(count)]
    stream.close()  # type: ignore[attr-defined]
    return found


def test_a_token_goes_to_no_other_host() -> None:
    """urllib takes all headers along on a redirection."""
    asked: list[bytes] = []

    def answer(listener: socket.socket, text: bytes) -> None:
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                asked.append(peer.recv(65536))
                peer.sendall(text)

    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        there = other.getsockname()[1]
        moved = b"HTTP/1.1 302 Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % there
        one.settimeout(20)
        other.settimeout(0.2)
        threads = [threading.Thread(target=answer, args=(listener, moved)) for listener in (one, other)]
        for thread in threads:
            thread.start()
        with pytest.raises(RefusedError, match="answered 302"):
            Client(f"http://127.0.0.1:{one.getsockname()[1]}", token="t0k3n").stats()
        for thread in threads:
            thread.join()
    assert len(asked) == 1 and b"t0k3n" in asked[0]
