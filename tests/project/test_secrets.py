"""A camera's password: from a file of mode 0600 into the request, and into nothing that others can read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecam.cli.main import main
from edgecam.cli.service import main as service
from edgecam.config.credentials import read_credentials, split_credentials, with_credentials
from edgecam.core.errors import ConfigError
from edgecam.outputs.actions import CommandAction
from edgecam.service.install import plan_install
from edgecam.service.plan import Write
from edgecam.service.target import Target
from edgecam.telemetry.meters.command import CommandMeter

ROOT = Path(__file__).resolve().parents[2]


def secret_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_book(tmp_path: Path) -> None:
    path = secret_file(
        tmp_path / "c", "# mine\nrtsp://Yard:8554 joe:p:w@/ü\nhttp://10.0.0.7 me:x\n\nall:same\n"
    )
    book = read_credentials(str(path), {})
    assert with_credentials("rtsp://yard:8554/s?a=1", book) == "rtsp://joe:p%3Aw%40%2F%C3%BC@yard:8554/s?a=1"
    assert with_credentials("http://10.0.0.7:80/v", book) == "http://me:x@10.0.0.7:80/v"
    assert with_credentials("rtsp://yard/s", book) == "rtsp://all:same@yard/s"
    for untouched in ("rtsp://own:pw@yard:8554/s", "/dev/video0", "clip.mp4", "demo:", "rtsp://[::1/"):
        assert with_credentials(untouched, book) == untouched
    assert split_credentials("rtsp://joe:p%3Aw@cam:1/x") == ("rtsp://cam:1/x", "rtsp://cam:1 joe:p:w")
    _, line = split_credentials("rtsp://joe:p%20w%23@cam/x")
    assert (
        with_credentials("rtsp://cam/x", read_credentials(str(secret_file(path, line)), {}))
        == "rtsp://joe:p%20w%23@cam/x"
    )


def test_what_others_can_read_or_nobody_understands(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        read_credentials(str(secret_file(tmp_path / "a", "joe:pw\n", 0o640)), {})
    for text in ("joe\n", "rtsp://h joe\n", "file:///x joe:pw\n", "a b c:d\n", ":pw\n"):
        with pytest.raises(ConfigError) as caught:
            read_credentials(str(secret_file(tmp_path / "b", text)), {})
        assert "pw" not in str(caught.value)
    for name in ("/dev/zero", str(tmp_path / "none"), str(tmp_path)):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_credentials(name, {})
    # systemd's own folder: access lists make the group's bits look open
    secret_file(tmp_path / "camera", "joe:pw\n", 0o440)
    assert read_credentials("camera", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == {None: ("joe", "pw")}


def test_the_command_line_loses_it(tmp_path: Path) -> None:
    said = tmp_path / "said"
    words = ["--source", "rtsp://joe:s3cr3t@127.0.0.1:9/x", "--wait", "--display", "none"]
    words += ["--detector", "off", "--classifier", "off"]
    with said.open("wb") as err:
        program = subprocess.Popen([sys.executable, "-m", "edgecam", *words], cwd=ROOT, stderr=err)
    try:
        limit = time.monotonic() + 60
        while b"--credentials" not in said.read_bytes():
            assert program.poll() is None and time.monotonic() < limit, said.read_text()
            time.sleep(0.05)
        shown = Path(f"/proc/{program.pid}/cmdline").read_bytes()
    finally:
        program.kill()
        program.wait(30)
    assert b"s3cr3t" not in shown and b"@127.0.0.1:9/x" in shown
    assert "s3cr3t" not in said.read_text()


def test_no_command_shows_a_secret(tmp_path: Path) -> None:
    """Every address on the command line, of every command: what ``ps`` shows of them."""
    script = (
        "import sys; from pathlib import Path; from edgecam.host.process_title import hide_secrets; "
        "print(hide_secrets(sys.argv[1:])); print(Path('/proc/self/cmdline').read_bytes())"
    )
    words = [
        "try", "rtsp://joe:S1@cam/x", "--mqtt=mqtt://me:S2@broker", "--mqtt", "mqtt://me:S3@broker",
        "--notify", "telegram://S4:S5/6", "--webhook", "https://hooks.example/S6", "--source=http://cam/v?token=S7",
        "--source", "https://S8@[fe80::1]/p@th", "clip S1.mp4", "rtsp://cam/plain",
    ]  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True, timeout=60
    ).stdout
    assert told.startswith("True\n") and "clip S1.mp4" in told and "rtsp://cam/plain" in told
    assert not any(f"S{n}" in told.replace("clip S1.mp4", "") for n in range(1, 9)), told


@pytest.mark.parametrize(
    "source",
    [
        "rtsp:/joe:PW9@h", "rtsp//joe:PW9@h", "ftp:joe:PW9@h", "rtsp://joe:PW9@h:port/", "rtsps:joe:PW9@h", "rtps://joe:PW9@h/x",
        "http//joe:PW9@h/x", "joe:PW9@h", "rtsp:///joe:PW9@h",
    ],
)  # fmt: skip
def test_a_misspelt_address_keeps_its_secret(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["--source", source],
        [source],
        ["--sauce", source],
        [f"--rate={source}", "--source", "demo:"],
    ):
        assert main([*words, "--display", "none", "--detector", "off", "--classifier", "off"]) in (2, 3)
        said = capsys.readouterr()
        assert "PW9" not in said.out + said.err


def test_service_install_writes_no_password_that_others_read(tmp_path: Path) -> None:
    image = tmp_path / "image"
    (image / "etc/systemd/system").mkdir(parents=True)
    (image / "opt/edgecam/bin").mkdir(parents=True)
    (image / "opt/edgecam/bin/edgecam").touch(0o755)
    words = ["--root", str(image), "--command", "/opt/edgecam/bin/edgecam", "--headless", "--yes"]
    address = "rtsp://joe:s3cr3t@cam/x"
    service(["install", *words, "--source", address], run=lambda command: (0, ""))
    found = [path for path in image.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]
    assert [path.name for path in found] == ["camera.credentials"]
    assert found[0].stat().st_mode & 0o777 == 0o600
    settings = (image / "etc/edgecam/edgecam.toml").read_text()
    assert 'source = ["rtsp://cam/x"]\ncredentials = "camera"' in settings
    drop_in = (image / "etc/systemd/system/edgecam.service.d/credentials.conf").read_text()
    assert "LoadCredential=camera:/etc/edgecam/camera.credentials" in drop_in
    service(["uninstall", "--root", str(image), "--yes"], run=lambda command: (0, ""))
    assert not list((image / "etc").rglob("*credentials*"))


def test_a_power_command_that_others_may_change(tmp_path: Path) -> None:
    script = tmp_path / "watts"
    script.write_text("#!/bin/sh\necho 5 W\n")
    script.chmod(0o755)
    reading = CommandMeter(str(script)).read()
    assert reading is not None and reading.power_w == 5.0
    script.chmod(0o757)
    for command in (str(script), f"sh {script}"):
        with pytest.raises(ConfigError, match="may be written by every user"):
            CommandMeter(command)
        with pytest.raises(ConfigError, match="may be written by every user"):
            CommandAction(command)
    script.chmod(0o755)
    CommandAction(str(script))
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match="may be written by every user"):
        CommandMeter(f"sh {script}")
    tmp_path.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(script, 12345, -1)
        with pytest.raises(ConfigError, match="belongs to another user"):
            CommandMeter(str(script))


def test_settings_that_setup_writes_have_no_password_either(tmp_path: Path) -> None:
    target = Target(root=tmp_path, command="/opt/edgecam/bin/edgecam")
    plan = plan_install(target, "headless", settings_text='source = ["rtsp://joe:s3cr3t@cam/x", "demo:"]\n')
    texts = {step.path.name: (step.text, step.mode) for step in plan.steps if isinstance(step, Write)}
    assert texts["edgecam.toml"][0] == 'credentials = "camera"\nsource = ["rtsp://cam/x", "demo:"]\n'
    assert (
        "rtsp://cam joe:s3cr3t" in texts["camera.credentials"][0] and texts["camera.credentials"][1] == 0o600
    )
    assert not any("s3cr3t" in text for name, (text, _) in texts.items() if name != "camera.credentials")
