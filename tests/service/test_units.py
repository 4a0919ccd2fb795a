from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgecam import config
from edgecam.core.errors import ConfigError
from edgecam.service.install import verify
from edgecam.service.target import Target
from edgecam.service.units import UNITS, Mode, default_settings, programs, render, shipped_folder, sysusers

pytestmark = pytest.mark.once

SYSTEM_MODES: list[Mode] = ["headless", "kiosk", "linuxfb"]
MODES: list[Mode] = [*SYSTEM_MODES, "user", "user-kiosk"]

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def text_of(mode: Mode, command: str = "/bin/true", cage: str = "/bin/true") -> str:
    return render(mode, command, cage)[0].text


@needs_systemd
@pytest.mark.parametrize("mode", SYSTEM_MODES)
def test_security_score_is_three_or_better(mode: Mode, tmp_path: Path) -> None:
    unit = tmp_path / f"{UNITS[mode]}.service"
    unit.write_text(text_of(mode))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout[-300:]
    score = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert score is not None and float(score[1]) <= 2.2
    assert all(f"\n{limit}=" in unit.read_text() for limit in ("MemoryMax", "MemoryHigh", "TasksMax"))


@needs_systemd
def test_the_retry_helper_is_shut_in_too(tmp_path: Path) -> None:
    unit = tmp_path / "edgecam-retry@edgecam.service"
    unit.write_text((shipped_folder() / "edgecam-retry@.service").read_text())
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", str(unit)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0


@needs_systemd
@pytest.mark.parametrize("mode", MODES)
def test_verify_is_silent(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecam.service.install.cage_of", lambda target: "/bin/true")
    target = Target(user=mode.startswith("user"), home=Path("/nonexistent"), command="/bin/true")
    assert verify(target, mode) == []


@needs_systemd
def test_verify_finds_what_is_wrong() -> None:
    assert any("no-such-edgecam" in line for line in verify(Target(command="/no-such-edgecam"), "headless"))


@needs_systemd
def test_verify_calls_an_unknown_key_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "systemd"
    shutil.copytree(shipped_folder(), folder)
    unit = folder / "edgecam.service"
    unit.write_text(unit.read_text().replace("RestartSec=1", "RestartSec=1\nRestartSex=3"))
    monkeypatch.setattr("edgecam.service.units.shipped_folder", lambda: folder)
    assert any("RestartSex" in line for line in verify(Target(command="/bin/true"), "headless"))


@pytest.mark.parametrize("mode", SYSTEM_MODES)
def test_promises_of_the_system_units(mode: Mode) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text_of(mode))
    unit, service = parser["Unit"], parser["Service"]
    assert service["User"] == service["Group"] == "edgecam"  # no root
    assert service["Type"] == "notify" and int(service["WatchdogSec"]) == 8
    assert service["Restart"] == "always"
    assert unit["OnFailure"] == f"edgecam-retry@{UNITS[mode]}.timer"  # it never gives up for good
    for folder in ("StateDirectory", "LogsDirectory", "RuntimeDirectory", "CacheDirectory"):
        assert service[folder] == "edgecam"
    everything = unit.get("After", "") + unit.get("Wants", "") + unit.get("Requires", "")
    assert not re.search(r"network|time-sync|\.device", everything)  # boots without net, clock and camera
    assert "video" in service["SupplementaryGroups"].split()
    assert parser["Install"]["WantedBy"] == "multi-user.target"
    for other in set(SYSTEM_MODES) - {mode}:
        assert f"{UNITS[other]}.service" in unit["Conflicts"].split()
    stop = int(service["TimeoutStopSec"])
    assert stop >= 5  # a clip is finished within 2 s; the rest is margin


def test_kiosk_reload_and_stop_reach_edgecam_not_the_compositor() -> None:
    text = text_of("kiosk", "/opt/x/edgecam", "/usr/bin/cage")
    assert "ExecStart=/usr/bin/cage -d -s -- /opt/x/edgecam --config /etc/edgecam/edgecam.toml" in text
    assert "NotifyAccess=all" in text
    assert """ExecReload=/bin/sh -c 'kill -HUP "$$(cat /run/edgecam/pid)"'""" in text
    assert "ExecStop=-/bin/sh" in text and "kill -TERM" in text


def test_kiosk_stop_command_waits_for_edgecam(tmp_path: Path) -> None:
    """The very shell line of the unit, run on a process that takes a moment to finish."""
    line = re.search(r"^ExecStop=-/bin/sh -c '(.*)'$", text_of("kiosk"), re.M)
    assert line is not None
    script = line[1].replace("$$", "$").replace("/run/edgecam/pid", str(tmp_path / "pid"))
    done = tmp_path / "clip finished"
    worker = subprocess.Popen(
        ["/bin/sh", "-c", f"trap 'sleep 0.3; touch \"{done}\"; exit 0' TERM; while :; do sleep 0.05; done"]
    )
    try:
        (tmp_path / "pid").write_text(f"{worker.pid}\n")
        # tail --pid waits for a process that is not its child, and a zombie is still one: reap it meanwhile
        stop = subprocess.Popen(["/bin/sh", "-c", script])
        assert worker.wait(10) == 0 and stop.wait(10) == 0
        assert done.exists()
    finally:
        worker.kill()
        worker.wait()


def test_programs_below_home_stay_readable() -> None:
    assert "ProtectHome=yes" in text_of("headless", "/opt/edgecam/bin/edgecam")
    assert "ProtectHome=read-only" in text_of("headless", "/home/pi/venv/bin/edgecam")


def test_an_environment_in_opt_may_stand_on_a_python_in_a_home(tmp_path: Path) -> None:
    script = tmp_path / "edgecam"
    script.write_text("#!/home/pi/.pyenv/versions/3.11.7/bin/python -I\nimport edgecam\n")
    assert Path("/home/pi/.pyenv/versions/3.11.7/bin/python") in programs(str(script))
    assert "ProtectHome=read-only" in text_of("headless", str(script))
    link = tmp_path / "bin"
    link.symlink_to("/home/pi/venv/bin")
    assert "ProtectHome=read-only" in text_of("headless", f"{link}/edgecam --x")


@pytest.mark.parametrize("command", ["/opt/100%/edgecam", "/opt/$x/edgecam", "/opt/a'b/edgecam", "/opt/a\nb"])
def test_paths_that_systemd_would_misread_are_refused(command: str) -> None:
    with pytest.raises(ConfigError, match="plain path"):
        render("headless", command)


def test_user_units_leave_out_what_a_user_may_not_do() -> None:
    for file in render("user-kiosk", "/home/me/venv/bin/edgecam"):
        assert not re.search(r"^(User|Group|Protect|Private|Capability|Device)", file.text, re.M), file.name
    text = text_of("user-kiosk", "/x/edgecam")
    assert "--display fullscreen" in text and "WantedBy=graphical-session.target" in text
    assert "--display none" in text_of("user", "/x/edgecam")
    retry = next(f for f in render("user", "/x/edgecam") if f.name == "edgecam-retry@.service")
    assert "/bin/systemctl --user start --no-block %i.service" in retry.text


def test_account_and_groups() -> None:
    assert re.search(r'^u edgecam - ".*" /var/lib/edgecam$', sysusers(), re.M)
    assert set(re.findall(r"^m edgecam (\w+)$", sysusers(), re.M)) == {"video", "render", "input", "gpio"}


@pytest.mark.parametrize("mode", SYSTEM_MODES)
def test_pins_may_be_switched_and_every_group_of_a_unit_is_made(mode: Mode) -> None:
    """A unit that names a group which the machine lacks would not start at all."""
    text = text_of(mode)
    found = re.search(r"^SupplementaryGroups=(.*)$", text, re.M)
    assert found is not None and "gpio" in found[1].split()
    assert "\nDeviceAllow=char-gpiochip rw\n" in text
    made = set(re.findall(r"^m edgecam (\w+)$", sysusers(), re.M))
    assert set(found[1].split()) - made <= {"tty"}  # that one is everywhere


def test_first_settings_are_valid_with_and_without_their_comments(tmp_path: Path) -> None:
    """Each commented example in the file, taken out of its comment, is a setting that edgecam knows."""
    text = default_settings('csi:"0"')
    assert 'source = ["csi:\\"0\\""]' in text
    file = tmp_path / "edgecam.toml"
    for content in (text, re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M)):
        file.write_text(content)
        settings = config.load({"config": str(file)}, {})
        assert settings.source == ('csi:"0"',)
        assert settings.snapshots == "/var/lib/edgecam/snapshots"
