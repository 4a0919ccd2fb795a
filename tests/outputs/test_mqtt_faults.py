"""MQTT with a real broker that dies or refuses, and a board that vanishes: nothing is lost."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("paho.mqtt.client", reason="needs the extra 'mqtt'")

from broker import Mosquitto
from mqtt_kit import Listener, board, event, output, until

from edgecam.outputs import courier as courier_module
from edgecam.outputs.mqtt import link as link_module
from edgecam.outputs.mqtt.output import MqttOutput

CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from mqtt_kit import board, output
with output(int(sys.argv[2]), Path(sys.argv[3]), board()):
    print("up", flush=True)
    time.sleep(600)
"""


def test_the_broker_says_offline_for_a_board_that_vanished(
    mosquitto: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(mosquitto.port), str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    until(lambda: listener.last("edgecam/available") == "online")
    child.kill()
    child.communicate()
    until(lambda: listener.last("edgecam/available") == "offline")


def test_a_broker_that_dies_loses_no_event_and_no_order(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed and started again while events come; benchmarks/broker_kills.py is the long form."""
    monkeypatch.setattr(courier_module, "FIRST_PAUSE_S", 0.05)
    listener = Listener(mosquitto.port, "edgecam/events")
    total, over = 120, threading.Event()

    def write(made: MqttOutput) -> None:
        for number in range(total):
            made.write(event(number))
            time.sleep(0.01)
        over.set()

    with output(mosquitto.port, tmp_path / "state", board()) as made:
        writer = threading.Thread(target=write, args=(made,))
        writer.start()
        for _ in range(2):
            time.sleep(0.3)
            mosquitto.kill()
            time.sleep(0.2)
            mosquitto.start()
        assert over.wait(60)
        writer.join()
        until(lambda: made.waiting == 0, 120)
    wanted = [event(number).id for number in range(total)]

    def arrived() -> list[str]:
        return list(dict.fromkeys(json.loads(payload)["id"] for _, payload, _ in list(listener.seen)))

    until(lambda: len(arrived()) == total)
    listener.close()
    assert arrived() == wanted


def test_a_password_the_broker_refuses_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "passwords").write_text("")
    broker = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {tmp_path}/passwords\n")
    try:
        with output(broker.port, tmp_path, board()) as made:
            made.write(event(1))
            until(lambda: "refuses" in made.fault)
            assert made.waiting == 1
    finally:
        broker.kill()
    assert "Not authorized" in caplog.text


def test_a_broker_that_announces_256_mb_is_left(tmp_path: Path) -> None:
    """Paho would take them all into memory before anybody asks what they are."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken, done = [0], threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(20)
                try:
                    peer.recv(4096)
                    peer.sendall(b"\x20\x02\0\0")  # CONNACK: welcome
                    peer.sendall(b"\x30\xff\xff\xff\x7f")  # PUBLISH, of the most that can be announced
                    while not done.is_set():
                        peer.sendall(bytes(65536))
                        taken[0] += 65536
                except OSError:
                    done.set()  # it has hung up

    server = threading.Thread(target=serve)
    server.start()
    try:
        with output(listener.getsockname()[1], tmp_path, board()) as made:
            assert done.wait(60), "it still takes what is sent"
            assert made is not None
    finally:
        done.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.join(20)
    assert taken[0] < 16 << 20  # what the sockets themselves hold


def test_a_broker_that_takes_the_connection_and_says_nothing_delays_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(link_module, "KEEP_ALIVE_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with output(silent.getsockname()[1], tmp_path, board()) as made:
            for number in range(3):
                made.write(event(number))
            assert made.waiting == 3
            until(lambda: "takes the connection, and ends it or says nothing" in caplog.text)
        # and the end comes although nobody answers; what waits is there at the next start
        with output(silent.getsockname()[1], tmp_path, board()) as again:
            assert again.waiting == 3
