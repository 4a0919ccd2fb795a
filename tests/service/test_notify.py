from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecam.service.notify import Heartbeat, Notifier, enter_service, write_pid_file

S = 1_000_000_000


class Listener:
    """Stands for systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(5)
        self.environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10000000"}

    def next(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")

    def empty(self, peek: bool = False) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.recv(4096, socket.MSG_PEEK if peek else 0)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(5)
        return False


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    yield listener
    listener.socket.close()


class Clock:
    def __init__(self) -> None:
        self.ns = 100 * S

    def __call__(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


def test_messages_word_for_word(systemd: Listener) -> None:
    notifier = Notifier(systemd.environ)
    assert notifier.enabled and notifier.watchdog_s == 10.0
    assert notifier.ready("30 fps")
    assert systemd.next() == ["READY=1", "STATUS=30 fps"]
    assert notifier.watchdog()
    assert systemd.next() == ["WATCHDOG=1"]
    assert notifier.reloading()
    first, second = systemd.next()
    assert first == "RELOADING=1"
    key, _, usec = second.partition("=")
    assert key == "MONOTONIC_USEC" and usec.isdigit() and int(usec) > 0
    assert notifier.stopping("finishing\nthe clip")
    assert systemd.next() == [
        "STOPPING=1",
        "STATUS=finishing the clip",
    ]  # a newline would be a new assignment
    assert notifier.extend_timeout(2.5)
    assert systemd.next() == ["EXTEND_TIMEOUT_USEC=2500000"]


def test_a_repeated_status_is_sent_once(systemd: Listener) -> None:
    notifier = Notifier(systemd.environ)
    assert notifier.status("a") and not notifier.status("a") and notifier.status("b")
    assert [systemd.next(), systemd.next()] == [["STATUS=a"], ["STATUS=b"]]
    assert systemd.empty()


def test_abstract_socket() -> None:
    listener = Listener(f"@edgecam-test-{os.getpid()}")
    try:
        assert Notifier(listener.environ).ready()
        assert listener.next() == ["READY=1"]
    finally:
        listener.socket.close()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "relative/path"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "0"},
    ],
)
def test_outside_a_service_everything_is_quiet(environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    assert not notifier.enabled and notifier.watchdog_s is None
    assert not notifier.ready() and not notifier.watchdog() and not notifier.status("x")


def test_systemd_gone_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert not notifier.watchdog() and not notifier.watchdog()
    assert len(caplog.records) == 1


@pytest.mark.allow_error_log
def test_watchdog_is_fed_only_while_every_stage_moves(systemd: Listener) -> None:
    clock = Clock()
    heart = Heartbeat(Notifier(systemd.environ), ["capture", "vision"], clock)
    heart.ready("first result")
    assert systemd.next() == ["READY=1", "STATUS=first result"]
    fed = 0
    for _ in range(200):  # 20 s at ten turns a second
        clock.advance(0.1)
        fed += heart.beat("capture")
        fed += heart.beat("vision")
    assert fed == 8  # one in 2.5 s, a quarter of the watchdog's 10 s
    while not systemd.empty():
        pass
    begin = clock.ns
    told: list[tuple[float, list[str]]] = []
    for _ in range(300):  # the vision thread hangs; capture goes on for 30 s
        clock.advance(0.1)
        heart.beat("capture")
        while not systemd.empty(peek=True):
            told.append(((clock.ns - begin) / 1e9, systemd.next()))
    assert heart.stalled() == ["vision"]
    after_s, message = told[-1]
    assert message == ["WATCHDOG=trigger", "STATUS=vision stood still for 8 s"]
    assert after_s == pytest.approx(7.6, abs=0.2)  # three quarters of the watchdog's time, and only once
    assert [m for _, m in told[:-1]] == [["WATCHDOG=1"]] * (len(told) - 1)  # fed until then
    assert len(told) <= 4
    assert heart.beat("vision")  # it was only slow: fed at once
    assert heart.stalled() == []


def test_a_pulled_camera_does_not_stop_the_heart(systemd: Listener) -> None:
    """Time-outs are turns of the loop too: no frame for a minute, and the watchdog is content."""
    clock = Clock()
    heart = Heartbeat(Notifier(systemd.environ), ["capture", "vision"], clock)
    heart.ready()
    longest, last = 0, clock.ns
    for _ in range(120):
        clock.advance(0.5)
        if heart.beat("capture") | heart.beat("vision"):
            last = clock.ns
        longest = max(longest, clock.ns - last)
        systemd.empty()
    assert longest <= 5 * S


def test_before_ready_beats_extend_the_start(systemd: Listener) -> None:
    clock = Clock()
    heart = Heartbeat(Notifier(systemd.environ), ["capture"], clock)
    assert heart.beat("capture")
    assert systemd.next() == ["EXTEND_TIMEOUT_USEC=15000000"]
    assert heart.ready() and not heart.ready()
    assert systemd.next() == ["READY=1"]
    clock.advance(3)
    assert heart.beat("capture")
    assert systemd.next() == ["WATCHDOG=1"]


@pytest.mark.allow_error_log
def test_a_stall_before_ready_is_left_to_the_start_time(
    systemd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    heart = Heartbeat(Notifier(systemd.environ), ["capture", "vision"], clock)
    for _ in range(10):
        clock.advance(1.0)
        heart.beat("capture")
    while not systemd.empty(peek=True):
        assert systemd.next() == ["EXTEND_TIMEOUT_USEC=15000000"]
    assert "vision stood still" in caplog.text


@pytest.mark.allow_error_log
def test_stages_come_and_go(systemd: Listener) -> None:
    clock = Clock()
    heart = Heartbeat(Notifier(systemd.environ), ["vision"], clock)
    heart.expect("display")
    clock.advance(8)
    assert not heart.beat("vision") and heart.stalled() == ["display"]
    heart.retire("display")
    heart.retire("never there")
    assert heart.beat("vision") and heart.stalled() == []


def test_beats_from_many_threads(systemd: Listener) -> None:
    heart = Heartbeat(Notifier(systemd.environ), ["a", "b"])
    fed: list[bool] = []

    def work(stage: str) -> None:
        fed.extend([heart.beat(stage) for _ in range(500)])

    threads = [threading.Thread(target=work, args=(stage,)) for stage in "abab"]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert sum(fed) == 1  # within one period exactly one of two thousand beats feeds


def test_entering_a_service(tmp_path: Path, systemd: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr("edgecam.service.notify.log_to_journal", lambda environ: called.append("journal"))
    monkeypatch.setattr("edgecam.service.notify.faulthandler.enable", lambda: called.append("stacks"))
    assert not enter_service({}).enabled and called == []
    notifier = enter_service({**systemd.environ, "RUNTIME_DIRECTORY": str(tmp_path)})
    assert notifier.enabled and called == ["journal", "stacks"]
    assert (tmp_path / "pid").exists()


def test_pid_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert write_pid_file({}) is None
    path = write_pid_file({"RUNTIME_DIRECTORY": f"{tmp_path}:/elsewhere"})
    assert path is not None and int(path.read_text()) == os.getpid()
    assert write_pid_file({"RUNTIME_DIRECTORY": str(tmp_path / "missing")}) is None
    assert "reload will not reach" in caplog.text
