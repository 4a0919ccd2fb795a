"""Apprise itself, in a process of its own, brings a message to a real server."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest
from http_catcher import Catcher

from edgecam.core.errors import MissingExtraError
from edgecam.outputs import messages
from edgecam.outputs.courier import NotDelivered
from edgecam.outputs.messages import Message, parse_target

JPEG = b"\xff\xd8 a picture \xff\xd9"


def test_words_link_and_picture_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apprise", reason="needs the extra 'notify'")
    # what lies in the folder where edgecam was started is not run in its place
    (tmp_path / "apprise.py").write_text("raise SystemExit(0)\n")
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("apprise", None)
    with Catcher() as server:
        send = parse_target(f"apprise:json://127.0.0.1:{server.port}/hook")
        send(Message("Tür: person", "someone is there", "http://board/#/events/1", JPEG))
        with pytest.raises(NotDelivered, match="does not know") as unknown:
            parse_target("apprise:pigeon://loft")(Message("a", "b"))
    (posted,) = server.posted
    told = json.loads(posted.body)
    assert posted.path == "/hook" and told["title"] == "Tür: person"
    assert told["message"] == "someone is there\nhttp://board/#/events/1"
    (picture,) = told["attachments"]
    assert base64.b64decode(picture["base64"]) == JPEG and picture["mimetype"] == "image/jpeg"
    assert unknown.value.final
    assert "apprise" not in sys.modules  # its 30 MB stay in the other process


def test_what_a_server_refuses_is_tried_again() -> None:
    pytest.importorskip("apprise", reason="needs the extra 'notify'")
    with Catcher(answers=[500]) as server, pytest.raises(NotDelivered, match="could not deliver") as caught:
        parse_target(f"apprise:json://127.0.0.1:{server.port}/")(Message("a", "b"))
    assert not caught.value.final and len(server.posted) == 1


def test_without_the_package_it_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="needs the package apprise"):
        parse_target("apprise:json://127.0.0.1/")
