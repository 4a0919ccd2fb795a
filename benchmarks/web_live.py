# ruff: noqa: E501
"""Live pictures: the cost of viewers, the age of a picture in the browser, changing viewers, slow links."""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from web_run import SOURCE, Viewers, results, running, share_of


def viewers(args: argparse.Namespace) -> None:
    """Run none, one and four in turns; CPU milliseconds of the whole process per result."""
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
    """Age from capture to canvas, by the board's clock; checks that each picture is its header's frame."""
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
    print(f"{args.decoder}, detector {args.detector}, {len(found)} frames: glass to browser p50 {share_of(ages, 0.5):.0f} ms,"
          f" p95 {share_of(ages, 0.95):.0f} ms; of it capture to result p50 {share_of(results, 0.5):.0f}, p95 {share_of(results, 0.95):.0f};"
          f" on another frame: {wrong}")  # fmt: skip


def comings(args: argparse.Namespace) -> None:
    """Memory, threads and descriptors before and after; the first fifth warms up the allocator."""
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
