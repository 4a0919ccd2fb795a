"""How a run ends when its surroundings misbehave: bounced keys, closed streams, readers that do not read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

ROOT = Path(__file__).resolve().parents[2]
QUIET = ["--detector", "off", "--classifier", "off", "--display", "none", "--keep-free", "0"]
LIVE = ["--source", "synthetic:?size=320x192&rate=30&live=1", *QUIET]


def edgecam(*words: str, **how: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "edgecam", *words], cwd=ROOT, **how)  # type: ignore[call-overload,no-any-return]


def test_a_second_ctrl_c_at_once_is_a_bounce(tmp_path: Path) -> None:
    seen = tmp_path / "seen.jsonl"
    program = edgecam(*LIVE, "--record", str(tmp_path / "clips"), "--json", str(seen))
    try:
        limit = time.monotonic() + 60
        while not seen.exists() or seen.read_bytes().count(b"\n") < 30:
            assert program.poll() is None and time.monotonic() < limit
            time.sleep(0.02)
        program.send_signal(signal.SIGINT)
        time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 0
    finally:
        program.kill()
    (clip,) = (tmp_path / "clips").glob("*.mp4")
    assert not list((tmp_path / "clips").glob(".*.part"))
    with av.open(str(clip)) as video:
        assert sum(1 for _ in video.decode(video=0)) >= 28


@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
def test_closed_standard_streams(tmp_path: Path, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for fd in closed:
            os.close(fd)

    said = tmp_path / "said"
    with said.open("wb") as err:
        for words in ([*LIVE, "--frames", "3", "--json", "-"], ["clips", "list", "--dir", str(tmp_path)]):
            program = edgecam(*words, stderr=err, stdin=subprocess.DEVNULL, preexec_fn=close)
            assert program.wait(60) == 0, said.read_text()
    assert "Error" not in said.read_text()


def test_a_fifo_that_nobody_reads(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = edgecam(*LIVE, "--json", str(fifo), stderr=subprocess.PIPE)
    assert program.stderr is not None
    said = program.stderr.read()
    assert program.wait(30) == 2 and b"nobody reads the FIFO" in said
    program.stderr.close()
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)  # it is there, and sleeps
    try:
        words = ["--source", "synthetic:?size=320x192&rate=30&frames=100000", *QUIET]
        began = time.monotonic()
        program = edgecam(*words, "--json", str(fifo), "--duration", "3", stderr=subprocess.DEVNULL)
        assert program.wait(60) in (0, 1)
        assert time.monotonic() - began < 20  # it took 26 s to end; the start takes some on a busy machine
    finally:
        program.kill()
        os.close(reader)
