"""Measures, in a few seconds at first start, how a model runs best on this very board, and remembers it.

What is tried: the fp32 and the int8 file, one to four threads, and the providers this ONNX Runtime has. int8
is not always faster (armnn issue 511; hard-swish and squeeze-and-excite eat what it saves) and SSD stops
scaling at two or three threads on a Pi 4, so nothing but measuring tells. TensorRT is left out unless asked
for by name: building its engine takes minutes.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import onnxruntime as ort

import edgecam
from edgecam.errors import ModelError
from edgecam.inference.card import Task
from edgecam.inference.host import cache_folder, cpu_count
from edgecam.inference.providers import available_providers, choose_providers
from edgecam.inference.session import default_threads, open_session
from edgecam.inference.store import check_weights, find_model, is_exact, load_card, variants

log = logging.getLogger(__name__)

Mode = Literal["auto", "off", "again"]
Purpose = Literal["rate", "watts"]

#: Beyond four threads no small model gains (published Pi and Jetson figures stop there as well).
MOST_THREADS = 4
#: A candidate runs at least so often, and at most so long.
LEAST_RUNS, MOST_S = 4, 0.35
#: Fewer threads, and fp32, are preferred if they are at most so much slower: capture and painting need CPU
#: too, and int8 costs a little accuracy.
TOLERANCE = 1.08
#: Of the cache; rises, too, when sessions run differently, so that everything is measured again.
_FORMAT = 2


class Measurement(msgspec.Struct, frozen=True):
    """One candidate: wall and CPU milliseconds of an inference (lower quartile and mean)."""

    file: str
    precision: str
    threads: int
    provider: str
    ms: float
    cpu_ms: float
    mj: float | None = None


class _Record(msgspec.Struct, frozen=True):
    best: Measurement
    tried: tuple[Measurement, ...]


class _Cache(msgspec.Struct):
    v: int = _FORMAT
    records: dict[str, _Record] = {}


@dataclass(frozen=True, slots=True)
class Tuning:
    """How to run a model here. ``explanation`` is one line for people; ``tried`` all that was measured."""

    path: Path
    threads: int
    providers: tuple[str, ...]
    explanation: str
    tried: tuple[Measurement, ...] = ()


def board_name() -> str:
    """What a figure holds for: the board's or CPU's name, and the number of CPUs this process may use."""
    name = ""
    with suppress(OSError):
        name = Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\x00 \n")
    if not name:
        with suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
                if line.startswith("model name"):
                    name = line.split(":", 1)[1].strip()
                    break
    return f"{name or platform.machine()} x{cpu_count()}"


def _cache_file() -> Path:
    return cache_folder() / "tuning.json"


def _load() -> _Cache:
    try:
        cache = msgspec.json.decode(_cache_file().read_bytes(), type=_Cache)
    except (OSError, msgspec.MsgspecError):
        return _Cache()  # none yet, or not ours: it is made anew
    return cache if cache.v == _FORMAT else _Cache()


def _store(key: str, record: _Record) -> None:
    cache = _load()
    cache.records[key] = record
    file = _cache_file()
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.format(msgspec.json.encode(cache)))
        part.replace(file)
    except OSError as error:
        log.warning(
            "tuning cannot be remembered in %s (%s): it is measured at each start", file, error.strerror
        )


def _key(paths: Sequence[Path], purpose: Purpose, threads: int | None, provider: str | None) -> str:
    files = [f"{path.resolve()}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in paths]
    return " | ".join(
        [
            *files,
            board_name(),
            f"onnxruntime {ort.__version__}",
            f"edgecam {edgecam.__version__}",
            purpose,
            f"threads {threads or 'any'}",
            f"provider {provider or 'any'}",
        ]
    )


def measure(
    path: Path, threads: int, provider: str, joules: Callable[[], float | None] | None = None
) -> Measurement | None:
    """Run the model on noise; None if the provider does not start. Takes about half a second.

    joules: a running total of the energy drawn, where a meter gives one.
    """
    card = load_card(path)
    session = open_session(path, threads, [provider], quantized=card.precision == "int8")
    if session.provider != provider:
        return None
    spec = session.inputs[0]
    width, height = card.resolution
    fallback = {1: height, 2: width} if spec.shape[-1] == 3 else {2: height, 3: width}
    shape = [size or fallback.get(axis, 1) for axis, size in enumerate(spec.shape)]
    noise = np.random.default_rng(0).integers(0, 256, shape)
    session.bind(np.ascontiguousarray(noise.astype(spec.dtype)))
    session.run()  # the first run allocates
    session.run()
    times: list[float] = []
    energy = joules() if joules is not None else None
    cpu = time.process_time()
    started = time.perf_counter()
    while len(times) < LEAST_RUNS or time.perf_counter() - started < MOST_S:
        before = time.perf_counter()
        session.run()
        times.append(time.perf_counter() - before)
    cpu_ms = (time.process_time() - cpu) / len(times) * 1e3
    after = joules() if joules is not None else None
    mj = (after - energy) / len(times) * 1e3 if energy is not None and after is not None else None
    # The lower quartile: other work on the board only ever makes a run slower.
    ms = float(np.quantile(times, 0.25)) * 1e3
    return Measurement(path.name, card.precision, threads, provider, round(ms, 3), round(cpu_ms, 3), mj)


def _cost(measured: Measurement, purpose: Purpose) -> float:
    if purpose == "rate":
        return measured.ms
    # Without a meter CPU time stands for energy: what is drawn beyond idle goes with busy cores.
    return measured.mj if measured.mj is not None else measured.cpu_ms


def choose(tried: Sequence[Measurement], purpose: Purpose) -> Measurement:
    """The cheapest, or among those within :data:`TOLERANCE` of it the fp32 one with the fewest threads."""
    least = min(_cost(measured, purpose) for measured in tried)
    near = [measured for measured in tried if _cost(measured, purpose) <= least * TOLERANCE]
    return min(near, key=lambda m: (m.precision != "fp32", m.provider != "cpu", m.threads, m.ms))


def _candidates(
    files: Sequence[tuple[Path, str]], threads: int | None, provider: str | None
) -> list[tuple[Path, int, str]]:
    counts = [threads] if threads else list(range(1, min(MOST_THREADS, cpu_count()) + 1))
    names = [provider] if provider else [name for name in available_providers() if name != "tensorrt"]
    found: list[tuple[Path, int, str]] = []
    for path, _precision in files:
        for name in names:
            gpu = name in ("cuda", "tensorrt")
            found += [(path, count, name) for count in (counts[:1] if gpu else counts)]
    return found


def _explain(record: _Record, purpose: Purpose, cached: bool) -> str:
    best = record.best
    others: dict[str, float] = {}
    for one in record.tried:
        same_run = (one.provider, one.precision) == (best.provider, best.precision)
        if one.precision != best.precision and one.provider == best.provider:
            others[one.precision] = min(one.ms, others.get(one.precision, np.inf))
        elif one.provider != best.provider:
            others[one.provider] = min(one.ms, others.get(one.provider, np.inf))
        elif same_run and one.threads != best.threads:
            others[_threads(one.threads)] = one.ms
    against = ", ".join(f"{name} {ms:.1f}" for name, ms in others.items())
    why = "for rate" if purpose == "rate" else "for rate per watt"
    when = "remembered" if cached else "measured now"
    return (
        f"{best.precision}, {_threads(best.threads)} on {best.provider}: {best.ms:.1f} ms"
        f"{f' (against {against})' if against else ''}, chosen {why}, {when}"
    )


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def tune(
    name_or_path: str | Path,
    task: Task = "detection",
    *,
    mode: Mode = "auto",
    purpose: Purpose = "rate",
    threads: int | None = None,
    provider: str | None = None,
    joules: Callable[[], float | None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Tuning:
    """How to run the model ``name_or_path`` on this board; see :func:`edgecam.inference.store.find_model`.

    mode: ``auto`` measures once per model, board and version; ``again`` measures now; ``off`` measures never.
    threads, provider: what the user has fixed; only the rest is tuned. An explicit file, or a name that says
    its precision, fixes the file. say: told, once, that measuring begins. Call it before threads start.
    Raises ModelError and ConfigError like the detector itself.
    """
    path = find_model(name_or_path, task)
    files = [(path, load_card(path).precision)]
    if not is_exact(name_or_path):
        files += [(other, card.precision) for other, card in variants(path)[1:]]
    candidates = _candidates(files, threads, provider)
    if mode == "off" or len(candidates) < 2:
        names, _ = choose_providers([provider] if provider else None)
        count = threads or default_threads()
        why = "not tuned" if mode == "off" else "nothing to tune"
        return Tuning(path, count, names, f"{_threads(count)} on {names[0]}, {why}")
    by_name = {file.name: file for file, _ in files}
    key = _key([file for file, _ in files], purpose, threads, provider)
    record = _load().records.get(key) if mode == "auto" else None
    cached = record is not None
    if record is None:
        for file, _precision in files:
            check_weights(file)
        if say is not None:
            say(f"measuring {path.stem} on this board, once: {len(candidates)} ways to run it")
        tried = [m for candidate in candidates if (m := _try(candidate, joules)) is not None]
        if not tried:
            raise ModelError(f"model {path} runs on none of: {', '.join(sorted({c[2] for c in candidates}))}")
        record = _Record(choose(tried, purpose), tuple(tried))
        _store(key, record)
    best = record.best
    providers = tuple(dict.fromkeys((best.provider, "cpu")))
    return Tuning(
        by_name[best.file], best.threads, providers, _explain(record, purpose, cached), record.tried
    )


def _try(candidate: tuple[Path, int, str], joules: Callable[[], float | None] | None) -> Measurement | None:
    path, threads, provider = candidate
    try:
        return measure(path, threads, provider, joules)
    except ModelError as error:
        if provider == "cpu":
            raise
        log.info("%s cannot run %s: %s", provider, path.name, error)
        return None
