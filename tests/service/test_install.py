"""``edgecam service install`` and ``uninstall`` on a disk image: what changes, and what comes back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from install_kit import Recorder, cli, install_args, tree

from edgecam.service.install import installed, plan_install, plan_uninstall
from edgecam.service.target import Target
from edgecam.service.units import default_settings

needs_systemctl = pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemd is not installed")


@needs_systemctl
def test_install_twice_then_uninstall_leaves_the_image_as_it_was(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(image)
    assert cli(*install_args(image, "--kiosk", "--source", "csi:0")) == 0
    once = tree(image)
    system = "etc/systemd/system"
    assert once[f"{system}/multi-user.target.wants/edgecam-kiosk.service"].endswith("edgecam-kiosk.service")
    assert f"{system}/getty.target.wants/getty@tty1.service" not in once  # the screen is free
    assert 'source = ["csi:0"]' in once["etc/edgecam/edgecam.toml"]
    assert (image / "etc/edgecam").stat().st_mode & 0o020  # the page saves its settings there
    assert "edgecam:" in once["etc/passwd"]
    assert all(group in once["etc/group"] for group in ("video", "render", "gpio"))
    capsys.readouterr()
    assert cli(*install_args(image, "--kiosk")) == 0
    assert tree(image) == once
    assert "  + " not in capsys.readouterr().out  # the second time nothing is new
    assert cli("uninstall", "--root", str(image), "--yes") == 0
    after = tree(image)
    left = after.keys() - before.keys()
    assert left <= {"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/.pwd.lock"}  # the account
    assert {k: v for k, v in after.items() if k in before} == before  # the login is back
    assert cli("uninstall", "--root", str(image), "--yes") == 0


@needs_systemctl
def test_changing_from_kiosk_to_headless_gives_the_screen_back(image: Path) -> None:
    assert cli(*install_args(image, "--kiosk")) == 0
    assert cli(*install_args(image, "--headless")) == 0
    now = tree(image)
    system = "etc/systemd/system"
    assert f"{system}/edgecam-kiosk.service" not in now
    assert f"{system}/multi-user.target.wants/edgecam-kiosk.service" not in now
    assert f"{system}/multi-user.target.wants/edgecam.service" in now
    assert f"{system}/getty.target.wants/getty@tty1.service" in now
    kept = installed(Target(root=image))
    assert kept is not None and (kept.mode, kept.getty_was_enabled) == ("headless", True)


def test_dry_run_shows_and_changes_nothing(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(image)
    run = Recorder()
    assert cli(*install_args(image, "--headless", "--dry-run"), run=run) == 0
    out = capsys.readouterr().out
    assert f"+ {image}/etc/systemd/system/edgecam.service" in out and "start it at boot" in out
    assert tree(image) == before
    assert all("verify" in c for c in run.commands)


def test_no_answer_no_change(
    image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(image)
    args = [a for a in install_args(image, "--headless") if a != "--yes"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert cli(*args, run=Recorder()) == 2
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert cli(*args, run=Recorder()) == 0
    assert tree(image) == before
    monkeypatch.setattr("builtins.input", lambda question: "Yes")
    assert cli(*args, run=Recorder()) == 0
    assert tree(image) != before


def test_own_settings_survive_install_and_uninstall(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = image / "etc/edgecam/edgecam.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text('source = ["rtsp://camera/1"]\nscore = 0.4\n')
    assert cli(*install_args(image, "--headless", "--source", "csi:0"), run=Recorder()) == 0
    assert "--source is not used" in capsys.readouterr().out
    assert cli("uninstall", "--root", str(image), "--yes", run=Recorder()) == 0
    assert "has your changes and stays" in capsys.readouterr().out
    assert "score = 0.4" in mine.read_text()
    assert cli("uninstall", "--root", str(image), "--yes", "--purge", run=Recorder()) == 0
    assert not mine.exists()


def test_untouched_settings_go_even_if_a_later_version_ships_others(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*install_args(image, "--headless", "--source", "csi:0"), run=Recorder()) == 0
    monkeypatch.setattr("edgecam.service.install.default_settings", lambda *_: "# of a later version\n")
    assert cli(*install_args(image, "--headless"), run=Recorder()) == 0
    assert cli("uninstall", "--root", str(image), "--yes", run=Recorder()) == 0
    assert not (image / "etc/edgecam").exists()


def test_clips_stay_unless_purged(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = image / "var/lib/edgecam/clips/a.mp4"
    clip.parent.mkdir(parents=True)
    clip.touch()
    assert cli("uninstall", "--root", str(image), "--yes", run=Recorder()) == 0
    assert clip.exists() and "clips and logs stay" in capsys.readouterr().out
    assert cli("uninstall", "--root", str(image), "--yes", "--purge") == 0
    assert not clip.exists()


def test_a_failing_command_puts_the_files_back(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit = image / "etc/systemd/system/edgecam.service"
    unit.write_text("[Service]\nExecStart=/old\n")
    before = tree(image)
    assert cli(*install_args(image, "--headless"), run=Recorder(failing="enable edgecam.service")) == 1
    err = capsys.readouterr().err
    assert "it broke" in err and "were put back" in err
    assert tree(image) == before


def test_user_service(tmp_path: Path) -> None:
    target = Target(root=tmp_path, user=True, home=tmp_path / "home", command="/x/edgecam", uid=1000)
    run = Recorder()
    plan_install(target, "user-kiosk").apply(run)
    files = tree(tmp_path)
    assert "--display fullscreen" in files["home/.config/systemd/user/edgecam.service"]
    assert not any(name.startswith("etc/") for name in files)
    assert run.commands == ["systemctl --user enable edgecam.service"]
    plan_uninstall(target).apply(run)
    assert tree(tmp_path) == {}


def test_damaged_record_counts_as_none(tmp_path: Path) -> None:
    target = Target(root=tmp_path)
    assert installed(target) is None
    target.record.parent.mkdir(parents=True)
    for text in ("", "{}", "[1]", json.dumps({"mode": "kiosk"})):
        target.record.write_text(text)
        assert installed(target) is None


def test_the_packages_own_settings_take_the_camera_and_a_persons_do_not(tmp_path: Path) -> None:
    target = Target(root=tmp_path, command="/usr/bin/edgecam", uid=0)
    path = tmp_path / "etc/edgecam/edgecam.toml"
    path.parent.mkdir(parents=True)
    path.write_text(default_settings())
    plan_install(target, "headless", "csi:0").apply(Recorder())
    assert 'source = ["csi:0"]' in path.read_text()
    path.write_text("score = 0.7\n")
    plan = plan_install(target, "headless", "csi:1")
    assert any("--source is not used" in note for note in plan.notes)
    plan.apply(Recorder())
    assert path.read_text() == "score = 0.7\n"
