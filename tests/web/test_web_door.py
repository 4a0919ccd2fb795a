"""Who gets in, and what they cost."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest
from web_board import PASSWORD, Serve

from edgecam.core.errors import ConfigError
from edgecam.web import limits
from edgecam.web.address import host_allowed, own_names, parse_address
from edgecam.web.auth import passwords
from edgecam.web.auth.login import FREE_TRIES, Attempts
from edgecam.web.auth.passwords import hash_password, verify_password
from edgecam.web.auth.store import Store

#: The real cost of a hash; conftest takes a small one for every other test.
COST = passwords.N


def test_on_loopback_without_a_password_it_is_open_and_every_answer_is_guarded(serve: Serve) -> None:
    board = serve()
    status, headers, body = board.ask("GET", "/api/me")
    assert (status, json.loads(body)["kind"]) == (200, "open")
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert "script-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    assert board.ask("GET", "/")[1]["content-type"] == "text/html; charset=utf-8"
    made = json.loads(board.ask("POST", "/api/pairings", {"role": "viewer"})[2])
    assert made["url"] == board.origin + made["path"] and made["here_only"]
    assert 'xmlns="http://www.w3.org/2000/svg"' in made["svg"], "as a picture of its own it needs that"


def test_another_host_name_or_origin_is_refused_for_requests_and_websockets(serve: Serve) -> None:
    board = serve()
    assert board.ask("GET", "/api/me", headers={"host": f"evil.example:{board.port}"})[0] == 421
    assert (
        board.ask("GET", "/api/me", headers={"host": f"192.168.1.5:{board.port}"})[0] == 421
    )  # open: this machine
    for origin in (
        "http://evil.example",
        "null",
        f"http://127.0.0.1:{board.port + 1}",
        f"https://127.0.0.1:{board.port}",
    ):
        assert board.ask("GET", "/api/me", headers={"origin": origin})[0] == 403
        assert board.ask("PUT", "/api/live", {"settings": {}}, {"origin": origin})[0] == 403
        upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        upgrade |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "origin": origin}
        assert board.ask("GET", "/api/synthetic/live", headers=upgrade)[0] == 403
    assert board.ask("GET", "/api/me", headers={"origin": board.origin})[0] == 200
    assert board.ask("GET", "/api/cameras", headers={"sec-fetch-site": "cross-site"})[0] == 403


def test_a_password_shuts_it_and_a_session_opens_it(serve: Serve) -> None:
    board = serve(PASSWORD)
    assert board.ask("GET", "/api/stats")[0] == 401
    assert board.ask("POST", "/api/login", {"password": "wrong one, sorry"})[0] == 401
    planted = {"cookie": "edgecam=chosen-by-an-attacker"}
    status, headers, _ = board.ask("POST", "/api/login", {"password": PASSWORD}, planted)
    assert status == 200
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "chosen" not in cookie
    mine = {"cookie": cookie.split(";")[0]}
    assert board.json("/api/me", mine)["role"] == "admin"
    assert board.ask("GET", "/api/stats", headers=planted)[0] == 401
    assert board.ask("POST", "/api/logout", headers=mine)[0] == 200
    assert board.ask("GET", "/api/stats", headers=mine)[0] == 401
    # what is kept of it is of no use to a thief of the file
    assert cookie.split("=")[1].split(";")[0] not in board.server.site.store.path.read_text()
    assert board.server.site.store.path.stat().st_mode & 0o077 == 0


def test_tokens_have_a_role_cameras_and_an_end(serve: Serve) -> None:
    board = serve(
        PASSWORD, source=["synthetic:?live=1&size=320x180", "synthetic:?live=1&size=320x180&seed=2"]
    )
    store = board.server.site.store
    _, viewer = store.new_token("wall tablet", "viewer", cameras=("synthetic",))
    _, over = store.new_token("old", "admin", days=-1)
    _, admin = store.new_token("script", "admin")
    bearer = {"authorization": f"Bearer {viewer}"}
    assert [c["id"] for c in board.json("/api/cameras", bearer)] == ["synthetic"]
    assert board.ask("GET", "/api/synthetic-2/latest.jpg", headers=bearer)[0] == 404
    assert board.ask("POST", "/api/synthetic/snapshot", headers=bearer)[0] == 403
    assert board.ask("GET", "/api/tokens", headers=bearer)[0] == 403
    assert (
        board.ask("GET", "/api/me", headers={"authorization": f"Bearer {over}"})[0] == 200
    )  # nobody in particular
    assert board.ask("GET", "/api/stats", headers={"authorization": f"Bearer {over}"})[0] == 401
    rows = board.json("/api/tokens", {"authorization": f"Bearer {admin}"})
    assert {row["name"] for row in rows} == {"wall tablet", "old", "script"}
    gone = next(row["id"] for row in rows if row["name"] == "wall tablet")
    assert board.ask("DELETE", f"/api/tokens/{gone}", headers={"authorization": f"Bearer {admin}"})[0] == 200
    assert board.ask("GET", "/api/stats", headers=bearer)[0] == 401


def test_a_phone_is_paired_once_by_a_code(serve: Serve) -> None:
    board = serve(PASSWORD)
    code = board.server.site.store.new_pairing("operator")
    status, headers, _ = board.ask("POST", "/api/pair", {"token": code})
    assert status == 200
    assert board.json("/api/me", {"cookie": headers["set-cookie"].split(";")[0]})["role"] == "operator"
    assert board.ask("POST", "/api/pair", {"token": code})[0] == 401


def test_a_weak_password_does_not_use_up_the_code(serve: Serve) -> None:
    board = serve()
    code = board.server.site.store.new_pairing("admin")
    weak, good = ({"token": code, "password": words} for words in ("aaaaaaaaaaaa", "four fine words here"))
    status, _, body = board.ask("POST", "/api/pair", weak)
    assert status == 400 and b"repeats" in body
    assert board.ask("POST", "/api/pair", good)[0] == 200


def test_a_store_that_could_not_be_read_for_a_moment_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "web.json"
    store = Store(path)
    store.set_password(PASSWORD)
    hidden = path.rename(tmp_path / "hidden")
    path.mkdir()  # it cannot be read now
    assert store.has_password and store.look(lambda kept: kept.password) == ""
    path.rmdir()
    hidden.rename(path)
    assert store.look(lambda kept: kept.password)


def test_a_change_never_writes_over_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "web.json"
    store = Store(path)
    store.set_password(PASSWORD)
    good = path.read_bytes()
    path.write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        store.new_pairing()
    assert path.read_text() == "{"
    path.write_bytes(good)
    store.new_pairing()
    assert store.look(lambda kept: kept.password)


def test_wrong_passwords_have_to_wait() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(FREE_TRIES):
        assert attempts.wait_s("a") == 0.0
        attempts.wrong("a")
    assert attempts.wait_s("a") == 2.0 and attempts.wait_s("b") == 0.0
    now[0] += 2.0
    attempts.wrong("a")
    assert attempts.wait_s("a") == 4.0
    now[0] += 4.0
    attempts.right("a")
    assert attempts.wait_s("a") == 0.0


def test_login_answers_429_with_when_to_come_back(serve: Serve) -> None:
    board = serve(PASSWORD)
    answers = [board.ask("POST", "/api/login", {"password": "wrong one"}) for _ in range(FREE_TRIES + 1)]
    assert [a[0] for a in answers] == [401] * FREE_TRIES + [429]
    assert int(answers[-1][1]["retry-after"]) >= 1
    assert board.ask("POST", "/api/login", {"password": PASSWORD})[0] == 429  # not even the right one


def test_too_long_too_slow_and_too_many(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_S", 0.3)
    monkeypatch.setattr(limits, "BODY_S", 0.3)
    monkeypatch.setattr(limits, "CONNECTIONS_PER_ADDRESS", 8)
    board = serve()
    assert board.ask("PUT", "/api/live", b"{" + b" " * limits.BODY_BYTES)[0] == 413
    assert board.ask("GET", "/api/me?" + "a" * (limits.QUERY_CHARS + 1))[0] == 414
    assert board.ask("GET", "/api/" + "a" * 600)[0] == 414

    def raw(data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", board.port), timeout=20) as link:
            link.sendall(data)
            found = b""
            while part := link.recv(65536):
                found += part
            return found

    assert raw(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n").startswith(
        b"HTTP/1.1 4"
    )
    assert raw(b"GET / HTTP/1.1\r\nHo") == b""  # a head that never ends is cut off
    slow = b"PUT /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    slow += b"Content-Length: 9\r\n\r\n{"
    assert raw(slow).startswith(b"HTTP/1.1 408")
    links = [socket.create_connection(("127.0.0.1", board.port)) for _ in range(12)]
    time.sleep(0.1)
    assert sum(_is_closed(link) for link in links) >= 4
    for link in links:
        link.close()
    assert board.ask("GET", "/api/me")[0] == 200


def _is_closed(link: socket.socket) -> bool:
    link.setblocking(False)
    try:
        return link.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_no_address_leads_into_the_file_system(serve: Serve) -> None:
    board = serve()
    for path in (
        "/../etc/passwd", "/js/../../server.py", "/%2e%2e/%2e%2e/server.py", "/js/..%2f..%2fserver.py",
        "//etc/passwd", "/api/..%2f..%2fetc/latest.jpg", "/vendor/", "/server.py", "/js/app.js%00.png",
    ):  # fmt: skip
        assert board.ask("GET", path)[0] == 404, path


def test_beyond_loopback_it_refuses_to_listen_without_a_password(serve: Serve) -> None:
    with pytest.raises(ConfigError, match="edgecam web password"):
        serve(web="0.0.0.0:0")
    board = serve(PASSWORD, web="0.0.0.0:0")
    assert board.ask("GET", "/api/me", headers={"host": "192.168.7.7"})[0] == 200
    assert board.ask("GET", "/api/stats")[0] == 401


def test_addresses_and_host_names() -> None:
    assert (parse_address("8080").host, parse_address("[::]:80").port) == ("127.0.0.1", 80)
    for wrong in ("", "http", "board.local:80", "1.2.3.4:", "1.2.3.4:70000"):
        with pytest.raises(ConfigError):
            parse_address(wrong)
    names = own_names(("cam.example",))
    assert host_allowed("cam.example:8080", names, loopback_only=False)
    assert host_allowed("10.0.0.7", names, loopback_only=False)
    assert not host_allowed("10.0.0.7", names, loopback_only=True)
    assert not host_allowed("evil.example", names, loopback_only=False)
    assert not host_allowed("local host", names, loopback_only=True)


def test_a_broken_store_keeps_the_door_shut(tmp_path: Path, serve: Serve) -> None:
    board = serve()
    board.server.site.store.path.write_text("{")
    assert board.ask("GET", "/api/stats")[0] == 401
    with pytest.raises(ConfigError, match="damaged"):
        Store(board.server.site.store.path)


def test_passwords_are_scrypt_and_weak_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "N", COST)
    stored = hash_password(PASSWORD)
    assert stored.startswith("scrypt$32768$8$3$") and PASSWORD not in stored
    assert verify_password(PASSWORD, stored) and not verify_password(PASSWORD + " ", stored)
    assert not verify_password("x", "scrypt$999999999$8$1$AA==$AA==")
    for weak in ("short", "aaaaaaaaaaaa"):
        with pytest.raises(ConfigError):
            hash_password(weak)


def test_a_code_on_the_screen_knows_whether_it_was_used_or_is_over(tmp_path: Path) -> None:
    now = [1000.0]
    store = Store(tmp_path / "web.json", lambda: now[0])
    first, second = store.new_pairing(), store.new_pairing()
    assert store.pairing_state(first) == "waits"
    assert store.take_pairing(first) == "admin" and store.pairing_state(first) == "used"
    now[0] += 601
    assert store.pairing_state(second) == "over"
