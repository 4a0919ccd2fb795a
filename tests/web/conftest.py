"""A real board's page: an App with a synthetic camera, and the server beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra 'web'")
pytest.importorskip("uvicorn", reason="needs the extra 'web'")

from web_board import CAMERA, Board, Serve

from edgecam.app.app import App
from edgecam.config import Config, load
from edgecam.web.auth.store import Store
from edgecam.web.build import build


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash costs a quarter of a second, by design, and these tests make dozens; one takes the real cost."""
    monkeypatch.setattr("edgecam.web.auth.passwords.N", 2**10)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts boards; stops them after the test."""
    with ExitStack() as stack:

        def start(password: str | None = None, **settings: Any) -> Board:
            given = {"source": [CAMERA], "detector": "off", "classifier": "off", "web": "127.0.0.1:0"}
            config: Config = load({**given, **settings}, environment={})
            store = Store(tmp_path / "web.json")
            if password is not None:
                store.set_password(password)
            app = App(config, paced=True)
            server = build(app, store=store)
            server.open()
            stack.callback(app.stop)
            app.start()
            stack.callback(server.stop)
            server.start()
            return Board(app, server)

        yield start


@pytest.fixture
def chromium() -> str:
    """Where Debian's Chromium is; its absence skips the test."""
    pytest.importorskip("playwright", reason="needs the package playwright")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("needs chromium: apt install chromium")
    return found
