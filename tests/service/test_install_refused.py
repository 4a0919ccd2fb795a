"""What keeps ``edgecam service install`` from installing, and what it says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from install_kit import Recorder, cli, install_args, tree

from edgecam.cli import service as cli_service
from edgecam.service import target as target_module
from edgecam.service.install import plan_install
from edgecam.service.target import Target


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


def test_linuxfb_and_mode_words(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(*install_args(image, "--headless", "--linuxfb"), run=Recorder()) == 2
    assert "--linuxfb goes with --kiosk" in capsys.readouterr().err
    assert cli(*install_args(image, "--kiosk", "--linuxfb"), run=Recorder()) == 0
    assert (image / "etc/systemd/system/edgecam-kiosk-linuxfb.service").exists()
