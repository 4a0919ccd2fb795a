"""Findings of findings.py about the system: secrets, the clock, pipes and signals, packages, commands."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from checkout import LIVE, QUIET, Checkout

#: Source of a library that sets the clock of a program ahead by the seconds in a file (LD_PRELOAD).
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) {
    const char *text = getenv("AHEAD_S");
    return text ? atol(text) : 0;
}
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, at);
    if (id == CLOCK_REALTIME) at->tv_sec += ahead();
    return done;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def finding_7(of: Checkout) -> tuple[bool, str]:
    """Secrets in files, in the process title and in messages."""
    image = of.folder / "image"
    (image / "etc/systemd/system").mkdir(parents=True)
    command = image / "opt/edgecam/bin/edgecam"
    command.parent.mkdir(parents=True)
    command.touch(0o755)
    uri = "rtsp://joe:s3cr3t@127.0.0.1:9/x"
    words = (
        "service",
        "install",
        "--root",
        image,
        "--command",
        "/opt/edgecam/bin/edgecam",
        "--headless",
        "--yes",
    )
    of.run(*words, "--source", uri)
    files = [p for p in image.rglob("*") if p.is_file() and b"s3cr3t" in p.read_bytes()]
    open_files = [f"{p.name} {stat.S_IMODE(p.stat().st_mode):o}" for p in files if p.stat().st_mode & 0o77]
    program = of.start(("--source", uri, "--wait", *QUIET))
    title, limit = Path(f"/proc/{program.pid}/cmdline"), time.monotonic() + 30
    while (shown := b"s3cr3t" in title.read_bytes()) and time.monotonic() < limit:
        time.sleep(0.5)
    program.kill()
    program.communicate()
    misspelt = ("rtsp:/joe:PW9@h", "rtsp//joe:PW9@h", "ftp:joe:PW9@h")
    printed = [text for text in misspelt if "PW9" in of.run("--source", text, *QUIET).said]
    text = f"readable files with it: {open_files}; in the process title: {shown}; "
    text += f"printed for {len(printed)} of 3 misspelt addresses"
    return bool(files) and not (open_files or shown or printed), text


def finding_11(of: Checkout) -> tuple[bool, str]:
    """A clock that is set forward ages what was just recorded."""
    source, library = of.folder / "clock.c", of.folder / "clock.so"
    source.write_text(CLOCK)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    folder = of.folder / "eleven"
    words = (*LIVE, *QUIET, "--record", folder, "--keep-days", "1", "--frames", "20")
    of.run(*words)
    before = len(list(folder.glob("*.mp4")))
    of.run(*words, LD_PRELOAD=str(library), AHEAD_S="200000")
    of.run(*words)
    after = len(list(folder.glob("*.mp4")))
    return before == 1 and after == 3, f"{after} of 3 clips, recorded within a minute, are there"


def finding_12(of: Checkout) -> tuple[bool, str]:
    """What blocks, what ends badly."""
    folder = of.folder / "pictures"
    folder.mkdir()
    os.mkfifo(folder / "a.jpg")
    program = of.start(("--source", folder, *QUIET))
    with suppress(subprocess.TimeoutExpired):
        program.wait(60)
    program.send_signal(signal.SIGTERM)
    try:
        program.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        program.kill()
        program.communicate()
    said = {"FIFO among pictures, then SIGTERM": program.returncode in (0, 3)}
    for name, words in {
        "NUL in a path": ("--source", "clip%00.mp4", *QUIET),
        "record_rate=1e300": (*LIVE, *QUIET, "--record", of.folder / "r", "--record-rate", "1e300"),
        "config=/dev/zero": ("--config", "/dev/zero", *LIVE, *QUIET),
        "deep nesting": ("--config", of.folder / "deep.toml", *LIVE, *QUIET),
    }.items():
        (of.folder / "deep.toml").write_text("x = " + "[" * 20_000)
        ended = of.run(*words, "--frames", "5", within_s=30)
        said[name] = ended.status in (2, 3) and "unexpected" not in ended.said
    fifo = of.folder / "nobody"
    os.mkfifo(fifo)
    ended = of.run(*LIVE, *QUIET, "--json", fifo, "--duration", "4", within_s=40)
    said["a FIFO nobody reads"] = ended.status is not None and ended.took_s < 20
    clips = of.folder / "twice"
    program = of.start((*LIVE, *QUIET, "--record", clips))
    limit = time.monotonic() + 60
    while time.monotonic() < limit and sum(p.stat().st_size for p in clips.glob(".*.part")) < 40_000:
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    program.communicate()
    said["second Ctrl-C"] = not list(clips.glob(".*.mp4.part")) and len(list(clips.glob("*.mp4"))) == 1
    return all(said.values()), f"failed: {[name for name, held in said.items() if not held]}"


def finding_13(of: Checkout) -> tuple[bool, str]:
    """Nothing pins what is installed."""
    locks = list((of.root / "constraints").rglob("*aarch64*.txt"))
    hashed = [path.name for path in locks if "--hash=sha256:" in path.read_text()]
    sbom = (of.root / "scripts" / "sbom.py").exists()
    return bool(hashed) and sbom, f"locks with hashes: {len(hashed)}; an SBOM is built: {sbom}"


def finding_14(of: Checkout) -> tuple[bool, str]:
    """A power command that somebody else may change is run."""
    script, proof = of.folder / "watts", of.folder / "was-run"
    script.write_text(f"#!/bin/sh\ntouch {proof}\necho 5 W\n")
    script.chmod(0o777)
    ended = of.run(*LIVE, *QUIET, "--power-command", script, "--duration", "3")
    return not proof.exists(), f"run: {proof.exists()}; {ended}"
