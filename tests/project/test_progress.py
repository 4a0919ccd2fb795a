"""The progress bar, on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

WORK = """
from contextlib import closing
from edgecam.core.progress import ProgressBar
with closing(ProgressBar("measuring")) as bar:
    for done in range(4):
        bar.show(done, 4, f"way {done}")
    bar.show(4, 4)
print("done")
"""


def test_on_a_terminal_it_says_what_is_done_and_goes_away() -> None:
    ours, theirs = pty.openpty()
    try:
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        done = subprocess.run(
            [sys.executable, "-c", WORK],
            stderr=theirs,
            stdout=subprocess.PIPE,
            env=env,
            timeout=60,
            check=True,
        )
        os.close(theirs)
        drawn = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
    assert done.stdout == b"done\n"
    for part in ("measuring", "way 0", " 25%", "way 1", " 50%", "way 2", " 75%", "way 3"):
        assert part in drawn
    assert drawn.rstrip().endswith("\x1b[2K")  # the line is cleared


def test_elsewhere_nothing_is_written() -> None:
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, timeout=60, check=True)
    assert done.stderr == b""


def test_importing_it_does_not_import_rich() -> None:
    code = "import sys, edgecam.core.progress; print('rich' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"
