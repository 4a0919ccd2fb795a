"""How long one inference takes on this board, run one way: what tuning compares."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np

from edgecam.core.ports import PowerMeter
from edgecam.host.cpu import on_cpu
from edgecam.inference.models.store import load_card
from edgecam.inference.runtime.session import Session, open_session

#: One way of running a model runs at least so often, and at most so long.
LEAST_RUNS, MOST_S = 4, 0.25


class Measurement(msgspec.Struct, frozen=True):
    """One way to run a model: wall and CPU milliseconds of an inference (lower quartile and mean).

    mj: millijoules that the board takes per inference, where a meter measures them.
    """

    file: str
    precision: str
    threads: int
    provider: str
    ms: float
    cpu_ms: float
    mj: float | None = None

    def steadier(self, again: Measurement) -> Measurement:
        """Of two measurements of one way the lesser figures: other work on the board only ever adds."""
        mj = again.mj if self.mj is None else self.mj if again.mj is None else min(self.mj, again.mj)
        return msgspec.structs.replace(
            self, ms=min(self.ms, again.ms), cpu_ms=min(self.cpu_ms, again.cpu_ms), mj=mj
        )


def measure(path: Path, threads: int, provider: str, meter: PowerMeter | None = None) -> Measurement | None:
    """Run the model on noise; None if the provider does not start. Takes about half a second.

    meter: an estimate of its is not taken for a measurement.
    """
    card = load_card(path)
    quantized = card.precision == "int8"
    session = open_session(path, threads, [provider], quantized=quantized)
    if session.provider != provider:
        return None
    _feed_noise(session, card.resolution)
    with on_cpu(session.caller_cpu):
        times, cpu_ms, mj = _time(session, meter)
    # The lower quartile: other work on the board only ever makes a run slower.
    ms = float(np.quantile(times, 0.25)) * 1e3
    return Measurement(path.name, card.precision, threads, provider, round(ms, 3), round(cpu_ms, 3), mj)


def _feed_noise(session: Session, resolution: tuple[int, int]) -> None:
    spec = session.inputs[0]
    width, height = resolution
    fallback = {1: height, 2: width} if spec.shape[-1] == 3 else {2: height, 3: width}
    shape = [size or fallback.get(axis, 1) for axis, size in enumerate(spec.shape)]
    noise = np.random.default_rng(0).integers(0, 256, shape)
    session.bind(np.ascontiguousarray(noise.astype(spec.dtype)))
    session.run()  # the first run allocates
    session.run()


def _time(session: Session, meter: PowerMeter | None) -> tuple[list[float], float, float | None]:
    """(seconds of each run, CPU milliseconds per run, millijoules per run)."""
    times: list[float] = []
    if meter is not None:
        meter.read()  # counters give the mean since the last reading, the others what is drawn at the moment
    cpu = time.process_time()
    started = time.perf_counter()
    while len(times) < LEAST_RUNS or time.perf_counter() - started < MOST_S:
        before = time.perf_counter()
        session.run()
        times.append(time.perf_counter() - before)
    seconds = time.perf_counter() - started
    cpu_ms = (time.process_time() - cpu) / len(times) * 1e3
    power = meter.read() if meter is not None else None
    if power is None or power.kind != "measured":
        return times, cpu_ms, None
    return times, cpu_ms, power.power_w * seconds / len(times) * 1e3
