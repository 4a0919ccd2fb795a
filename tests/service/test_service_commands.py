"""``edgecam service`` status, logs, restart and reload; its pages of help."""

from __future__ import annotations

from pathlib import Path

import pytest
from install_kit import Recorder, cli

from edgecam.service.target import Target


@pytest.mark.parametrize("verb", ["status", "logs", "restart", "reload"])
def test_nothing_installed_says_how(tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(verb, "--root", str(tmp_path)) == 2
    assert "edgecam service install" in capsys.readouterr().err


def test_status_restart_and_reload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "live", True)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/edgecam-kiosk.service").touch()
    shown = (
        "ActiveState=active\nSubState=running\nNRestarts=2\nStatusText=14.9 fps\nMainPID=71\nResult=success"
    )
    run = Recorder(printed=shown)
    assert cli("status", "--root", str(tmp_path), run=run) == 0
    out = capsys.readouterr().out
    assert "edgecam-kiosk.service: active (running)" in out and "restarts 2" in out and "14.9 fps" in out
    run = Recorder(printed="ActiveState=failed\nSubState=failed\nResult=watchdog\nNRestarts=6")
    assert cli("status", "--root", str(tmp_path), run=run) == 1
    assert "ended by watchdog" in capsys.readouterr().out
    assert cli("reload", "--root", str(tmp_path), run=run) == 0
    assert run.commands[-1] == "systemctl reload edgecam-kiosk.service"
    run.failing = "restart"
    assert cli("restart", "--root", str(tmp_path), run=run) == 1
    assert "edgecam service logs" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["install", "--help"], ["logs", "--help"]):
        with pytest.raises(SystemExit) as end:
            cli(*words)
        assert end.value.code == 0
    assert "sudo edgecam service install --kiosk --source csi:0" in capsys.readouterr().out
