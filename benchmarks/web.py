# ruff: noqa: E501
"""The page under load: viewers' cost, a picture's age in the browser, memory, a big library, an attack.

    python benchmarks/web.py viewers        CPU of the whole program with one viewer and with four
    python benchmarks/web.py glass          glass to browser, by the number in the frame, read from the canvas
    python benchmarks/web.py comings        500 viewers come and go
    python benchmarks/web.py memory         with the page idle, and with four viewers
    python benchmarks/web.py library        20,000 events and 5,000 clips in Chromium
    python benchmarks/web.py attack         1,000 connections, slow heads and bodies, big ones; memory

Each starts edgecam itself. Chromium is Debian's, through Playwright. Ratios are of runs that take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "web"))

SOURCE = "synthetic:?live=1&size=1280x720&rate=25"


class Run:
    """edgecam in a process of its own."""

    def __init__(self, *arguments: str, web: bool = True, folder: Path | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._state = tempfile.TemporaryDirectory()
        env = {**os.environ, "EDGECAM_TUNE": "off", "XDG_STATE_HOME": self._state.name}
        command = [sys.executable, "-m", "edgecam", "--display", "none", "--reconnect", "off", *arguments]
        command += ["--web", str(self.port)] if web else []
        self.process = subprocess.Popen(
            command, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self.origin = f"http://127.0.0.1:{self.port}"
        deadline = time.monotonic() + 90
        while web:
            with contextlib.suppress(OSError):
                if self.ask("/api/stats")["rates"]["capture_fps"] > 0:
                    break
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.2)
        del folder

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(self.origin + path, timeout=20) as answer:
            return json.loads(answer.read())

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Proportional: shared libraries count once."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return float(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))) / 1024

    def view(self, query: str = "") -> Any:
        return connect(
            f"ws://127.0.0.1:{self.port}/api/synthetic/live{query}", max_size=None, compression=None
        )

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self._state.cleanup()


@contextlib.contextmanager
def running(*arguments: str, **more: Any) -> Iterator[Run]:
    run = Run(*arguments, **more)
    try:
        yield run
    finally:
        run.close()


class Viewers:
    """So many, each reading all it gets."""

    def __init__(self, run: Run, count: int, query: str = "") -> None:
        self.links = [run.view(query) for _ in range(count)]
        self.frames = 0
        self._threads = [threading.Thread(target=self._read, args=(link,)) for link in self.links]
        for thread in self._threads:
            thread.start()

    def _read(self, link: Any) -> None:
        with contextlib.suppress(Exception):
            for number, _ in enumerate(link):
                self.frames += 1
                if number % 5 == 0:
                    link.send('{"seen": 1}')

    def close(self) -> None:
        for link in self.links:
            link.close()
        for thread in self._threads:
            thread.join(10)


def results(run: Run) -> int:
    """So far."""
    return int(run.ask("/api/stats")["cameras"][0]["inferred"])


def viewers(args: argparse.Namespace) -> None:
    """Turns of none, one and four; CPU milliseconds of the whole process per result."""
    counts: dict[int, list[float]] = {0: [], 1: [], 4: []}
    rates: dict[int, list[float]] = {0: [], 1: [], 4: []}
    with running("--source", SOURCE, "--classifier", "off", "--threads", "1") as run:
        for _ in range(args.rounds):
            for count in counts:
                looking = Viewers(run, count)
                time.sleep(2.5)
                before, frames, at = run.cpu_s(), results(run), time.monotonic()
                while results(run) - frames < 3 or time.monotonic() - at < args.seconds:
                    time.sleep(0.5)
                counts[count].append((run.cpu_s() - before) * 1e3 / (results(run) - frames))
                stats = run.ask("/api/stats")
                rates[count].append(stats["rates"]["inference_fps"])
                looking.close()
    cpu = {count: statistics.median(values) for count, values in counts.items()}
    for count, value in cpu.items():
        print(
            f"{count} viewers: {value:.2f} CPU ms a result, detection {statistics.median(rates[count]):.1f}/s"
        )
    print(f"four to one: {cpu[4] / cpu[1]:.3f}; without a viewer to one: {cpu[1] / cpu[0]:.3f}")


def glass(args: argparse.Namespace) -> None:
    """Capture to canvas, on the board's clock, and that each picture is the frame its header names."""
    from browser import READ_CODE, chromium_browser

    source = f"synthetic:?live=1&size=1280x720&rate={args.rate}"
    with running("--source", source, "--detector", args.detector, "--classifier", "off") as run:
        with chromium_browser("/usr/bin/chromium") as browser:
            page = browser.new_page(viewport={"width": 1100, "height": 800})
            page.goto(f"{run.origin}/?decoder={args.decoder}")
            page.evaluate(f"() => {{ {READ_CODE} }}")
            page.wait_for_timeout(6000)
            found = page.evaluate(
                """async (count) => {
                  const player = document.querySelector('.picture canvas').player, before = player.onFrame;
                  const rows = [];
                  await new Promise((done) => { player.onFrame = (h) => {
                    const age = player.ages[player.ages.length - 1]; before(h);
                    rows.push([age, h.index, readCode(player.canvas), h.frame_age_ms]);
                    if (rows.length === count) { player.onFrame = before; done(); }
                  }; });
                  return rows;
                }""",
                args.frames,
            )
    ages = sorted(row[0] for row in found)
    results = sorted(row[3] for row in found)
    wrong = sum(row[1] != row[2] for row in found)
    print(f"{args.decoder}, detector {args.detector}, {len(found)} frames: glass to browser p50 {_at(ages, 0.5):.0f} ms,"
          f" p95 {_at(ages, 0.95):.0f} ms; of it capture to result p50 {_at(results, 0.5):.0f}, p95 {_at(results, 0.95):.0f};"
          f" on another frame: {wrong}")  # fmt: skip


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def comings(args: argparse.Namespace) -> None:
    """Memory, threads and descriptors before and after; the first fifth warms the allocator up."""
    with running("--source", SOURCE, "--detector", "off", "--classifier", "off") as run:
        proc = Path(f"/proc/{run.process.pid}")

        def state() -> tuple[float, int, int]:
            return run.rss_mb(), len(list((proc / "task").iterdir())), len(list((proc / "fd").iterdir()))

        for number in range(args.count):
            with run.view() as link:
                link.recv(timeout=20)
            if number == args.count // 5:
                warm = state()
        time.sleep(4)
        print(f"after {args.count // 5}: {warm[0]:.1f} MB, {warm[1]} threads, {warm[2]} descriptors")
        end = state()
        print(f"after {args.count}: {end[0]:.1f} MB, {end[1]} threads, {end[2]} descriptors")


def memory(args: argparse.Namespace) -> None:
    """Proportional set size, median of looks."""
    arguments = ("--source", SOURCE, "--classifier", "off", "--threads", "1")

    def settled(run: Run) -> float:
        time.sleep(args.seconds)
        looks = []
        for _ in range(8):
            looks.append(run.rss_mb())
            time.sleep(0.5)
        return statistics.median(looks)

    with running(*arguments, web=False) as run:
        time.sleep(5)
        without = settled(run)
    with running(*arguments) as run:
        idle = settled(run)
        looking = Viewers(run, 4)
        four = settled(run)
        looking.close()
    print(f"without the page {without:.1f} MB, idle {idle:.1f} (+{idle - without:.1f}),"
          f" four viewers {four:.1f} (+{four - without:.1f})")  # fmt: skip


def library(args: argparse.Namespace) -> None:
    """Opening and scrolling the timeline, in Chromium."""
    from browser import chromium_browser

    from edgecam.core.events import Event, event_id
    from edgecam.record.library.catalogue import COLUMNS
    from edgecam.record.library.events import EventStore
    from edgecam.record.library.index import Library
    from edgecam.record.library.journal import FOLDER

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clips"
        (folder / FOLDER).mkdir(parents=True)
        now, chance = time.time(), random.Random(1)
        days: dict[str, list[str]] = {}
        for number in range(args.events):
            at = round(now - number * 30.0, 3)
            event = Event(id=event_id(at, number), type="end", kind="object", camera="synthetic:", time=at,
                          label=chance.choice(("person", "car", "dog", "cat")), start_time=at, end_time=at + 5,
                          score=0.7, top_score=0.9, track_id=number, rule="any")  # fmt: skip
            days.setdefault(time.strftime("%Y-%m-%d", time.gmtime(at)), []).append(event.to_json())
        for day, lines in days.items():
            (folder / FOLDER / f"{day}.jsonl").write_text("\n".join(reversed(lines)) + "\n")
        begun = time.monotonic()
        with EventStore(folder):
            print(f"index of {args.events} events made in {time.monotonic() - begun:.1f} s")
        with Library(folder) as clips:
            marks = ", ".join("?" for _ in COLUMNS)
            for number in range(args.clips):
                row: dict[str, Any] = dict.fromkeys(COLUMNS)
                row |= {
                    "name": f"clip-{number:05d}.mp4",
                    "files": json.dumps({"annotated": f"clip-{number:05d}.mp4"}),
                }
                row |= {
                    "camera": "synthetic",
                    "started": now - number * 120,
                    "duration_s": 30.0,
                    "frames": 450,
                }
                row |= {
                    "missed": 0,
                    "boot": "",
                    "bytes": 1 << 20,
                    "width": 1280,
                    "height": 720,
                    "causes": '["person"]',
                }
                row |= {"labels": '["person"]', "ended": "", "protected": 0, "recovered": 0, "events": "[]"}
                clips._db.execute(
                    f"INSERT INTO clips ({', '.join(COLUMNS)}) VALUES ({marks})", [row[c] for c in COLUMNS]
                )
        arguments = (
            "--source",
            "synthetic:?live=1&size=640x360&rate=5",
            "--detector",
            "off",
            "--classifier",
            "off",
        )
        with running(*arguments, "--record", str(folder), "--record-on", "api") as run:
            for path in ("events?limit=100", "clips?limit=100", "event-hours", "clip-hours"):
                times = []
                for _ in range(9):
                    begun = time.monotonic()
                    run.ask(f"/api/{path}")
                    times.append((time.monotonic() - begun) * 1e3)
                print(f"/api/{path}: {statistics.median(times):.0f} ms")
            with chromium_browser("/usr/bin/chromium") as browser:
                page = browser.new_page(viewport={"width": 390, "height": 844})
                page.goto(f"{run.origin}/#/system")
                page.wait_for_timeout(3000)
                opened = page.evaluate(
                    """async () => { const begun = performance.now(); location.hash = '#/events';
                      await new Promise((done) => { const look = () => document.querySelectorAll('.event').length > 4
                        ? requestAnimationFrame(() => done()) : requestAnimationFrame(look); look(); });
                      return performance.now() - begun; }"""
                )
                print(f"the timeline opens in {opened:.0f} ms")
                page.wait_for_timeout(1500)
                scrolled = page.evaluate(
                    """async (seconds) => { const times = []; let last = performance.now(), begun = last;
                      await new Promise((done) => { const step = (now) => { times.push(now - last); last = now;
                        scrollBy(0, 40);
                        now - begun < seconds * 1000 ? requestAnimationFrame(step) : done(); };
                        requestAnimationFrame(step); });
                      times.sort((a, b) => a - b);
                      return [times.length / seconds, times[Math.floor(times.length * 0.95)],
                              document.querySelectorAll('.event').length]; }""",
                    6,
                )
                print(f"scrolling: {scrolled[0]:.0f} frames/s, 95 % within {scrolled[1]:.0f} ms,"
                      f" {scrolled[2]} rows in the page")  # fmt: skip


def attack(_: argparse.Namespace) -> None:
    """What an impolite network does; afterwards the page answers, and memory is what it was."""
    with running("--source", SOURCE, "--detector", "off", "--classifier", "off") as run:
        time.sleep(5)
        before = run.rss_mb()
        links = []
        for _ in range(1000):
            with contextlib.suppress(OSError):
                link = socket.create_connection(("127.0.0.1", run.port), timeout=2)
                link.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
                links.append(link)
        begun = time.monotonic()
        peak = run.rss_mb()
        while True:
            with contextlib.suppress(OSError):
                run.ask("/api/me")
                break
            assert time.monotonic() - begun < 60
            time.sleep(0.5)
        print(f"1,000 connections with half a head: answers again after {time.monotonic() - begun:.1f} s")
        for link in links:
            link.close()
        big = b"PUT /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        for body in (
            b"Content-Length: 999999999999\r\n\r\n" + b"x" * 100_000,
            b"Transfer-Encoding: chunked\r\n\r\n",
        ):
            for _ in range(20):
                with (
                    contextlib.suppress(OSError),
                    socket.create_connection(("127.0.0.1", run.port), timeout=5) as link,
                ):
                    link.sendall(big + body)
                    for _ in range(400 if b"chunked" in body else 0):
                        link.sendall(b"10000\r\n" + b"y" * 65536 + b"\r\n")
        rng = random.Random(2)
        for _ in range(300):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", run.port), timeout=5) as link,
            ):
                link.sendall(rng.randbytes(rng.randrange(1, 4000)))
        peak = max(peak, run.rss_mb())
        run.ask("/api/stats")
        time.sleep(3)
        after = run.rss_mb()
        print(f"memory {before:.1f} MB before, at most {peak:.1f} (+{peak - before:.1f}), {after:.1f} after")
        assert run.process.poll() is None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("viewers")
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--seconds", type=float, default=6.0)
    one = verbs.add_parser("glass")
    one.add_argument("--decoder", default="webcodecs", choices=("webcodecs", "mse", "jpeg"))
    one.add_argument("--detector", default="off")
    one.add_argument("--frames", type=int, default=300)
    one.add_argument("--rate", type=float, default=25)
    verbs.add_parser("comings").add_argument("--count", type=int, default=500)
    verbs.add_parser("memory").add_argument("--seconds", type=float, default=8.0)
    one = verbs.add_parser("library")
    one.add_argument("--events", type=int, default=20_000)
    one.add_argument("--clips", type=int, default=5_000)
    verbs.add_parser("attack")
    args = parser.parse_args()
    globals()[args.verb](args)


if __name__ == "__main__":
    main()
