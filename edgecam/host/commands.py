"""Running a small command with a deadline that holds, whatever the command does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

#: Takes the command and a time limit in seconds; gives its standard output, or None if it failed.
Run = Callable[[Sequence[str], float], "str | None"]

DEFAULT_TIMEOUT_S = 2.0


def run_command(command: Sequence[str], timeout_s: float = DEFAULT_TIMEOUT_S) -> str | None:
    """Standard output of ``command`` (no shell), or None if it is missing, fails, or takes too long.

    On time-out the whole process group is killed, so a grandchild that holds the pipe cannot make the caller
    wait (``subprocess.run(timeout=...)`` would). Standard error is discarded.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):
        return None
    try:
        raw, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        kill_group(process)
        return None
    return raw.decode("utf-8", "replace") if process.returncode == 0 else None


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and what it started, close its pipes, and reap it within a second."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:  # stuck in the kernel: the reaper gets it later
        return


def default_run(root: Path) -> Run:
    """Real commands for the real root; none below an injected one, where they would tell of another board."""
    return run_command if root == Path("/") else lambda _command, _timeout_s: None
