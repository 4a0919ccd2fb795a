"""Rate and age of detection and of a good viewer, while other viewers stall or have a slow link."""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from web_run import Run, Viewers, results, running, share_of
from websockets.sync.client import connect


class SlowLink:
    """Forwards a connection; limits the bytes per second towards the client, and has small buffers."""

    def __init__(self, port: int, bytes_per_s: int) -> None:
        self._to, self._rate = port, bytes_per_s
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inside, _ = self._server.accept()
                outside = socket.socket()
                outside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
                outside.connect(("127.0.0.1", self._to))
                for a, b, rate in ((inside, outside, None), (outside, inside, self._rate)):
                    self._threads.append(threading.Thread(target=self._pass, args=(a, b, rate)))
                    self._threads[-1].start()

    def _pass(self, a: socket.socket, b: socket.socket, rate: int | None) -> None:
        with contextlib.suppress(OSError):
            while not self._over.is_set() and (
                data := a.recv(4096 if rate is None else max(256, rate // 20))
            ):
                b.sendall(data)
                if rate is not None:
                    time.sleep(len(data) / rate)
        for link in (a, b):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def close(self) -> None:
        """Close all its connections."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@contextlib.contextmanager
def _stalled(run: Run, _: argparse.Namespace) -> Iterator[None]:
    """A viewer that connects and never reads."""
    with connect(
        f"ws://127.0.0.1:{run.port}/api/synthetic/live", max_size=None, max_queue=1, compression=None
    ) as link:
        link.recv(timeout=20)
        yield
        link.socket.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _slow(run: Run, args: argparse.Namespace) -> Iterator[None]:
    """A viewer that reads everything, over a link with a fraction of the bandwidth that the pictures need."""
    proxy = SlowLink(run.port, args.link)
    seen = [0]
    with connect(f"ws://127.0.0.1:{proxy.port}/api/synthetic/live", max_size=None, compression=None) as link:

        def read() -> None:
            with contextlib.suppress(Exception):
                for number, _ in enumerate(link):
                    seen[0] += 1
                    if number % 5 == 0:
                        link.send('{"seen": 1}')

        thread = threading.Thread(target=read)
        thread.start()
        yield
        proxy.close()
    thread.join(20)
    args.slow_frames.append(seen[0])


@contextlib.contextmanager
def _nobody_else(_run: Run, _args: argparse.Namespace) -> Iterator[None]:
    yield


Beside = Callable[[Run, argparse.Namespace], Any]
#: The number of good viewers, and the other viewer beside them.
CONDITIONS: dict[str, tuple[int, Beside]] = {
    "nobody": (0, _nobody_else),
    "one": (1, _nobody_else),
    "one, and one stalled": (1, _stalled),
    "one, and one on a slow link": (1, _slow),
    "four": (4, _nobody_else),
}


def beside(args: argparse.Namespace) -> None:
    """Run the conditions in turns, in a different order each round."""
    args.slow_frames = []
    source = f"synthetic:?live=1&size=1280x720&rate={args.rate:g}"
    chosen = [name for name in CONDITIONS if name in args.only.split(";")] if args.only else [*CONDITIONS]
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in chosen}
    options = ("--source", source, "--detector", args.detector, "--classifier", "off", "--threads", "1")
    with running(*options) as run:
        for number in range(args.rounds):
            names = chosen[number % len(chosen) :] + chosen[: number % len(chosen)]
            for name in names:
                count, others = CONDITIONS[name]
                looking = Viewers(run, count)
                with others(run, args):
                    time.sleep(3.0)
                    looking.ages.clear()
                    before, at, cpu = results(run), time.monotonic(), run.cpu_s()
                    frames, keys, size = looking.frames, looking.keys, looking.bytes
                    time.sleep(args.seconds)
                    took = time.monotonic() - at
                    rates = run.ask("/api/stats")["cameras"][0]["rates"]
                    ages = sorted(looking.ages) or [0.0]
                    found[name].append(
                        (
                            (results(run) - before) / took,
                            rates["frame_age"]["p50_ms"],
                            (looking.frames - frames) / took / max(1, count),
                            share_of(ages, 0.5),
                            run.rss_mb(),
                            (looking.keys - keys) / took / max(1, count),
                            (looking.bytes - size) / took / max(1, count) / 1e3,
                            (run.cpu_s() - cpu) / took * 100,
                        )
                    )
                looking.close()
    base = None
    for name, rows in found.items():
        rate, age, shown, glass, memory, keys, size, cpu = map(statistics.median, zip(*rows, strict=True))
        base = base or (rate, age)
        print(
            f"{name:<28} detection {rate:.2f}/s ({rate / base[0] - 1:+.1%}), its age p50 {age:.1f} ms"
            f" ({age / base[1] - 1:+.1%}); CPU {cpu:.0f} %; a viewer gets {shown:.1f}/s, {keys:.2f} key,"
            f" {size:.0f} kB/s, {glass:.0f} ms old; {memory:.1f} MB"
        )
    if args.slow_frames:
        print(f"over the slow link came {statistics.median(args.slow_frames):.0f} pictures a turn")
