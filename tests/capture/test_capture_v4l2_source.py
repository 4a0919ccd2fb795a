"""V4L2 streaming, faults and controls against a driver in memory, and real nodes that are no cameras."""

# Private names are touched here, for the simulated driver's own list of filled buffers.

from __future__ import annotations

import errno
import grp
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from capture_material import open_files
from v4l2_sim import SimCamera

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.generated.frame_code import read_code
from edgecam.capture.v4l2 import abi
from edgecam.capture.v4l2.controls import variable_name
from edgecam.capture.v4l2.device import open_node
from edgecam.capture.v4l2.source import V4L2Source
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, ConfigError, SourceOpenError
from edgecam.core.ports import Source
from edgecam.core.types import Frame

SMALL = SourceOptions(size_wh=(320, 180))


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimCamera:
    return SimCamera(monkeypatch, tmp_path)


def first(source: Source) -> Frame:
    for _ in range(100):
        frame = source.read(1.0)
        if frame is not None:
            return frame
    raise AssertionError("no frame")


def test_takes_mjpg_where_the_rate_needs_it_and_says_so(camera: SimCamera) -> None:
    with V4L2Source(camera.path, SourceOptions()) as source:
        assert source.description == f"{camera.path} (Sim Cam): 1280x720 MJPG at 30 fps"
        assert source.rate_hz == 30.0
        assert first(source).size_wh == (1280, 720) == source.size_wh


def test_says_what_was_granted_and_why_it_is_less(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    camera = SimCamera(monkeypatch, tmp_path, {"YUYV": {(1280, 720): (10,), (640, 480): (30,)}})
    with V4L2Source(camera.path, SourceOptions(size_wh=(1280, 720), rate_hz=30.0)) as source:
        assert source.description.endswith(
            "1280x720 YUYV at 10 fps (1280x720 gives at most 10 fps; 640x480 would reach 30)"
        )
        assert source.rate_hz == 10.0


def test_a_small_picture_from_a_large_jpeg_is_decoded_small(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    camera = SimCamera(monkeypatch, tmp_path, {"MJPG": {(1280, 720): (30,)}})
    with V4L2Source(camera.path, SourceOptions(size_wh=(640, 360))) as source:
        assert "decoded at 1/2" in source.description
        assert first(source).size_wh == (640, 360) == source.size_wh


def test_pictures_are_those_of_the_camera_stamped_by_the_driver(camera: SimCamera) -> None:
    with V4L2Source(camera.path, SMALL) as source:
        before = now_ns()
        for _ in range(3):
            frame = first(source)
            assert read_code(frame.image) in range(4)
            assert before - 1_000_000_000 < frame.captured_ns < now_ns()


def test_a_late_reader_gets_a_fresh_picture_and_lost_ones_count(camera: SimCamera) -> None:
    with V4L2Source(camera.path, SMALL) as source:
        assert first(source).index == 0
        camera.expose(10)  # four fit, six are lost
        called = now_ns()
        frame = first(source)
        assert frame.captured_ns > called
        assert frame.index >= 10


def test_the_newest_of_what_queued_up(camera: SimCamera) -> None:
    with V4L2Source(camera.path, SMALL) as source:
        first(source)
        camera.silent = True
        camera.expose(3)
        newest = camera._filled[-1][3]
        assert first(source).captured_ns == newest // 1000 * 1000
        assert source.read(0.0) is None


def test_torn_pictures_are_skipped(camera: SimCamera) -> None:
    with V4L2Source(camera.path, SMALL) as source:
        first(source)
        camera.torn = True
        assert source.read(0.1) is None
        camera.torn = False
        assert first(source).index > 0


def test_unplugged(camera: SimCamera) -> None:
    source = V4L2Source(camera.path, SMALL)
    first(source)
    camera.unplugged = True
    with pytest.raises(CaptureError, match="unplugged"):
        source.read(1.0)
    source.close()


def test_node_gone(camera: SimCamera) -> None:
    with V4L2Source(camera.path, SMALL) as source:
        first(source)
        camera.silent = True
        Path(camera.path).unlink()
        with pytest.raises(CaptureError, match="is gone"):
            source.read(1.0)


def test_silent_for_too_long(camera: SimCamera) -> None:
    with V4L2Source(camera.path, SourceOptions(size_wh=(320, 180), read_timeout_s=0.2)) as source:
        first(source)
        camera.silent = True
        with pytest.raises(CaptureError, match="no frame for"):
            for _ in range(100):
                source.read(0.05)


def test_a_board_that_was_too_busy_to_look_has_not_lost_its_camera(
    camera: SimCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow start, and a reader that got no processor: the camera went on meanwhile."""
    late_ns = 0
    monkeypatch.setattr("edgecam.capture.v4l2.source.now_ns", lambda: now_ns() + late_ns)
    with V4L2Source(camera.path, SourceOptions(size_wh=(320, 180), read_timeout_s=1.0)) as source:
        for _ in range(3):
            late_ns += 20_000_000_000
            camera.expose(4)  # every buffer is full, and old
            camera.silent = True
            assert source.read(0.0) is None
            late_ns += 20_000_000_000
            assert source.read(0.0) is None
            camera.silent = False
            first(source)


def test_the_same_picture_for_too_long(camera: SimCamera) -> None:
    with V4L2Source(camera.path, SourceOptions(size_wh=(320, 180), frozen_after_s=0.2)) as source:
        first(source)
        camera.same_picture = True
        with pytest.raises(CaptureError, match="very same picture"):
            for _ in range(100):
                source.read(0.05)


def test_the_same_picture_may_be_allowed(camera: SimCamera) -> None:
    camera.same_picture = True
    with V4L2Source(camera.path, SourceOptions(size_wh=(320, 180), frozen_after_s=0.0)) as source:
        for _ in range(20):
            first(source)


@pytest.mark.parametrize(
    ("request_name", "code", "words"),
    [
        ("S_FMT", errno.EBUSY, "in use by another program"),
        ("STREAMON", errno.EBUSY, "in use by another program"),
        ("STREAMON", errno.ENOSPC, "no bandwidth left"),
        ("STREAMON", errno.EIO, "unplug it and plug it in"),
        ("QUERYCAP", errno.ENOTTY, "is not a camera"),
    ],
)
def test_refusals_are_told_in_words_and_leave_nothing_open(
    camera: SimCamera, request_name: str, code: int, words: str
) -> None:
    before = open_files()
    camera.fail[getattr(abi, request_name)] = code
    with pytest.raises(SourceOpenError, match=words):
        V4L2Source(camera.path, SMALL)
    assert open_files() == before


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        (abi.CAP_META_CAPTURE | abi.CAP_STREAMING, "carries metadata"),
        (abi.CAP_VIDEO_CAPTURE_MPLANE | abi.CAP_STREAMING, "multi-planar"),
        (0x2, "does not capture"),
        (abi.CAP_VIDEO_CAPTURE, "cannot stream"),
    ],
)
def test_nodes_that_are_no_cameras(camera: SimCamera, caps: int, words: str) -> None:
    camera.caps = caps
    with pytest.raises(SourceOpenError, match=words):
        V4L2Source(camera.path, SMALL)


def test_nothing_decodable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    camera = SimCamera(monkeypatch, tmp_path, {"H264": {(640, 480): (30,)}})
    with pytest.raises(SourceOpenError, match="offers only H264"):
        V4L2Source(camera.path, SourceOptions())


def test_opening_and_closing_leaks_no_descriptor(camera: SimCamera) -> None:
    before = open_files()
    for _ in range(20):
        with V4L2Source(camera.path, SMALL) as source:
            first(source)
    assert open_files() == before


def test_controls_are_set_automatics_first_and_read_back(camera: SimCamera) -> None:
    wanted = {"brightness": "7", "auto_exposure": "manual_mode", "white_balance_automatic": "off"}
    with V4L2Source(camera.path, SourceOptions(size_wh=(320, 180), controls=wanted)) as source:
        assert camera.set_order == ["Auto Exposure", "White Balance, Automatic", "Brightness"]
        assert "auto_exposure=Manual Mode, white_balance_automatic=0, brightness=7" in source.description


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("brightnes", "1", "no control 'brightnes', did you mean 'brightness'.*auto_exposure"),
        ("brightness", "256", "brightness=256: give 0 to 255"),
        ("brightness", "much", "give 0 to 255"),
        ("auto_exposure", "2", r"give Manual Mode \| Aperture Priority Mode"),
        ("white_balance_automatic", "maybe", r"give 0 \| 1"),
    ],
)
def test_wrong_controls_list_what_there_is(camera: SimCamera, name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        V4L2Source(camera.path, SourceOptions(controls={name: value}))


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("White Balance, Automatic", "white_balance_automatic"),
        ("Exposure Time, Absolute", "exposure_time_absolute"),
        ("Gain", "gain"),
        ("Power Line Frequency (50/60)", "power_line_frequency_50_60"),
    ],
)
def test_control_names_are_v4l2_ctls(title: str, name: str) -> None:
    assert variable_name(title) == name


@pytest.mark.parametrize("path", ["/dev/null", "/dev/tty", "/dev/zero"])
def test_real_nodes_that_are_no_cameras(path: str) -> None:
    with pytest.raises(SourceOpenError, match=f"{path} is not a camera; `edgecam devices`"):
        open_source(path)


def test_no_permission_names_the_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "video0"
    node.touch()
    group = grp.getgrall()[-1]
    fields: list[Any] = list(os.stat_result(node.stat()))
    fields[stat.ST_MODE], fields[stat.ST_GID] = stat.S_IFCHR | 0o660, group.gr_gid

    class Status:
        st_mode, st_gid, st_rdev = fields[stat.ST_MODE], group.gr_gid, os.makedev(81, 0)

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", lambda self, **how: Status())
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(
        SourceOpenError, match=rf"no permission; it belongs to the group '{group.gr_name}': run"
    ):
        open_node(str(node))
