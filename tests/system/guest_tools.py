"""What several tests do in the guest: watch results, memory and screen; hang one thread of a program.

Functions take the :class:`virtual_board.Board` first.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from virtual_board import PATIENCE, Board, GuestError

#: A webcam that sees the same from one boot to the next has the same name.
BY_ID = "/dev/v4l/by-id/usb-edgecam_tests_Virtual_Webcam_0001-video-index0"
EDGECAM = "/opt/edgecam/bin/edgecam"


@dataclass(frozen=True)
class Footprint:
    """What a process holds on to."""

    rss_kib: int
    descriptors: int
    threads: int


def footprint(board: Board, pid: str) -> Footprint:
    """Of a running process; ``pid`` may be a shell expression."""
    text = board.check(
        f"p={pid}; grep -E '^(VmRSS|Threads):' /proc/$p/status | tr -dc '0-9\\n'; ls /proc/$p/fd | wc -l"
    )
    rss, threads, descriptors = (int(word) for word in text.split())
    return Footprint(rss, descriptors, threads)


def results(board: Board, path: str) -> list[dict[str, Any]]:
    """The JSON lines that a program in the guest has written so far; a line not yet whole is left out."""
    text = board.check(f"cat {path}")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def red_square_x(board: Board) -> int | None:
    """Where the webcam's moving red square is on the screen; None if no colour picture is shown."""
    path = board.folder / "now.png"
    image = cv2.imread(str(board.screenshot(path)))
    assert image is not None
    b, g, r = (image[..., i].astype(int) for i in range(3))
    red = (r > 170) & (g < 70) & (b < 70)
    columns = red.sum(axis=0)
    # smaller red things are text or a box
    return int(columns.argmax()) if int(red.sum()) > 400 else None


def wait_for_moving_picture(board: Board, timeout_s: float) -> float:
    """Until the screen shows the webcam's picture, alive. Seconds it took."""
    begin = time.monotonic()
    seen: set[int] = set()
    while time.monotonic() - begin < timeout_s * PATIENCE:
        x = red_square_x(board)
        if x is not None:
            seen.add(x)
        if len(seen) >= 2:
            return time.monotonic() - begin
        time.sleep(0.3)
    raise GuestError(f"no living picture on the screen within {timeout_s * PATIENCE:.0f} s")


def show(board: Board, unit: str, *names: str) -> dict[str, str]:
    """Properties of a systemd unit."""
    text = board.check(f"systemctl show {unit} -p {','.join(names)}")
    return dict(line.split("=", 1) for line in text.splitlines())


def hang_thread(board: Board, pid: str, name: str) -> str:
    """Stop the thread of that name, and leave the others running. Its number."""
    board.hand_in(Path(__file__).parent / "inside" / "hang_thread.py")
    board.check("cp /host/hang_thread.py /run/")
    board.check(
        f"rm -f /run/hang.tid; systemd-run -q --collect --unit=hang python3 /run/hang_thread.py {pid} {name}"
    )
    board.wait_for("test -e /run/hang.tid", 10)
    return board.check("cat /run/hang.tid").strip()
