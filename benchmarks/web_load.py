"""Memory of the page, idle and with viewers; and how much of it a hostile network can use up."""

from __future__ import annotations

import argparse
import contextlib
import random
import socket
import statistics
import time

from web_run import SOURCE, Run, Viewers, running


def memory(args: argparse.Namespace) -> None:
    """Resident and anonymous memory: the median of a run's samples, then of rounds of alternating runs."""
    arguments = ("--source", SOURCE, "--classifier", "off", "--threads", "1")
    found: dict[str, list[tuple[float, float]]] = {}

    def settled(name: str, run: Run) -> None:
        time.sleep(args.seconds)
        looks = []
        for _ in range(8):
            looks.append((run.rss_mb(), run.rss_mb("Anonymous")))
            time.sleep(0.5)
        resident, own = map(statistics.median, zip(*looks, strict=True))
        found.setdefault(name, []).append((resident, own))

    for _ in range(args.rounds):
        with running(*arguments, web=False) as run:
            time.sleep(5)
            settled("without the page", run)
        with running(*arguments) as run:
            settled("idle", run)
            for count in (1, 4):
                looking = Viewers(run, count)
                settled(f"{count} looking", run)
                looking.close()
    base = [statistics.median(values) for values in zip(*found["without the page"], strict=True)]
    for name, rows in found.items():
        resident, own = (statistics.median(values) for values in zip(*rows, strict=True))
        each = ", ".join(f"{row[0]:.1f}" for row in rows)
        print(f"{name:<17} resident {resident:.1f} MB ({resident - base[0]:+.1f}; {each}),"
              f" of which its own {own:.1f} ({own - base[1]:+.1f})")  # fmt: skip


def attack(_: argparse.Namespace) -> None:
    """Attack the page from the network; afterwards it must answer, and memory must be as before."""
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
