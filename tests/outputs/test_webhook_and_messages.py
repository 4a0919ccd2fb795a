"""Webhooks, messages and actions, each to a real server, command or pin."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
from datetime import datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from broker import free_port
from http_catcher import Catcher

from edgecam.core.errors import ConfigError
from edgecam.core.events import Event, event_id, event_key
from edgecam.outputs import actions as actions_module
from edgecam.outputs.actions import Actions
from edgecam.outputs.courier import NotDelivered
from edgecam.outputs.http_post import parse_address
from edgecam.outputs.messages import Message, message_of, parse_target
from edgecam.outputs.notify import Notifier, parse_quiet, wanted
from edgecam.outputs.webhook import Webhook

JPEG = b"\xff\xd8 a picture \xff\xd9"


def event(number: int = 1, **more: Any) -> Event:
    about: dict[str, Any] = {
        "kind": "zone", "camera": "front", "label": "person", "top_score": 0.91, "zones": ("door",),
        "rule": "person-at-door", "snapshot": "1.jpg", "time": float(number), "type": "new",
    }  # fmt: skip
    return Event(id=event_id(number, "x"), **{**about, **more})


def test_a_webhook_is_signed_and_says_which_delivery_it_is() -> None:
    with Catcher() as server:
        address = parse_address(f"http://joe:p%40ss@127.0.0.1:{server.port}/hook?token=t", "--webhook")
        Webhook(address, "secret")(event())
        Webhook(address, "secret", lambda name: JPEG + name.encode())(event(2))
    plain, form = server.posted
    assert plain.path == "/hook?token=t" and json.loads(plain.body) == json.loads(event().to_json())
    wanted_signature = hmac.new(b"secret", plain.body, hashlib.sha256).hexdigest()
    assert plain.headers["x-edgecam-signature"] == f"sha256={wanted_signature}"
    assert plain.headers["x-edgecam-delivery"] == event_key(event())
    assert plain.headers["authorization"] == "Basic am9lOnBAc3M="
    parts = message_from_bytes(
        b"Content-Type: " + form.headers["content-type"].encode() + b"\r\n\r\n" + form.body
    )
    names = {part.get_param("name", header="content-disposition"): part for part in parts.get_payload()}  # type: ignore[union-attr]
    assert json.loads(names["event"].get_payload()) == json.loads(event(2).to_json())  # type: ignore[arg-type,union-attr]
    assert names["snapshot"].get_payload(decode=True) == JPEG + b"1.jpg"  # type: ignore[union-attr]
    assert "p@ss" not in address.name and "token" not in address.name and "am9l" not in repr(address)


@pytest.mark.parametrize(
    ("status", "final"), [(404, True), (400, True), (302, True), (429, False), (500, False), (503, False)]
)
def test_what_a_server_answers_decides_whether_another_try_makes_sense(status: int, final: bool) -> None:
    with Catcher(answers=[status], retry_after="7") as server:
        webhook = Webhook(parse_address(f"http://127.0.0.1:{server.port}/", "--webhook"))
        with pytest.raises(NotDelivered, match=str(status)) as caught:
            webhook(event())
    assert (caught.value.final, caught.value.after_s) == (final, 7.0)
    assert len(server.posted) == 1  # a redirect is not followed: credentials stay where they belong
    with pytest.raises(NotDelivered) as gone:
        webhook(event())
    assert not gone.value.final


@pytest.mark.parametrize("asked", ["\xb2", "9" * 5000, "-1", "nan", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_wait_that_is_no_number_is_passed_over(asked: str) -> None:
    with Catcher(answers=[503], retry_after=asked) as server:
        webhook = Webhook(parse_address(f"http://127.0.0.1:{server.port}/", "--webhook"))
        with pytest.raises(NotDelivered) as caught:
            webhook(event())
    assert (caught.value.final, caught.value.after_s) == (False, None)


def test_ntfy_and_telegram_get_words_link_and_picture() -> None:
    with Catcher() as server:
        at = f"127.0.0.1:{server.port}"
        message = Message("Tür: person", "someone is there", "http://board/e/1", JPEG)
        parse_target(f"ntfy://joe:geheim@{at}/topic")(message)
        token = f"telegram://123:abc/-100?server=http://{at}"
        parse_target(token)(message)
        parse_target(token)(Message("a", "b"))
    ntfy, photo, text = server.posted
    assert (ntfy.path, ntfy.body, ntfy.headers["click"]) == ("/topic", JPEG, "http://board/e/1")
    assert ntfy.headers["title"].startswith("=?UTF-8?B?") and ntfy.headers["authorization"].startswith(
        "Basic "
    )
    assert photo.path == "/bot123:abc/sendPhoto" and JPEG in photo.body and b"someone is there" in photo.body
    assert text.path == "/bot123:abc/sendMessage"
    assert json.loads(text.body) == {"chat_id": "-100", "text": "a\nb"}


def test_the_path_of_a_hook_or_topic_never_stands_in_a_message() -> None:
    address = parse_address("https://user:geheim@hooks.example.org:444/geheim?token=geheim", "--webhook")
    assert address.name == "https://hooks.example.org:444/…" and "geheim" not in repr(address.name)


def test_a_telegram_token_never_stands_in_a_message() -> None:
    with Catcher(answers=[401]) as server, pytest.raises(NotDelivered) as caught:
        parse_target(f"telegram://123:abc/7?server=http://127.0.0.1:{server.port}")(Message("a", "b"))
    assert "abc" not in str(caught.value) and caught.value.final


def test_a_recipient_that_the_mail_server_does_not_know_is_given_up() -> None:
    controller_module = pytest.importorskip("aiosmtpd.controller", reason="needs the package aiosmtpd")

    class Refuse:
        async def handle_RCPT(self, *_: Any) -> str:  # noqa: N802
            return "550 nobody of that name"

    port = free_port()
    server = controller_module.Controller(Refuse(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        send = parse_target(f"smtp://127.0.0.1:{port}/?from=cam@example.org&to=you@example.org")
        with pytest.raises(NotDelivered, match="550") as caught:
            send(Message("person at door", "someone"))
    finally:
        server.stop()
    assert caught.value.final


def test_mail_goes_through_a_real_server() -> None:
    controller_module = pytest.importorskip("aiosmtpd.controller", reason="needs the package aiosmtpd")
    mails: list[Any] = []

    class Keep:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
            return "250 taken" if len(mails) < 2 else "550 no more"

    port = free_port()
    server = controller_module.Controller(Keep(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        send = parse_target(f"smtp://127.0.0.1:{port}/?from=cam@example.org&to=you@example.org")
        send(Message("person at door", "someone", "http://board/e/1", JPEG))
        with pytest.raises(NotDelivered, match="550") as caught:
            send(Message("again", "b"))
    finally:
        server.stop()
    to, mail = mails[0]
    assert to == ["you@example.org"] and mail["Subject"] == "person at door"
    text, picture = mail.get_payload()
    assert b"http://board/e/1" in text.get_payload(decode=True) and picture.get_payload(decode=True) == JPEG
    assert caught.value.final


@pytest.mark.parametrize(
    "url",
    [
        "pigeon://geheim",
        "ntfy://h",
        "telegram://geheim",
        "smtps://u:geheim@h/",
        "apprise:geheim",
        "smtp://h:geheim/",
        "smtp://u:geheim%C3%A4@h/?from=a@b.de&to=c@d.de",
        "smtp://u:geheim@h/?from=a@b.de%0aBcc:x@y.de&to=c@d.de",
    ],
)
def test_addresses_that_cannot_be_meant_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ConfigError, match="--notify") as caught:
        parse_target(url)
    assert "geheim" not in str(caught.value)


def test_events_in_words() -> None:
    assert message_of(event()).title == "person at door"
    assert message_of(event(line="gate", zones=(), direction="in")).title == "person at gate (in)"
    assert message_of(event(message="front is covered")).text == "front is covered"
    assert wanted(event()) and not wanted(event(type="end")) and not wanted(event(rule=""))
    assert wanted(event(rule="", kind="camera"))


def test_quiet_hours_and_the_limit_say_what_they_held_back() -> None:
    sent: list[Message] = []
    clock = {"hour": 23, "s": 0.0}
    notifier = Notifier(
        sent.append,
        quiet=parse_quiet("22:00-07:00"),
        per_hour=2,
        wall=lambda: datetime(2026, 1, 1, int(clock["hour"])),
        wall_s=lambda: clock["s"],
    )
    for number in range(3):
        notifier(event(number))
    assert sent == [] and notifier.held == 3
    clock["hour"] = 8
    for number in range(4):
        notifier(event(number))
    assert [m.text.count("held back") for m in sent] == [1, 0] and "3 more were held back" in sent[0].text
    clock["s"] = 3601.0
    notifier(event(9))
    assert "2 more were held back: person at door" in sent[2].text and notifier.held == 0
    for wrong in ("late", "25:00-07:00", "22-7", "22:61-07:00"):
        with pytest.raises(ConfigError, match="such as 22:00-07:00"):
            parse_quiet(wrong)


def test_a_command_gets_the_event_and_no_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(actions_module, "COMMAND_WITHIN_S", 5.0)
    script = tmp_path / "act.py"
    script.write_text(
        "import sys, json, pathlib\n"
        "data = sys.stdin.read()\n"
        "told = json.dumps([sys.argv[1:], json.loads(data)['rule']])\n"
        f"pathlib.Path({str(tmp_path)!r}, 'out').write_text(told)\n"
    )
    actions = Actions(
        [
            f"person-at-door={sys.executable} {script} 'a b' '$(touch x)'",
            f"*={sys.executable} -c 'raise SystemExit(3)'",
        ]
    )
    actions.write(event())
    actions.write(event(rule="another"))
    actions.close()
    assert json.loads((tmp_path / "out").read_text()) == [["a b", "$(touch x)"], "person-at-door"]
    assert caplog.text.count("ended with code 3") == 2


def test_a_command_that_never_ends_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(actions_module, "COMMAND_WITHIN_S", 0.2)
    actions = Actions([f"*={sys.executable} -c 'import time; time.sleep(600)'"])
    actions.write(event())
    assert "killed, it did not end" in caplog.text


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("ring", "write RULE=COMMAND"),
        ("a=", "write RULE=COMMAND"),
        ("a=/no/such/program", "no program"),
        ("a='x", "close the quotation"),
        ("a=gpio:99", "gpio:0 to gpio:27"),
    ],
)
def test_wrong_actions_are_refused_in_a_sentence(wish: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Actions([wish])


def test_a_pin_is_on_while_something_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gpiozero", reason="needs the package gpiozero")
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    monkeypatch.setattr(Device, "pin_factory", MockFactory())
    actions = Actions(["person-at-door=gpio:17"])
    pin = Device.pin_factory.pin(17)
    states = []
    for one in (event(1), event(2), event(1, type="end"), event(2, type="end"), event(3)):
        actions.write(one)
        states.append(pin.state)
    actions.close()
    assert states == [1, 1, 1, 0, 1] and pin.state == 0


def test_a_crossing_is_a_pulse_of_the_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gpiozero", reason="needs the package gpiozero")
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    monkeypatch.setattr(Device, "pin_factory", MockFactory())
    monkeypatch.setattr(actions_module, "PULSE_S", 0.05)
    actions = Actions(["person-at-door=gpio:17"])
    pin = Device.pin_factory.pin(17)
    actions.write(event(1, kind="line", line="gate", direction="in", end_time=1.0))
    end = time.monotonic() + 30
    while [bool(s.state) for s in pin.states] != [False, True, False]:
        assert time.monotonic() < end, pin.states
        time.sleep(0.01)
    actions.close()
