"""What has to hold for a folder of clips after the power was cut."""

from __future__ import annotations

import json
from typing import Any

from virtual_board import Board

FOLDER = "/var/lib/edgecam/clips"
#: Settings that record without end, in short pieces.
SETTINGS = (f'record = "{FOLDER}"', 'record_view = "both"', "segment = 15")
_VIDEO = (".mp4", ".mkv")


def videos(board: Board) -> set[str]:
    """Finished clips, by file name."""
    return {n for n in board.check(f"ls {FOLDER}").split() if n.endswith(_VIDEO)}


def wait_until_recording(board: Board, beyond: int = 0, timeout_s: float = 120.0) -> set[str]:
    """Until there are more than ``beyond`` finished clips and another is being written; the finished ones."""
    finished = f"test $(ls {FOLDER} | grep -c -e '[.]mp4$' -e '[.]mkv$') -gt {beyond}"
    being_written = f"ls -A {FOLDER} | grep -q '[.]part$'"
    board.wait_for(f"{finished} && {being_written}", timeout_s)
    return videos(board)


def check_after_power_cut(board: Board, finished: set[str]) -> list[dict[str, Any]]:
    """Every clip plays to its end, none is gone, the index is right; the clips as the index has them."""
    verified = board.run(f"edgecam clips verify --dir {FOLDER}", 180)
    assert verified.rc == 0, verified.out
    text = board.check(f"edgecam clips list --dir {FOLDER} --json", 60)
    clips = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    indexed = {name for clip in clips for name in clip["files"].values()}
    on_disk = set(board.check(f"ls {FOLDER}").split())
    assert finished <= on_disk, "a finished clip is gone"
    assert {name for name in on_disk if name.endswith(_VIDEO)} <= indexed, "the index misses a clip"
    assert indexed <= on_disk, "the index names what is not there"
    assert any(clip["recovered"] for clip in clips), "the clip that was cut is there too"
    print(f"{len(clips)} clips play, recovered: {[c['name'] for c in clips if c['recovered']]}", flush=True)
    return clips
