"""What a person set comes back at the next start, unless told otherwise; a bad file costs nothing."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecam.app.app import App
from edgecam.app.controls import Controls
from edgecam.cli.main import main
from edgecam.config import given, load
from edgecam.config.remembered import LARGEST_BYTES, MOST_FILES, RememberedSettings

SOURCE = "synthetic:?size=320x240&frames=2"


def start(folder: Path, *, then: Callable[[App], object] = lambda _: None, **arguments: object) -> App:
    """A run with those options, in which ``then`` happens."""
    said = {"source": [SOURCE], "classify": "off", "threads": 1, **arguments}
    app = App(load(said, {}), paced=False)
    app.control.remember(RememberedSettings(folder, app.config.source), given(said, {}))
    app.start()
    try:
        then(app)
    finally:
        app.stop()
    return app


def test_what_was_set_in_the_window_comes_back(tmp_path: Path) -> None:
    def by_hand(app: App) -> None:
        window = Controls(app, over=lambda: False)
        window.change(score=0.65)
        window.change(classes=("dog",))
        app.control.change(max_watts=7.5)

    start(tmp_path, then=by_hand)
    again = start(tmp_path).config
    assert (again.score, again.classes, again.max_watts) == (0.65, ("dog",), 7.5)
    # command line and file hold against it, and it is still there when they say nothing any more
    file = tmp_path / "edgecam.toml"
    file.write_text('classes = ["cat"]\n')
    said = start(tmp_path, score="0.2", config=str(file)).config
    assert (said.score, said.classes, said.max_watts) == (0.2, ("cat",), 7.5)
    assert start(tmp_path).config.score == 0.65
    # other sources are another matter
    assert start(tmp_path, source=["synthetic:?size=160x120&frames=2"]).config.score is None


def test_back_at_the_default_nothing_is_kept(tmp_path: Path) -> None:
    start(tmp_path, then=lambda app: app.control.change(score=0.3))
    assert len(list(tmp_path.glob("*.json"))) == 1
    start(tmp_path, then=lambda app: app.control.change(score=None))
    assert not list(tmp_path.iterdir())


def test_a_reload_leaves_what_a_person_set_where_the_file_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "edgecam.toml"

    def by_all(app: App) -> None:
        app.control.change(score=0.65, detect_rate=9)
        said = {"source": [SOURCE], "classify": "off", "threads": 1, "config": str(file)}
        file.write_text("detect-rate = 4\n")
        app.control.reload(load(said, {}), given(said, {}))
        assert (app.config.score, app.config.detect_rate) == (0.65, 4.0)
        file.write_text("")
        app.control.reload(load(said, {}), given(said, {}))
        assert (app.config.score, app.config.detect_rate) == (0.65, 9.0)

    start(tmp_path / "state", then=by_all)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe not json",
        b"[1, 2]",
        b'{"v": 99, "settings": {"score": 0.3}}',
        b'{"v": 1, "settings": "score"}',
        b'{"v": 1, "settings": {"score": "high", "classes": {"a": 1}, "size": "1x1", "max_watts": -3}}',
        b'{"v": 1, "settings": {"score": ' + b"[" * 100_000,
        b" " * (LARGEST_BYTES + 1),
    ],
    ids=["empty", "bytes", "list", "version", "shape", "values", "deep", "large"],
)
def test_a_bad_file_is_said_and_costs_nothing(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    memory = RememberedSettings(tmp_path, ["a"])
    memory.path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert memory.read() == {}
    assert "not used" in caplog.text
    memory.write({"score": 0.5, "classes": ("a", "b")})
    assert memory.read() == {"score": 0.5, "classes": ("a", "b")}


def test_a_class_of_another_model_is_left_out_and_the_rest_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    RememberedSettings(tmp_path, [SOURCE]).write({"score": 0.4, "classes": ["unicorn"]})
    app = start(tmp_path)
    assert (app.config.score, app.config.classes) == (0.4, ())
    assert "does not know the class 'unicorn'" in caplog.text


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    memory = RememberedSettings(tmp_path / "file" / "below", ["a"])
    memory.write({"score": 0.5})
    memory.write({"score": 0.6})
    assert len(caplog.records) == 1 and "cannot be remembered" in caplog.text


def test_files_are_few_and_tell_no_password(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 3):
        RememberedSettings(tmp_path, [f"rtsp://user:secret@camera/{number}"]).write({"score": 0.5})
    files = list(tmp_path.iterdir())
    assert len(files) == MOST_FILES
    assert not any("secret" in path.name + path.read_text() for path in files)


def test_the_program_says_what_it_remembers_and_forgets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/elsewhere")
    RememberedSettings(tmp_path / "settings", [SOURCE]).write({"score": 0.4, "classes": ["dog", "cat"]})
    command = ["--source", SOURCE, "--display", "none", "--classify", "off", "--threads", "1"]
    assert main(command) == 0
    assert "score 0.4, classes dog,cat as before" in capfd.readouterr().err
    assert main([*command, "--json", str(tmp_path / "out"), "--forget"]) == 0
    assert "as before" not in capfd.readouterr().err
    assert len((tmp_path / "out").read_text().splitlines()) == 2
    assert not list((tmp_path / "settings").iterdir())
    assert json.loads((tmp_path / "out").read_text().splitlines()[0])["v"] == 1


def test_sighup_reads_the_file_again(tmp_path: Path) -> None:
    file = tmp_path / "edgecam.toml"
    file.write_text('source = ["synthetic:?size=320x240&live=1"]\ndisplay = "none"\nclassify = "off"\n')
    command = [sys.executable, "-m", "edgecam", "--config", str(file), "--duration", "120"]
    environment = {**os.environ, "STATE_DIRECTORY": str(tmp_path)}
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, by children as well
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if line.startswith("source"):
                    break
            # the line comes before the handlers do, by a moment: until it takes them, a signal would end it
            while not _handles(process.pid, signal.SIGHUP):
                assert process.poll() is None
                time.sleep(0.02)
            for content, answer in (
                ("score = 0.8\nrate = 9\n", "settings reloaded; these need a restart: source, rate"),
                ('classes = ["unicorn"]\n', "settings not reloaded: "),
            ):
                file.write_text(f'display = "none"\nclassify = "off"\n{content}')
                process.send_signal(signal.SIGHUP)
                assert any(line.startswith(answer) for line in process.stderr)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert process.returncode == 0


def _handles(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for that signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
