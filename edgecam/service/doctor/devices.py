"""Cameras, and whether this user may use them and the graphics card."""

from __future__ import annotations

import os
from collections.abc import Iterator

from edgecam.host.boards import detect_board
from edgecam.host.sysfs import listing, read_text
from edgecam.service.doctor.core import Around, Line
from edgecam.service.doctor.probe import Probes

_SECTION = "cameras"


def check_cameras(around: Around, probes: Probes) -> Iterator[Line]:
    """Every camera with its best modes, or what to do when there is none."""
    probe = probes.result("cameras")
    if probe.timed_out:
        fix = "a camera driver hangs: unplug and plug in the camera, look at dmesg"
        if probe.slow:
            fix = "nothing hangs, the board is slow or busy: look with `edgecam devices`"
        detail = f"no answer within {probe.waited}"
        yield Line(_SECTION, "cameras", "warn" if probe.slow else "bad", detail, fix)
        return
    if not probe.ok:
        fix = "look with `edgecam devices`; unplug and plug in the camera"
        yield Line(_SECTION, "cameras", "bad", probe.signal or probe.error, fix)
        return
    cameras = probe.data.get("cameras", [])
    for camera in cameras:
        modes = "; ".join(" ".join(str(part) for part in mode) for mode in camera.get("modes", []))
        yield Line(
            _SECTION, str(camera.get("source")), "ok", f"{camera.get('name')}: {modes or 'modes not told'}"
        )
    if not cameras:
        yield Line(_SECTION, "cameras", "warn", "none found", _no_camera(around))


def _no_camera(around: Around) -> str:
    nodes = listing(around.root / "sys/class/video4linux", "video*")
    if nodes:
        names = sorted({read_text(n / "name") or n.name for n in nodes})
        return f"none of the nodes ({', '.join(names)[:80]}) is a camera this user can open: see below"
    fix = "plug one in (lsusb shows whether it arrives), or try --source demo:"
    if detect_board(around.root, around.machine).is_raspberry_pi:
        fix += "; a ribbon camera needs camera_auto_detect=1 in /boot/firmware/config.txt, and a firm cable"
    return fix


def check_permissions(around: Around) -> Iterator[Line]:
    """Devices that exist and are closed to this user, by the group that opens them."""
    closed: dict[str, list[str]] = {}
    for pattern, group in (("video*", "video"), ("media*", "video"), ("dri/renderD*", "render")):
        for node in listing(around.root / "dev", pattern):
            if not os.access(node, os.R_OK | os.W_OK):
                closed.setdefault(group, []).append("/dev/" + str(node.relative_to(around.root / "dev")))
    for group, nodes in closed.items():
        detail = f"{', '.join(nodes[:3])}{' …' if len(nodes) > 3 else ''} closed to {around.user}"
        if group in around.groups:
            fix = (
                "you are in the right group, but the device is not: look at its owner (ls -l), or reboot once"
            )
        else:
            fix = f"sudo usermod -aG {group} {around.user}, then log in again"
        yield Line(_SECTION, f"group {group}", "bad" if group == "video" else "warn", detail, fix)
    if not closed:
        yield Line(_SECTION, "permissions", "ok", f"{around.user} may use what is there")


def check_models(around: Around, probes: Probes) -> Iterator[Line]:
    """Each model file: has its card, and the weights the card was written for."""
    probe = probes.result("models")
    if not probe.ok:
        problem = f"not checked within {probe.waited}" if probe.timed_out else probe.signal or probe.error
        yield Line("models", "models", "warn", problem, "look with `edgecam models verify`")
        return
    models = probe.data.get("models", [])
    for model in models:
        if model.get("state") in ("damaged", "broken"):
            fix = f"copy it again, or install edgecam anew: {around.installation.mend()}"
            yield Line("models", str(model.get("name")), "bad", str(model.get("words")), fix)
    good = [m for m in models if m.get("state") == "good"]
    unproven = [m for m in models if m.get("state") == "unproven"]
    if good:
        beside = f", {len(unproven)} that nothing can be compared with" if unproven else ""
        yield Line("models", "models", "ok", f"{len(good)} verified{beside} (see edgecam models verify)")
    elif not models:
        folders = ", ".join(str(f) for f in probe.data.get("folders", []))
        fix = f"{around.installation.mend()}, or name a file: --detector FILE.onnx"
        yield Line("models", "models", "bad", f"none in {folders}", fix)
