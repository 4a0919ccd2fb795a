"""The plug is pulled again and again while clips are being written."""

from __future__ import annotations

import random
import time

import clip_checks
import kiosk
import pytest
from virtual_board import Board

UNIT = "edgecam"


def test_power_cuts_while_recording(board: Board, model: str, long_form: bool) -> None:
    if not long_form:
        pytest.skip("five boots: EC_SYSTEM=long; the short form cuts the kiosk's power while it records")
    kiosk.install(board, model, "--headless", *clip_checks.SETTINGS, source="/dev/video0")
    chance = random.Random(6)
    known: set[str] = set()
    for number in range(5):
        board.wait_for(f"systemctl is-active {UNIT}", 120)
        known = clip_checks.wait_until_recording(board, len(known))
        time.sleep(chance.uniform(2.0, 12.0))
        board.power_cut()
        board.start()
        print(f"power cut {number + 1}")
        board.wait_for(f"systemctl is-active {UNIT}", 120)
        clip_checks.check_after_power_cut(board, known)
        known = clip_checks.videos(board)
