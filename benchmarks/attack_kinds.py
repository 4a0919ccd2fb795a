"""The kinds of attack of attack.py; each runs in a process of its own."""

from __future__ import annotations

import contextlib
import random
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("capture", "record", "fuzz")]
DEADLINE_S, LATE_S, LOST_SHARE = 1.0, 1.0, 0.01


class Report:
    """The counts of one kind's process. findings: the violations."""

    def __init__(self) -> None:
        self.cases = self.frames = self.refused = 0
        self.longest_s = 0.0
        self.findings: list[str] = []
        self.more: dict[str, float] = {}

    def finding(self, what: str) -> None:
        if len(self.findings) < 20:
            self.findings.append(what)


def mutate(rng: random.Random, data: bytes) -> bytes:
    """A few bytes changed (in the header more often than not), a piece cut, repeated, zeroed or shifted."""
    out = bytearray(data)
    kind = rng.random()
    if kind < 0.15:
        del out[rng.randrange(len(out)) :]
    elif kind < 0.3 and len(out) > 8:
        at = rng.randrange(len(out))
        size = rng.randrange(1, max(2, len(out) // 8))
        piece = bytes(out[at : at + size])
        out[at : at + size] = rng.choice((b"", bytes(size), piece * 2, rng.randbytes(size)))
    for _ in range(rng.choice((0, 1, 1, 3, 10, 60)) if out else 0):
        at = rng.randrange(len(out)) if rng.random() < 0.4 else rng.randrange(min(len(out), 700))
        out[at] = rng.choice((out[at] ^ 1 << rng.randrange(8), 0, 255, rng.randrange(256)))
    return bytes(out)


def watch_source(report: Report, uri: str, most: int = 200, **options: Any) -> None:
    """Open a source, read it to the end and close it; time every read."""
    from edgecam.capture import SourceOptions, open_source
    from edgecam.core.errors import CaptureError, EndOfStream, SourceOpenError

    report.cases += 1
    try:
        with open_source(uri, SourceOptions(reconnect="off", **options)) as source:
            for _ in range(most):
                began = time.monotonic()
                try:
                    report.frames += source.read(DEADLINE_S) is not None
                finally:
                    took = time.monotonic() - began
                    report.longest_s = max(report.longest_s, took)
                    if took > DEADLINE_S + LATE_S:
                        report.finding(f"a read took {took:.1f} s: {uri}")
    except (EndOfStream, CaptureError):
        pass
    except SourceOpenError:
        report.refused += 1
    except BaseException as error:
        report.finding(f"{type(error).__name__}: {error}: {uri}")


def videos(report: Report, count: int, rng: random.Random, folder: Path) -> None:
    from capture_material import write_video

    times = [n * 33 for n in range(12)]
    seeds = [
        (s, write_video(folder / f"seed{s}", times).read_bytes()) for s in (".mp4", ".mkv", ".avi", ".ts")
    ]
    for n in range(count):
        suffix, whole = seeds[n % len(seeds)]
        path = folder / f"case{suffix}"
        path.write_bytes(mutate(rng, whole))
        watch_source(report, str(path))


def pictures(report: Report, count: int, rng: random.Random, folder: Path) -> None:
    import cv2
    from capture_material import pictures as drawn

    (image,) = drawn(1)
    suffixes = (".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm")
    seeds = [cv2.imencode(suffix, image)[1].tobytes() for suffix in suffixes]
    path = folder / "case.jpg"
    for n in range(count):
        path.write_bytes(mutate(rng, seeds[n % len(seeds)]))
        watch_source(report, str(path))


def folders(report: Report, count: int, rng: random.Random, folder: Path) -> None:
    """Damage sidecars, comments and indexes; read them as a recording's start and ``clips list`` do."""
    from recording_kit import NS, recording, result

    from edgecam.record.library.index import INDEX_NAME, Library

    with recording(folder / "seed", camera="yard") as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // 15, labels=["person"]))
    good = {path.name: path.read_bytes() for path in (folder / "seed").iterdir() if path.is_file()}
    for n in range(count):
        report.cases += 1
        place = folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        victim = [INDEX_NAME, ".jsonl", ".mp4"][n % 3]
        for name, data in good.items():
            if victim != INDEX_NAME and name.startswith(INDEX_NAME):
                continue
            (place / name).write_bytes(mutate(rng, data) if name.endswith(victim) else data)
        began = time.monotonic()
        try:
            with Library(place) as library:
                for clip in library.clips():
                    clip.to_dict()
                    report.frames += clip.frames or 0
                    library.protect(clip, False)
        except BaseException as error:
            report.finding(f"{type(error).__name__}: {error}")
        report.longest_s = max(report.longest_s, time.monotonic() - began)


def servers(report: Report, count: int, rng: random.Random, _folder: Path) -> None:
    """Run hostile servers, four at a time, while a healthy camera is watched."""
    from capture_material import http_camera
    from corpus import HARNESSES
    from hostile import hostile_server

    from edgecam.capture import SourceOptions, open_source

    talk = [*HARNESSES["rtsp_replies"].seeds, *HARNESSES["rtp"].seeds]
    described = b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (
        len(HARNESSES["sdp"].seeds[0]),
        HARNESSES["sdp"].seeds[0],
    )
    setup = b"RTSP/1.0 200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
    web = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
    parts = [seed.partition(b"\n")[2] for seed in HARNESSES["multipart"].seeds]
    lock = threading.Lock()

    def serve(peer: Any) -> None:
        with lock:
            own = random.Random(rng.random())
        peer.settimeout(3)
        answers = [b"RTSP/1.0 200 OK\r\n\r\n", described, setup, b"RTSP/1.0 200 OK\r\n\r\n"]
        spoilt = own.randrange(5)
        with contextlib.suppress(OSError):
            for n in range(12):
                asked = peer.recv(65536)
                if not asked:
                    return
                if asked.startswith(b"GET"):
                    peer.sendall(mutate(own, web) if own.random() < 0.3 else web)
                    for _ in range(own.randrange(1, 60)):
                        peer.sendall(mutate(own, own.choice(parts)) if own.random() < 0.7 else b"a" * 70_000)
                    return
                answer = answers[n] if n < len(answers) else own.choice(talk)
                peer.sendall(mutate(own, answer) if n >= spoilt else answer)
                if n >= 3 or own.random() < 0.1:
                    for _ in range(own.randrange(200)):
                        peer.sendall(b"$\0" + mutate(own, b"\3\0" + own.choice(talk)))

    seen, indices, done = [0], [0, 0], threading.Event()
    with http_camera(rate_hz=20.0) as camera:
        with open_source(f"http://127.0.0.1:{camera.port}/", SourceOptions(reconnect="off")) as healthy:

            def watch() -> None:
                while not done.is_set():
                    frame = healthy.read(1.0)
                    if frame is not None:
                        seen[0] += 1
                        indices[1] = frame.index
                        indices[0] = indices[0] or frame.index

            watcher = threading.Thread(target=watch)
            watcher.start()
            with hostile_server(serve) as port:

                def visit(first: int) -> None:
                    for n in range(first, count, 4):
                        scheme = "rtsp" if n % 2 else "http"
                        own = Report()
                        watch_source(own, f"{scheme}://me:pw@127.0.0.1:{port}/{n}", 10, read_timeout_s=1.0)
                        with lock:
                            report.cases += 1
                            report.frames += own.frames
                            report.refused += own.refused
                            report.longest_s = max(report.longest_s, own.longest_s)
                            report.findings += own.findings

                visitors = [threading.Thread(target=visit, args=(first,)) for first in range(4)]
                for visitor in visitors:
                    visitor.start()
                for visitor in visitors:
                    visitor.join()
            done.set()
            watcher.join()
    sent = max(1, indices[1] - indices[0] + 1)
    lost = 1 - (seen[0] - 1) / sent if seen[0] else 1.0
    report.more = {"healthy_frames": seen[0], "healthy_lost_share": round(max(0.0, lost), 4)}
    if lost > LOST_SHARE:
        report.finding(f"the healthy camera lost {lost:.1%} of {sent} frames")


def kills(report: Report, count: int, rng: random.Random, folder: Path) -> None:
    """Kill the real program with SIGKILL; every fourth leftover is damaged before it is recovered."""
    from edgecam.record import self_test
    from edgecam.record.clip_files import PART, final_path
    from edgecam.record.library.remux import count_decoded
    from edgecam.record.library.repair import recover

    self_test.LONGEST_S = 3.0
    for n in range(count):
        report.cases += 1
        place = folder / str(n)
        place.mkdir()
        command = self_test.program(place, self_test.MODES[n % len(self_test.MODES)], "640x360", 30.0)
        self_test._record_and_kill(command, place, rng)
        parts = [p for p in place.glob(f".*{PART}") if final_path(p).suffix in (".mp4", ".mkv")]
        for part in parts if n % 4 == 3 else ():
            data = bytearray(part.read_bytes())
            for _ in range(rng.choice((1, 5, 20))):
                data[rng.randrange(min(1500, len(data) - 1), len(data))] ^= 1 << rng.randrange(8)
            part.write_bytes(data)
        before = sum(count_decoded(part, final_path(part).suffix) for part in parts)
        after = sum(count_decoded(path, path.suffix) for path in recover(place))
        report.frames += after
        if after < before:
            report.finding(f"run {n}: {before} frames decoded before recovery, {after} after")
        shutil.rmtree(place)


KINDS: dict[str, Callable[[Report, int, random.Random, Path], None]] = {
    "videos": videos,
    "pictures": pictures,
    "folders": folders,
    "servers": servers,
    "kills": kills,
}
