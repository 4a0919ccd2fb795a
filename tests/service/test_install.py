from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgecam.cli import service as cli_service
from edgecam.service import target as target_module
from edgecam.service.install import installed, plan_install, plan_uninstall
from edgecam.service.target import Target
from edgecam.service.units import default_settings

needs_systemctl = pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemd is not installed")


class Recorder:
    """Notes commands instead of running them; fails those that contain a given word."""

    def __init__(self, failing: str = "\0", printed: str = "") -> None:
        self.commands: list[str] = []
        self.failing, self.printed = failing, printed

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        line = " ".join(command)
        self.commands.append(line)
        if "verify" in command:
            return 0, ""
        return (1, "it broke") if self.failing in line else (0, self.printed)


def tree(root: Path) -> dict[str, str]:
    """Every file below root with its content."""
    return {
        str(p.relative_to(root)): (f"→ {p.readlink()}" if p.is_symlink() else p.read_text(errors="replace"))
        for p in sorted(root.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A disk image of a board with cage on it, and its login on tty1."""
    root = tmp_path / "image"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/cage").touch()
    (root / "usr/sbin").mkdir()
    (root / "usr/sbin/seatd").touch()
    wants = root / "etc/systemd/system/getty.target.wants"
    wants.mkdir(parents=True)
    (wants / "getty@tty1.service").symlink_to("/usr/lib/systemd/system/getty@.service")
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    (units / "getty@.service").write_text(
        "[Service]\nExecStart=/sbin/agetty %I\n[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n"
    )
    return root


def cli(*words: str, run: Recorder | None = None) -> int:
    return cli_service.main(list(words), run) if run else cli_service.main(list(words))


def install_args(root: Path, *words: str) -> list[str]:
    return ["install", "--root", str(root), "--command", "/opt/edgecam/bin/edgecam", "--yes", *words]


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
    assert "video" in once["etc/group"] and "render" in once["etc/group"]
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


def test_faults_in_the_units_stop_the_install(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(image)

    def run(command: Sequence[str]) -> tuple[int, str]:
        assert "verify" in command
        return (
            0,
            "/tmp/edgecam.service:7: Unknown key name 'Foo' in section 'Service'.\nother.service: bad",
        )

    assert cli_service.main(install_args(image, "--headless"), run) == 2
    out = capsys.readouterr().out
    assert "problem: systemd-analyze verify: /tmp/edgecam.service:7: Unknown key name" in out
    assert "other.service" not in out
    assert tree(image) == before


def test_without_root_it_says_sudo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_module.os, "geteuid", lambda: 1000)  # type: ignore[attr-defined]
    assert (
        plan_install(Target(command="/bin/true"), "headless")
        .problems[0]
        .startswith("this changes the system")
    )
    assert cli("uninstall", "--yes", run=Recorder()) == 2
    assert "sudo" in capsys.readouterr().out


def test_kiosk_without_compositor_or_on_a_desktop(image: Path) -> None:
    target = Target(root=image, command="/opt/e/edgecam")
    assert plan_install(target, "kiosk").problems == []
    (image / "usr/sbin/seatd").unlink()
    assert "sudo apt install cage seatd" in plan_install(target, "kiosk").problems[0]
    assert plan_install(target, "linuxfb").problems == []
    (image / "etc/systemd/system/display-manager.service").symlink_to("/lib/systemd/system/lightdm.service")
    assert "--user --kiosk" in plan_install(target, "linuxfb").problems[0]
    assert plan_install(target, "headless").problems == []
    (image / "etc/systemd/system/default.target").symlink_to("/lib/systemd/system/multi-user.target")
    assert plan_install(target, "linuxfb").problems == []


def test_a_program_that_others_may_not_run_is_named(tmp_path: Path) -> None:
    program = tmp_path / "private/bin/edgecam"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    (tmp_path / "private").chmod(0o700)
    found = " ".join(plan_install(Target(command=str(program), uid=0), "headless").problems)
    assert "is closed to others" in found and "scripts/install" in found


def test_a_checkout_is_not_installed_as_a_service(tmp_path: Path) -> None:
    found = plan_install(Target(root=tmp_path, command="/usr/bin/python3 -m edgecam"), "headless").problems
    assert any("scripts/install" in p for p in found)


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


def test_linuxfb_and_mode_words(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(*install_args(image, "--headless", "--linuxfb"), run=Recorder()) == 2
    assert "--linuxfb goes with --kiosk" in capsys.readouterr().err
    assert cli(*install_args(image, "--kiosk", "--linuxfb"), run=Recorder()) == 0
    assert (image / "etc/systemd/system/edgecam-kiosk-linuxfb.service").exists()


def test_damaged_record_counts_as_none(tmp_path: Path) -> None:
    target = Target(root=tmp_path)
    assert installed(target) is None
    target.record.parent.mkdir(parents=True)
    for text in ("", "{}", "[1]", json.dumps({"mode": "kiosk"})):
        target.record.write_text(text)
        assert installed(target) is None


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
