"""A decoder that crashes ends its camera's picture, and not the run: through the whole program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "capture"))

from capture_material import http_camera  # noqa: E402

from edgecam import watch  # noqa: E402


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_bytes().rpartition(b")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(words[1]) == pid and words[0] != b"Z":
            found.append(int(stat.parent.name))
    return found


def until(true: Callable[[], bool], what: str, within_s: float = 90.0) -> None:
    limit = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


@pytest.mark.timeout(200)
def test_a_single_camera_whose_decoder_crashes() -> None:
    """Also from a program of five lines: the loop goes on, with the camera's next pictures."""
    with http_camera(rate_hz=10.0) as camera:
        results = watch(f"http://127.0.0.1:{camera.port}/", detector="off", classifier="off")
        with closing(results):
            first = next(results)
            helper = next(pid for pid in children(os.getpid()) if children(pid))
            (decoder,) = children(helper)
            os.kill(decoder, signal.SIGSEGV)
            until(lambda: decoder not in children(helper), "it did not end")
            until(lambda: bool(children(helper)), "nobody began anew")
            since = time.monotonic_ns()
            again = next(result for result in results if result.frame.captured_ns > since)
            assert again.frame.index > first.frame.index and again.frame.source == first.frame.source
        until(lambda: not children(helper), "a decoder was left")


@pytest.mark.timeout(400)
def test_a_decoder_that_crashes(tmp_path: Path) -> None:
    lines, said = tmp_path / "out.jsonl", tmp_path / "stderr"
    quiet = ["--detector", "off", "--classifier", "off", "--display", "none", "-v", "--json", str(lines)]

    def frames() -> dict[str, int]:
        counts: dict[str, int] = {}
        for line in (lines.read_bytes().splitlines(True) if lines.exists() else [])[:-1]:
            name = json.loads(line)["source"]
            counts[name] = counts.get(name, 0) + 1
        return counts

    with http_camera(rate_hz=10.0) as one, http_camera(rate_hz=10.0) as two, said.open("wb") as err:
        sources = [f"--source=http://127.0.0.1:{camera.port}/" for camera in (one, two)]
        program = subprocess.Popen(
            [sys.executable, "-m", "edgecam", *sources, *quiet],
            cwd=ROOT,
            stderr=err,
            stdout=subprocess.DEVNULL,
        )
        try:
            until(lambda: len(frames()) == 2 and min(frames().values()) > 5, "no results")
            (helper,) = children(program.pid)
            decoders = children(helper)
            assert len(decoders) == 2
            os.kill(decoders[0], signal.SIGSEGV)
            until(lambda: b"its decoder ended (signal 11)" in said.read_bytes(), "nobody noticed")
            before = frames()
            until(lambda: b": recovered" in said.read_bytes(), "it did not come back")
            until(lambda: all(frames()[name] > count + 5 for name, count in before.items()), "no pictures")
            assert said.read_bytes().count(b": lost: ") == 1
            assert decoders[1] in children(helper) and len(children(helper)) == 2
        finally:
            program.send_signal(signal.SIGINT)
            try:
                program.wait(60)
            finally:
                program.kill()
        assert program.returncode == 0, said.read_text()
        until(lambda: not children(helper) and not Path(f"/proc/{helper}").exists(), "something was left")
