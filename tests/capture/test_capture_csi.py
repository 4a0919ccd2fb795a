"""csi: against a stand-in for picamera2 with its calls and formats; the real one is met in tests/system."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import types
from typing import Any

import cv2
import numpy as np
import pytest
from capture_material import eventually, no_readers, pictures, same

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.csi.address import parse
from edgecam.core.clock import now_ns
from edgecam.core.errors import EXIT_SOURCE, CaptureError, ConfigError, MissingExtraError, SourceOpenError
from edgecam.core.ports import Source
from edgecam.core.types import Frame

OFF = SourceOptions(reconnect="off", size_wh=(320, 180), read_timeout_s=0.5)


class Job:
    def __init__(self, camera: Picamera2) -> None:
        self._camera = camera

    def get_result(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "a call without a deadline"
        if self._camera.board.hang.is_set():
            time.sleep(timeout)
            raise TimeoutError
        time.sleep(0.01)
        return Request(self._camera)


class Request:
    def __init__(self, camera: Picamera2) -> None:
        self._camera = camera
        camera.board.held += 1

    def make_buffer(self, name: str) -> Any:
        stream = self._camera.config[name]
        board = self._camera.board
        shot = board.shots[0 if board.still else board.held % len(board.shots)]
        if name == "lores":
            small = cv2.resize(shot, stream["size"])
            return np.frombuffer(cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420).tobytes(), np.uint8)
        if stream["format"] == "MJPEG":
            return np.append(cv2.imencode(".jpg", shot)[1], np.zeros(500, np.uint8))
        return np.frombuffer(shot.tobytes(), np.uint8)

    def get_metadata(self) -> dict[str, Any]:
        return {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 20_000_000}

    def release(self) -> None:
        self._camera.board.released += 1


class Board:
    """What libcamera would see."""

    def __init__(self) -> None:
        self.hang = threading.Event()
        self.usb = self.still = False
        self.held = self.released = self.closed = 0
        self.shots = pictures(4)
        self.asked: list[dict[str, Any]] = []
        self.infos = [{"Num": 0, "Model": "imx708", "Id": "/base/soc/i2c0mux/imx708@1a"}]


class Picamera2:
    board: Board

    def __init__(self, number: int) -> None:
        self.camera_controls = {"FrameDurationLimits": 0, "ExposureTime": 0, "AeEnable": 0}
        self.config: dict[str, Any] = {}
        self.cancelled = False

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return cls.board.infos

    def create_video_configuration(self, **wish: Any) -> dict[str, Any]:
        self.board.asked.append(wish)
        return wish

    def configure(self, config: dict[str, Any]) -> None:
        main, lores = dict(config["main"]), config["lores"]
        if self.board.usb and (lores or main["format"] != "MJPEG"):
            raise RuntimeError("Camera configuration has too many streams")
        main["stride"] = main["size"][0] * 3
        self.config = {"main": main, "lores": dict(lores, stride=lores["size"][0]) if lores else None}

    def camera_configuration(self) -> dict[str, Any]:
        return self.config

    def start(self) -> None:
        pass

    def cancel_all_and_flush(self) -> None:
        self.cancelled = True

    def stop(self) -> None:
        assert self.cancelled or not self.board.hang.is_set(), (
            "would wait behind the capture that never comes"
        )

    def close(self) -> None:
        self.board.closed += 1

    def capture_request(self, wait: bool) -> Job:
        assert wait is False
        return Job(self)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    module: Any = types.ModuleType("picamera2")
    Picamera2.board = Board()
    module.Picamera2 = Picamera2
    libcamera: Any = types.ModuleType("libcamera")
    libcamera.Transform = lambda **turn: turn
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setitem(sys.modules, "libcamera", libcamera)
    return Picamera2.board


def first(source: Source) -> Frame:
    for _ in range(50):
        frame = source.read(1.0)
        if frame is not None:
            return frame
    raise AssertionError("no frame")


def test_main_and_lores_from_one_capture(board: Board) -> None:
    with open_source("csi:0?lores=160x90", OFF) as source:
        assert source.description == "csi:0: imx708, 320x180 RGB888 at 30 fps, lores 160x90"
        assert source.is_live
        frame = first(source)
        assert any(same(frame.image, shot) for shot in board.shots), "picamera2's RGB888 is BGR in memory"
        assert frame.lores is not None
        assert frame.lores.shape == (90, 160, 3)
        small = cv2.resize(frame.image, (160, 90))
        assert np.abs(frame.lores.astype(int) - small).mean() < 4, "lores is not the same view"
    assert board.asked[0]["controls"]["FrameDurationLimits"] == (33333, 33333)
    assert board.held == board.released
    assert board.closed == 1


def test_the_sensors_own_time_on_our_clock(board: Board) -> None:
    with open_source("csi:", OFF) as source:
        frame = first(source)
        age_ms = (now_ns() - frame.captured_ns) / 1e6
    assert 20 <= age_ms < 5000


def test_a_camera_with_one_stream_only(board: Board) -> None:
    board.usb = True
    with open_source("csi:0?lores=160x90", OFF) as source:
        assert "no lores: this camera has one stream only" in source.description
        frame = first(source)
        assert frame.lores is None
        assert frame.image.shape == (180, 320, 3)


def test_a_hung_camera_is_lost_in_time(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    with open_source("csi:0", OFF) as source:
        first(source)
        board.hang.set()
        began = time.monotonic()
        with pytest.raises(CaptureError, match="csi:0"):
            while time.monotonic() - began < 10:
                source.read(0.1)
    assert eventually(no_readers)
    assert board.closed == 1
    assert "closing failed" not in caplog.text


def test_the_same_picture_for_too_long(board: Board) -> None:
    board.still = True
    options = SourceOptions(reconnect="off", size_wh=(320, 180), frozen_after_s=0.2)
    with open_source("csi:0", options) as source, pytest.raises(CaptureError, match="very same picture"):
        for _ in range(200):
            source.read(0.1)


def test_no_camera_and_a_wrong_number(board: Board) -> None:
    with pytest.raises(SourceOpenError, match=r"libcamera sees only csi:0 \(imx708\)"):
        open_source("csi:3", OFF)
    board.infos.clear()
    with pytest.raises(SourceOpenError, match="no camera at all"):
        open_source("csi:0", OFF)


def test_controls(board: Board) -> None:
    options = SourceOptions(
        reconnect="off", size_wh=(320, 180), controls={"ExposureTime": "5000", "AeEnable": "off"}
    )
    with open_source("csi:0", options):
        assert (
            board.asked[0]["controls"] | {"ExposureTime": 5000, "AeEnable": False}
            == board.asked[0]["controls"]
        )
    wrong = SourceOptions(reconnect="off", controls={"ExposureTme": "1"})
    with pytest.raises(ConfigError, match=r"no control 'ExposureTme', did you mean 'ExposureTime'.*AeEnable"):
        open_source("csi:0", wrong)
    assert board.closed == 2


def test_turned_upside_down(board: Board) -> None:
    with open_source("csi:0?rotation=180", OFF):
        assert board.asked[0]["transform"] == {"hflip": 1, "vflip": 1}


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("zero", "write the camera's number"),
        ("0?rotation=90", "0 or 180 only"),
        ("0?lowres=1x1", "no option 'lowres', did you mean 'lores'"),
    ],
)
def test_wrong_addresses(rest: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(rest, SourceOptions())


def test_lores_keeps_the_shape_and_can_be_off() -> None:
    assert parse("0", SourceOptions(size_wh=(1920, 1080))).lores_wh == (640, 360)
    assert parse("0?lores=off", SourceOptions()).lores_wh is None
    assert parse("0?rotation=180&hflip=1", SourceOptions()).hflip is False


def test_missing_picamera2_gives_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(
        MissingExtraError, match=r"apt install python3-picamera2.*--system-site-packages"
    ) as caught:
        open_source("csi:0")
    assert caught.value.exit_code == EXIT_SOURCE


def test_qt_is_left_alone() -> None:
    """picamera2 sets QT_QPA_PLATFORM when it is imported; our own window must not inherit that."""
    code = (
        "import os, sys, types\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'picamera2':\n"
        "            os.environ['QT_QPA_PLATFORM'] = 'xcb'\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from edgecam.capture.csi.source import import_picamera2\n"
        "try:\n    import_picamera2()\nexcept ImportError:\n    pass\n"
        "print(os.environ.get('QT_QPA_PLATFORM'))\n"
    )
    for before, after in ((None, "None"), ("wayland", "wayland")):
        env = {key: value for key, value in os.environ.items() if key != "QT_QPA_PLATFORM"}
        env |= {"QT_QPA_PLATFORM": before} if before else {}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
        )
        assert done.stdout.strip() == after
