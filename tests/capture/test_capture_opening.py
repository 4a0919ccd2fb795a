"""What a user can type, right and wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from capture_material import write_pictures, write_video

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.uri import redact
from edgecam.core.errors import ConfigError, SourceOpenError


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://admin:s3cret@10.0.0.5:554/live", "rtsp://10.0.0.5:554/live"),
        ("rtsp://admin:p@ss:w@10.0.0.5/live", "rtsp://10.0.0.5/live"),
        ("http://cam/video?token=s3cret", "http://cam/video"),
        ("http://user@[fe80::1]:8080/v", "http://[fe80::1]:8080/v"),
        ("rtsp://admin:s3cret@host:notaport/x", "rtsp://…"),
        ("rtsp://host/path", "rtsp://host/path"),
    ],
)
def test_redact(uri: str, shown: str) -> None:
    assert redact(uri) == shown


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://admin:s3cret@127.0.0.1:1/live",
        "rtsp://admin:s3cret@no-such-host.invalid/live",
        "rtsp://admin:s3cret@127.0.0.1:99999/live",
        "rtps://admin:s3cret@127.0.0.1/live",
        "http://admin:s3cret@127.0.0.1:1/video?token=s3cret",
        "rtsp://admin:s3cret@/live",
    ],
)
def test_no_message_carries_credentials(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with pytest.raises(SourceOpenError) as caught:
        open_source(uri)
    told = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert "s3cret" not in told
    assert "admin" not in told


def test_a_misspelt_file_suggests_the_nearest(tmp_path: Path) -> None:
    write_video(tmp_path / "holiday.mp4", [0])
    with pytest.raises(SourceOpenError, match=r"holidya\.mp4 does not exist, did you mean 'holiday\.mp4'"):
        open_source(str(tmp_path / "holidya.mp4"))
    with pytest.raises(SourceOpenError, match="there is no folder"):
        open_source(str(tmp_path / "no" / "such.mp4"))


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "No source was given"),
        ("rtps://cam/x", "unknown kind of source 'rtps', did you mean 'rtsps'"),
        ("demos:", "unknown kind of source 'demos', did you mean 'demo'"),
        ("/dev/video97", "/dev/video97 does not exist"),
        ("97", "/dev/video97 does not exist"),
        ("/dev/v4l/by-id/usb-gone", "does not exist"),
        ("rtsp://", "write it as rtsp://host:port/path"),
    ],
)
def test_wrong_addresses(uri: str, words: str) -> None:
    with pytest.raises(SourceOpenError, match=words):
        open_source(uri)


@pytest.mark.parametrize("reconnect", ["sometimes", "-1", -3])
def test_wrong_reconnect(reconnect: str | int) -> None:
    with pytest.raises(ConfigError, match="'forever', 'off' or a number"):
        open_source("rtsp://127.0.0.1:1/x", SourceOptions(reconnect=reconnect))


def test_wrong_transport() -> None:
    with pytest.raises(ConfigError, match="give tcp or udp"):
        open_source("rtsp://127.0.0.1:1/x", SourceOptions(rtsp_transport="smoke"))


def test_ways_to_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a film: part 1.mp4", [0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for uri in (str(path), path.name, f"./{path.name}", f"file://{path}", f"file:{path}", f"~/{path.name}"):
        with open_source(uri) as source:
            assert source.read(1.0) is not None


def test_a_file_named_like_a_glob(tmp_path: Path) -> None:
    path = write_pictures(tmp_path, 1) / "shot0.png"
    odd = path.rename(tmp_path / "shot[1].png")
    with open_source(str(odd)) as source:
        assert source.read(1.0) is not None


@pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/proc/self/setgroups").exists(), reason="cannot drop rights"
)
def test_no_permission(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [0])
    path.chmod(0)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
        if folder == Path("/tmp"):
            break
    code = (
        "import os, sys\n"
        "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from edgecam.capture import open_source\n"
        "from edgecam.core.errors import SourceOpenError\n"
        "try:\n    open_source(sys.argv[1])\n"
        "except SourceOpenError as error:\n    print(error)\n"
    )
    root = Path(__file__).resolve().parents[2]
    # imported as the present user first: the environment may lie where nobody else may look
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import edgecam.capture.files.video, edgecam.capture.files.pictures\n" + code,
            str(path),
        ],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    assert "no permission" in done.stdout, done.stdout + done.stderr


def test_importing_the_room_is_light() -> None:
    code = (
        "import sys, edgecam.capture, edgecam.cli.devices\n"
        "heavy = {'cv2', 'av', 'picamera2', 'rich', 'PyQt6', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"rotate": 45}, "rotate=45: a picture is turned by"),
        ({"size_wh": (0, 0)}, "give width and height in pixels"),
        ({"rate_hz": -1.0}, "rate_hz=-1.0: give frames per second"),
    ],
)
def test_wishes_that_no_source_can_grant(wish: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SourceOptions(**wish)
    assert words in str(caught.value)


def test_a_path_and_a_number_name_a_source_too(tmp_path: Path) -> None:
    for named in (tmp_path / "nothing.mp4", 99):
        with pytest.raises(SourceOpenError):
            open_source(named)
