"""The plug is pulled while clips are being written."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import kiosk
from virtual_board import Board

CLIPS = "/var/lib/edgecam/clips"
UNIT = "edgecam"


def listed(board: Board) -> list[dict[str, Any]]:
    """The index, as the user sees it."""
    text = board.check(f"edgecam clips list --dir {CLIPS} --json", 60)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_power_cut_while_recording(board: Board, model: str, long_form: bool) -> None:
    more = (f'record = "{CLIPS}"', 'record_view = "both"', "segment = 15", "detect_rate = 1")
    kiosk.install(board, model, "--headless", *more, source="/dev/video0")
    chance = random.Random(6)
    known: set[str] = set()
    for number in range(5 if long_form else 1):
        board.wait_for(f"systemctl is-active {UNIT}", 120)
        # at least one whole clip since the last start, and a part of the next
        count = len(known)
        board.wait_for(f"test $(ls {CLIPS} | grep -c '\\.mp4$\\|\\.mkv$') -gt {count}", 180)
        time.sleep(chance.uniform(2.0, 12.0))
        names = set(board.check(f"ls -A {CLIPS}").split())
        whole = {n for n in names if n.endswith((".mp4", ".mkv"))}
        parts = {n for n in names if n.endswith(".part")}
        assert whole and parts, names
        board.power_cut()
        board.start()
        board.wait_for(f"systemctl is-active {UNIT}", 120)

        verified = board.run(f"edgecam clips verify --dir {CLIPS}", 180)
        assert verified.rc == 0, verified.out
        clips = listed(board)
        files = {name for clip in clips for name in clip["files"].values()}
        on_disk = set(board.check(f"ls {CLIPS}").split())
        assert whole <= on_disk, "a finished clip is gone"
        assert {n for n in on_disk if n.endswith((".mp4", ".mkv"))} <= files, "the index misses a clip"
        assert files <= on_disk, "the index names what is not there"
        recovered = [clip["name"] for clip in clips if clip["recovered"]]
        print(f"power cut {number + 1}: {len(clips)} clips play; recovered: {', '.join(recovered)}")
        assert recovered, "the clip that was cut is there too"
        known = {n for n in on_disk if n.endswith((".mp4", ".mkv"))}
