from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from boardtree import ina3221_hwmon, pi, write

from edgecam.cli import power as cli_power
from edgecam.telemetry import calibration

PI4 = "Raspberry Pi 4 Model B Rev 1.4"


def test_help_teaches_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from edgecam.cli.power import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as e: assert e.code == 0\n"
        "assert not {'cv2', 'onnxruntime', 'PyQt6', 'av', 'torch', 'rich'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "examples:" in done.stdout and "calibrate" in done.stdout


def test_show_jetson(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pi(tmp_path, "NVIDIA Jetson Orin Nano Developer Kit")
    ina3221_hwmon(tmp_path, "1-0040", 4, [("VDD_IN", 5000, 1200), ("VDD_SOC", 5000, 300), ("NC", 0, 0)])
    write(tmp_path, {"sys/class/hwmon/hwmon2/name": "pwmfan", "sys/class/hwmon/hwmon2/fan1_input": 1200})
    assert cli_power.main(["--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "power      6.0 W measured (INA3221 VDD_IN)" in out
    assert "VDD_SOC            1.500 W" in out
    assert "51.5 °C, fan 1200 rpm" in out and "no complaint" in out


def test_show_nothing_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_power.main(["--root", str(tmp_path)]) == 1
    assert "nothing at the moment" in capsys.readouterr().out


def test_command_and_bad_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_power.main(["--command", "echo 4.2 W"]) == 0
    assert "power      4.2 W measured (command echo)" in capsys.readouterr().out
    assert cli_power.main(["--command", "'"]) == 2
    assert "check its quotes" in capsys.readouterr().err


def test_calibrate_by_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = pi(tmp_path / "root", PI4)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert cli_power.main(["--root", str(root), "calibrate", "--idle", "2.9", "--full", "6.3"]) == 0
    kept = calibration.load(tmp_path / "config/edgecam/power.toml")
    assert (kept.board, kept.idle_w, kept.full_w) == (PI4, 2.9, 6.3)
    assert cli_power.main(["--root", str(root), "calibrate", "--system", "--idle", "3", "--full", "7"]) == 0
    assert calibration.load(root / "etc/edgecam/power.toml").full_w == 7.0
    assert cli_power.main(["--root", str(root), "calibrate", "--idle", "7", "--full", "3"]) == 2
    assert "full load must draw more" in capsys.readouterr().err


def test_calibrate_without_terminal_says_what_to_give(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert cli_power.main(["calibrate", "--idle", "3"]) == 2
    assert "--idle W --full W" in capsys.readouterr().err


def test_interview_loads_the_cores_and_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def spy(*args: object, **kwargs: object) -> subprocess.Popen[bytes]:
        started.append(popen(*args, **kwargs))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(cli_power.subprocess, "Popen", spy)  # type: ignore[attr-defined]
    monkeypatch.setattr(cli_power, "_cores", lambda: 1)
    answers = iter(["three", "3,1 W", "6.4"])
    running: list[bool] = []

    def ask(question: str) -> str:
        if "full" in question:
            running.extend(p.poll() is None for p in started)
        return next(answers)

    assert cli_power._interview(ask) == (3.1, 6.4)
    assert running == [True]
    assert [p.poll() is not None for p in started] == [True]
