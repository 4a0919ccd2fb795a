"""The whole program tells a broker, a web hook and Prometheus, and ends cleanly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from edgecam.app.wire import read_secret
from edgecam.core.errors import ConfigError

sys.path.insert(0, str(Path(__file__).parents[1] / "outputs"))

from broker import Mosquitto, free_port
from http_catcher import Catcher


def edgecam(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgecam", *arguments],
        capture_output=True, text=True, timeout=110, env={**os.environ, "STATE_DIRECTORY": str(state)},
    )  # fmt: skip


def test_a_run_tells_broker_and_hook_and_ends(tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt.client", reason="needs the extra 'mqtt'")
    from mqtt_kit import Listener, until

    (tmp_path / "broker").mkdir()
    mosquitto = Mosquitto(tmp_path / "broker")
    listener = Listener(mosquitto.port)
    (tmp_path / "secret").write_text("s3cret\n")
    try:
        with Catcher() as hook:
            done = edgecam(
                "--source", "demo:?frames=60", "--display", "none", "--classify", "off", "--detector", "fast",
                "--zone", "all=0,0 1,0 1,1 0,1", "--mqtt", f"mqtt://127.0.0.1:{mosquitto.port}",
                "--webhook", f"http://127.0.0.1:{hook.port}/hook", "--webhook-picture",
                "--webhook-secret-file", str(tmp_path / "secret"), state=tmp_path / "state",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            until(lambda: listener.last("edgecam/available") == "offline")
        told = [json.loads(body) for topic, body, _ in listener.seen if topic == "edgecam/events"]
        assert {"object", "zone"} <= {event["kind"] for event in told}
        assert any(event["type"] == "end" for event in told)
        assert any(t.endswith("/person/snapshot") and b[:2] == b"\xff\xd8" for t, b, _ in listener.seen)
        assert len(hook.posted) == len(told)
        assert all(p.headers["x-edgecam-signature"].startswith("sha256=") for p in hook.posted)
        assert any(b"\xff\xd8" in p.body for p in hook.posted)
    finally:
        listener.close()
        mosquitto.kill()


def test_what_quiet_hours_held_back_is_said_by_the_next_run(tmp_path: Path) -> None:
    common = ("--display", "none", "--classify", "off", "--tune", "off")
    with Catcher() as server:
        to = ("--notify", f"ntfy://127.0.0.1:{server.port}/me")
        quiet = ("--notify-quiet", "00:00-24:00")
        done = edgecam(
            "--source",
            "demo:?frames=60",
            "--detector",
            "fast",
            "--rule",
            "any",
            *common,
            *to,
            *quiet,
            state=tmp_path / "state",
        )
        assert done.returncode == 0, done.stderr
        assert server.posted == []
        held = json.loads((tmp_path / "state" / "held-message-1.json").read_text())["count"]
        assert held > 0
        done = edgecam(
            "--source", "synthetic:?live=1&size=320x240", "--detector", "off", "--duration", "3", *common,
            *to, state=tmp_path / "state",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    (told,) = server.posted
    assert f"{held} message" in told.body.decode() and "held back: " in told.body.decode()


def test_metrics_are_served_while_it_runs(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="needs the extra 'metrics'")
    port = free_port()
    running = subprocess.Popen(
        [
            sys.executable, "-m", "edgecam", "--source", "synthetic:?live=1&size=320x240", "--display",
            "none", "--classify", "off", "--tune", "off", "--metrics", str(port),
        ],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        text, deadline = "", time.monotonic() + 100
        while 'edgecam_frames_inferred_total{camera="synthetic:"} 0.0' in text or not text:
            assert time.monotonic() < deadline and running.poll() is None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    text = answer.read().decode()
            except OSError:
                time.sleep(0.2)
        assert "edgecam_frame_age_seconds_bucket" in text
    finally:
        running.terminate()
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mqtt", "broker"), "begins with mqtt://"),
        (("--mqtt", "mqtt://h", "--mqtt-prefix", "a/#"), "without +, # and blanks"),
        (("--metrics", "http"), "give a port"),
        (("--notify", "pigeon:x"), "unknown kind of address"),
        (("--action", "x"), "write RULE=COMMAND"),
        (("--webhook", "ftp://h"), "begins with http://"),
    ],
)
def test_wrong_settings_end_at_once_with_one_sentence(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgecam.cli.main import main

    source = (
        "--source",
        "synthetic:?frames=1",
        "--display",
        "none",
        "--detector",
        "off",
        "--classify",
        "off",
    )
    assert main([*source, *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert words in said[-1]


def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "s"
    file.write_text("geheim\nmore\n")
    assert read_secret(str(file), "--x") == "geheim" and read_secret(None, "--x") == ""
    file.write_text("\n")
    for name, words in ((file, "first line is empty"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(ConfigError, match=words):
            read_secret(str(name), "--x")


def test_a_rule_is_told_to_those_that_its_do_names(tmp_path: Path) -> None:
    settings = tmp_path / "s.toml"
    settings.write_text(
        '[[rule]]\nname = "quiet"\non = ["person"]\ndo = ["notify"]\n\n'
        '[[rule]]\nname = "loud"\non = ["person"]\n'
    )
    with Catcher() as hook:
        done = edgecam(
            "--source", "demo:?frames=60", "--display", "none", "--classify", "off", "--detector", "fast",
            "--config", str(settings), "--webhook", f"http://127.0.0.1:{hook.port}/",
            "--notify", f"ntfy://127.0.0.1:{hook.port}/topic", state=tmp_path / "state",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hooked = {json.loads(p.body)["rule"] for p in hook.posted if p.path == "/"}
    messages = [p for p in hook.posted if p.path == "/topic"]
    assert "loud" in hooked and "quiet" not in hooked
    assert len(messages) >= 2
