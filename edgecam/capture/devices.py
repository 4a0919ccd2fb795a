"""Which cameras this machine has, and what each can do."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecam.capture.v4l2 import device
from edgecam.capture.v4l2.controls import CameraControl, list_controls
from edgecam.capture.v4l2.negotiate import Mode
from edgecam.core.errors import EdgecamError, SourceOpenError

# picamera2 takes about two seconds to import on a Pi, and its calls can hang.
CSI_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera. source: what to give to ``--source``; by_id: its name that survives re-plugging, if any."""

    source: str
    name: str
    driver: str
    by_id: str | None = None
    modes: tuple[Mode, ...] = ()
    controls: tuple[CameraControl, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """The cameras, and why each other node is none (``path`` → reason)."""

    cameras: tuple[CameraInfo, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)


def find_cameras(dev: Path = Path("/dev")) -> Inventory:
    """All cameras: V4L2 nodes under ``dev``, and libcamera's where picamera2 is installed."""
    cameras: list[CameraInfo] = []
    skipped: dict[str, str] = {}
    for node in sorted(dev.glob("video*"), key=lambda path: (len(path.name), path.name)):
        try:
            cameras.append(_v4l2(str(node), dev / "v4l" / "by-id"))
        except EdgecamError as error:
            reason = str(error).removeprefix(f"{node} ").removeprefix(f"{node}: ")
            skipped[str(node)] = reason.removesuffix("; `edgecam devices` lists the cameras.")
        except OSError as error:
            skipped[str(node)] = f"does not answer ({error.strerror})"
    if importlib.util.find_spec("picamera2") is not None:
        try:
            cameras.extend(_csi())
        except EdgecamError as error:
            skipped["csi:"] = str(error)
    return Inventory(tuple(cameras), skipped)


def _v4l2(path: str, by_id: Path) -> CameraInfo:
    fd = device.open_node(path)
    try:
        cap = device.capability(fd, path)
        return CameraInfo(
            path,
            device.text(cap.card),
            device.text(cap.driver),
            device.stable_path(path, by_id),
            tuple(device.modes(fd)),
            tuple(list_controls(fd)),
        )
    finally:
        os.close(fd)


def _csi() -> list[CameraInfo]:
    """libcamera's cameras, within a deadline. USB cameras are left out: they are listed as V4L2 already."""
    found: list[dict[str, Any]] = []
    failure: list[Exception] = []

    def ask() -> None:
        from edgecam.capture.csi.source import import_picamera2

        try:
            found.extend(import_picamera2().Picamera2.global_camera_info())
        except Exception as error:  # told by the caller
            failure.append(error)

    # a daemon, because a hung libcamera cannot be stopped from here
    thread = threading.Thread(target=ask, name="csi list", daemon=True)
    thread.start()
    thread.join(CSI_TIMEOUT_S)
    if thread.is_alive():
        raise SourceOpenError(f"libcamera did not answer within {CSI_TIMEOUT_S:g} s.")
    if failure:
        raise SourceOpenError(f"libcamera's cameras cannot be listed: {failure[0]}")
    return [
        CameraInfo(f"csi:{info['Num']}", str(info.get("Model", "camera")), "libcamera")
        for info in found
        if "usb" not in str(info.get("Id", "")).lower()
    ]


def group_modes(modes: tuple[Mode, ...]) -> list[tuple[str, str, str]]:
    """Rows (format, size, rates) for people, largest size first within each format."""
    rows = []
    order = list(dict.fromkeys(mode.fourcc for mode in modes))
    for mode in sorted(modes, key=lambda m: (order.index(m.fourcc), -m.size_wh[0] * m.size_wh[1])):
        rates = ", ".join(f"{rate:g}" for rate in mode.rates_hz) or "?"
        rows.append((mode.fourcc, f"{mode.size_wh[0]}x{mode.size_wh[1]}", rates))
    return rows
