"""A stranger's way to a kiosk: a board with nothing of ours on it, a bundle, one command, a reboot.

It takes a quarter of an hour and more, so only with ``EC_SYSTEM_BUNDLE=DIR`` (of scripts/bundle), or with
``EC_SYSTEM=long``, which makes a bundle first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import kiosk
import pytest
from guest_tools import BY_ID, wait_for_moving_picture
from offline_packages import download
from virtual_board import PATIENCE, Board

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bundle(bare_board: Board, long_form: bool) -> Path:
    """In the guest's ``/host/bundle``; its place out here."""
    given, place = os.environ.get("EC_SYSTEM_BUNDLE"), bare_board.host / "bundle"
    if given:
        shutil.copytree(given, place, dirs_exist_ok=True)
    elif long_form:
        words = ["--arch", "x86-64", "--python", "3.13", str(place)]
        subprocess.run([PROJECT / "scripts/bundle", *words], check=True, timeout=1800)
    else:
        pytest.skip("EC_SYSTEM_BUNDLE=DIR (or EC_SYSTEM=long) installs a bundle on the board")
    return place


def system_packages() -> list[str]:
    """Those that ``scripts/install --kiosk`` asks apt for."""
    shell = f'. {PROJECT}/scripts/setup.sh; echo python3-venv procps "${{window_packages[@]}}" cage seatd'
    return subprocess.run(["bash", "-c", shell], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.usefixtures("bundle")
def test_a_stranger_installs_a_kiosk(bare_board: Board, pictures: Path) -> None:
    board = bare_board
    board.check("cp /var/lib/dpkg/status /host/status")
    (board.host / "debs").mkdir()
    count = download(board.host / "debs", board.host / "status", system_packages())
    board.check(
        "rm -rf /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/host/debs ./' >/etc/apt/sources.list"
    )
    # the emulated card has no OpenGL; an emulated second is longer than a board's
    board.check("mkdir -p /etc/edgecam && echo WLR_RENDERER=pixman >/etc/edgecam/environment")
    folder = f"/etc/systemd/system/{kiosk.UNIT}.service.d"
    limits = [f"{name}={value * PATIENCE:.0f}" for name, value in kiosk.LIMITS_S.items()]
    (board.host / "emulation.conf").write_text("\n".join(["[Service]", *limits]) + "\n")
    board.check(f"mkdir -p {folder} && cp /host/emulation.conf {folder}/")

    camera = kiosk.photograph()
    board.plug_in(*camera)
    begin, used = time.monotonic(), board.processor_s()
    said = board.check(f"/host/bundle/install --kiosk --source {BY_ID}", 1200)
    print(said)
    minutes, used = (time.monotonic() - begin) / 60, board.processor_s() - used
    tell(f"{count} system packages and edgecam: {minutes:.1f} min, {used:.0f} s of processor time")
    assert "systemd-analyze verify has no complaint" in said
    shell_s = board.reboot(camera=camera)
    picture_s = wait_for_moving_picture(board, 240)
    board.screenshot(pictures / "stranger-kiosk.png")
    total_min = (time.monotonic() - begin) / 60
    tell(f"reboot: shell after {shell_s:.0f} s, picture {picture_s:.0f} s later; {total_min:.1f} min in all")
    kiosk.assert_restarts(board, 0, "after the boot")
    print(board.run("edgecam --version; edgecam doctor", 240).out)

    board.check("/opt/edgecam/bin/edgecam-install --uninstall --purge", 300)
    ours = ["/opt/edgecam", "/usr/local/bin/edgecam", "/etc/edgecam/edgecam.toml"]
    ours.append(f"/etc/systemd/system/{kiosk.UNIT}.service")
    left = board.check(f"ls -d {' '.join(ours)} 2>/dev/null || true")
    assert left.strip() == "", left


def tell(text: str) -> None:
    """For who looks on, and for the report."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
