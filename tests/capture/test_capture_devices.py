"""edgecam devices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from v4l2_sim import SimCamera

from edgecam.capture import devices
from edgecam.capture.devices import Inventory, find_cameras
from edgecam.cli import devices as cli_devices


@pytest.fixture
def inventory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Inventory:
    """A camera with a stable name, and beside it a plain file that pretends to be one."""
    SimCamera(monkeypatch, tmp_path)
    by_id = tmp_path / "v4l" / "by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-Sim_Cam-video-index0").symlink_to("../../video0")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = find_cameras(tmp_path)
    monkeypatch.setattr(devices, "find_cameras", lambda: found)
    return found


def test_what_is_told_of_a_camera(inventory: Inventory, tmp_path: Path) -> None:
    (camera,) = inventory.cameras
    assert camera.source == str(tmp_path / "video0")
    assert (camera.name, camera.driver) == ("Sim Cam", "sim")
    assert camera.by_id == str(tmp_path / "v4l" / "by-id" / "usb-Sim_Cam-video-index0")
    assert ("MJPG", (1280, 720), (30.0, 15.0)) in [(m.fourcc, m.size_wh, m.rates_hz) for m in camera.modes]
    assert [(c.name, c.kind, c.value) for c in camera.controls] == [
        ("brightness", "int", 128),
        ("white_balance_automatic", "bool", 1),
        ("auto_exposure", "menu", 3),
    ]


def test_table(inventory: Inventory, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_devices.main(["--controls"]) == 0
    out = capsys.readouterr().out
    for words in (
        "Sim Cam",
        "usb-Sim_Cam-video-index0",
        "MJPG",
        "1280x720",
        "30, 15",
        "Aperture Priority Mode",
    ):
        assert words in out


def test_json(inventory: Inventory, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_devices.main(["--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (camera,) = report["cameras"]
    assert {"format": "YUYV", "width": 1280, "height": 720, "rates_hz": [10.0]} in camera["modes"]
    assert camera["controls"][2]["menu"] == {"1": "Manual Mode", "3": "Aperture Priority Mode"}


def test_nodes_that_are_no_cameras_are_skipped_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    (tmp_path / "video1").symlink_to("/dev/null")
    found = find_cameras(tmp_path)
    assert not found.cameras
    assert found.skipped == dict.fromkeys(
        [str(tmp_path / "video0"), str(tmp_path / "video1")],
        "is not a camera",
    )


def test_no_camera(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(devices, "find_cameras", lambda: Inventory())
    assert cli_devices.main([]) == 3
    assert "No camera found" in capsys.readouterr().out
