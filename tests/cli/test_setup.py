"""`edgecam setup`: five answers make a settings file that edgecam takes, and the service."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from edgecam.capture.devices import CameraInfo, Inventory
from edgecam.cli import setup
from edgecam.cli.setup_settings import Answers, settings_of, toml_of
from edgecam.config import load
from edgecam.core.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    cameras = (CameraInfo("/dev/video0", "HD Webcam", "uvcvideo", "/dev/v4l/by-id/usb-HD-index0"),)
    monkeypatch.setattr("edgecam.capture.devices.find_cameras", lambda: Inventory(cameras))
    return tmp_path


def test_five_answers_by_enter_and_number(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "", "1", "2", "1", "1", "y")
    assert setup.main([]) == 0
    path = home / ".config/edgecam/edgecam.toml"
    config = load({"config": str(path)}, {})
    assert config.source == ("/dev/v4l/by-id/usb-HD-index0",) and config.record_on == ("person",)
    assert config.record == str(home / "edgecam/clips") and config.keep_days == 30
    assert path.stat().st_mode & 0o777 == 0o600, "an address may hold a password"
    assert f"edgecam --config {path}" in capsys.readouterr().out


def test_a_wrong_number_is_asked_again_and_an_address_is_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "9", "2", "rtsp://u:p@cam/1", "4", "dog, cat", "4", "seen.jsonl", "1", "")
    assert setup.main([]) == 0
    found = tomllib.loads((home / ".config/edgecam/edgecam.toml").read_text())
    assert found["source"] == ["rtsp://u:p@cam/1"] and found["record_on"] == ["dog", "cat"]
    assert found["display"] == "none" and found["json"] == "seen.jsonl"


def test_a_class_that_the_model_does_not_know_is_asked_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "1", "4", "persn", "cat:0.6,key", "1", "1", "")
    assert setup.main([]) == 0
    assert "did you mean 'person'" in capsys.readouterr().out
    text = (home / ".config/edgecam/edgecam.toml").read_text()
    assert tomllib.loads(text)["record_on"] == ["cat:0.6", "key"]
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith("#"))
    with pytest.raises(ConfigError, match="did you mean 'person'"):
        setup.main(["--camera", "demo:", "--show", "none", "--record", "persn"])


def test_a_browser_a_broker_and_a_webhook(tmp_path: Path) -> None:
    found = settings_of(Answers("demo:", show="browser", tell="mqtt://user@broker"), tmp_path)
    assert (found["web"], found["display"], found["mqtt"]) == ("8080", "none", "mqtt://user@broker")
    assert settings_of(Answers("demo:", tell="https://house/hook"), tmp_path)["webhook"] == [
        "https://house/hook"
    ]


def test_the_old_settings_are_kept_and_no_means_no(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / ".config/edgecam/edgecam.toml"
    path.parent.mkdir(parents=True)
    path.write_text('source = ["csi:0"]\n')
    words = ["--camera", "demo:", "--show", "none", "--record", "never", "--tell", "nobody", "--boot", "no"]
    answer(monkeypatch, "n")
    assert setup.main(words) == 0 and path.read_text() == 'source = ["csi:0"]\n'
    assert setup.main([*words, "--yes"]) == 0
    assert path.with_name("edgecam.toml.before").read_text() == 'source = ["csi:0"]\n'
    assert "demo:" in path.read_text()


def test_the_service_is_installed_with_the_answers(home: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    words = ["--camera", "csi:0", "--show", "none", "--record", "always", "--tell", "nobody"]
    done: list[str] = []

    def run(command: object) -> tuple[int, str]:
        done.append(" ".join(command))  # type: ignore[arg-type]
        return 0, ""

    assert setup.main([*words, "--boot", "system", "--root", str(image), "--yes"], run) == 0
    found = tomllib.loads((image / "etc/edgecam/edgecam.toml").read_text())
    assert found == {
        "source": ["csi:0"],
        "wait": True,
        "record": "/var/lib/edgecam/clips",
        "keep_days": 30,
        "keep_free": 10,
    }
    assert (image / "etc/systemd/system/edgecam.service").is_file()
    assert json.loads((image / "etc/edgecam/service.json").read_text())["settings_sha256"] == "", (
        "the user's own"
    )
    assert any("enable edgecam.service" in command for command in done)


def test_without_root_the_whole_command_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    words = [
        "--camera",
        "demo:",
        "--show",
        "none",
        "--record",
        "person",
        "--tell",
        "nobody",
        "--boot",
        "system",
    ]
    assert setup.main(words) == 2
    out = capsys.readouterr().out
    assert "needs root: sudo " in out and "setup --camera demo: --show none --record person" in out


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (Answers("demo:", tell="gopher://x"), "not something edgecam can tell"),
        (Answers("demo:", record="person:2"), ""),
    ],
)
def test_a_wrong_answer_is_named(answers: Answers, says: str, tmp_path: Path) -> None:
    if says:
        with pytest.raises(ConfigError, match=says):
            settings_of(answers, tmp_path)
    else:  # thresholds are checked where the model is known
        assert settings_of(answers, tmp_path)["record_on"] == ["person:2"]


def test_without_a_terminal_it_says_how_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.StringIO("")
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("sys.__stdin__", stdin)
    with pytest.raises(ConfigError, match="--camera, --show, --record, --tell, --boot and --yes"):
        setup.main(["--camera", "demo:"])


def test_toml_survives_odd_characters() -> None:
    text = toml_of({"source": ['a"b\\c é\t#']})
    assert tomllib.loads(text)["source"] == ['a"b\\c é\t#']


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--record", "person@door", "--boot", "no"), "no zones and lines yet"),
        (("--record", "person", "--boot", "no", "--root", "/tmp/image"), "--root /tmp/image goes with"),
    ],
)
def test_answers_that_cannot_work_change_nothing(home: Path, words: tuple[str, ...], told: str) -> None:
    asked = ["--camera", "demo:", "--show", "none", "--tell", "nobody", "--yes", *words]
    with pytest.raises(ConfigError, match=told):
        setup.main(asked)
    assert not (home / ".config").exists()


@pytest.mark.parametrize("words", [(), ("--record", "")])
def test_without_anybody_to_answer_it_ends(
    home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    answer(monkeypatch)  # nothing: the end of the input at once
    asked: list[str] = []
    ask = setup._ask

    def once(question: str) -> str:
        asked.append(question)
        assert len(asked) < 3, "it asks for ever"
        return ask(question)

    monkeypatch.setattr(setup, "_ask", once)
    with pytest.raises(ConfigError):
        setup.main(
            ["--camera", "demo:", "--show", "none", "--tell", "nobody", "--boot", "no", "--yes", *words]
        )
    assert not (home / ".config").exists()
