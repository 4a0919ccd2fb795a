# ruff: noqa: E501
"""The timeline over a big library: 20,000 events and 5,000 clips, in Chromium."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from web_run import running


def library(args: argparse.Namespace) -> None:
    """Open and scroll the timeline in Chromium."""
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
