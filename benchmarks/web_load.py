"""What the page needs: memory idle and with viewers; and what an impolite network can take from it."""

from __future__ import annotations

import argparse
import contextlib
import random
import socket
import statistics
import time

from web_run import SOURCE, Run, Viewers, running


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
