"""Measures, in a few seconds at first start, how a model runs best on this very board, and remembers it.

What is tried: the fp32 and the int8 file, one to four threads, the providers this ONNX Runtime has. int8 is
not always faster (armnn issue 511; hard-swish and squeeze-and-excite eat what it saves) and SSD stops scaling
at two or three threads on a Pi 4, so nothing but measuring tells. TensorRT is left out unless asked for by
name: building its engine takes minutes.

How far pictures are scaled down is the model's own, and a smaller scale sees less: it is tried only where a
rate is asked for that the larger one does not reach.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from edgecam import plugins
from edgecam.core.errors import ConfigError, ModelError
from edgecam.core.ports import PowerMeter
from edgecam.core.progress import ShowProgress
from edgecam.host.cpu import cpu_count
from edgecam.inference.models.card import Task
from edgecam.inference.models.store import ROLES, check_weights, find_model, is_exact, load_card, variants
from edgecam.inference.runtime.providers import available_providers, choose_providers
from edgecam.inference.runtime.session import default_threads
from edgecam.inference.tuning import cache as tuning_cache
from edgecam.inference.tuning.cache import Record
from edgecam.inference.tuning.choose import Purpose, choose, cost_for
from edgecam.inference.tuning.measure import Measurement, measure

log = logging.getLogger(__name__)

Mode = Literal["auto", "off", "again"]

#: Beyond four threads no small model gains (published Pi and Jetson figures stop there as well).
MOST_THREADS = 4
#: Ways that take at most this many times the fastest are measured again, in turns.
CONTENDS = 1.5
#: For a given frame rate the network alone must be this many times as fast: a frame takes more than the
#: network, and boards get warm.
HEADROOM = 1.15


#: File, threads, provider.
_Candidate = tuple[Path, int, str]


class Tuning(Struct, frozen=True):
    """How to run a model here. ``explanation`` is one line for people; ``tried`` all that was measured.

    ms: of one inference; None where nothing was measured.
    """

    path: Path
    threads: int
    providers: tuple[str, ...]
    explanation: str
    tried: tuple[Measurement, ...] = ()
    ms: float | None = None


def _candidates(
    files: Sequence[tuple[Path, str]], threads: int | None, provider: str | None
) -> list[_Candidate]:
    counts = [threads] if threads else list(range(1, min(MOST_THREADS, cpu_count()) + 1))
    names = [provider] if provider else [name for name in available_providers() if name != "tensorrt"]
    found: list[_Candidate] = []
    for path, _precision in files:
        for name in names:
            gpu = name in ("cuda", "tensorrt")
            found += [(path, count, name) for count in (counts[:1] if gpu else counts)]
    return found


def _explain(record: Record, purpose: Purpose, cached: bool) -> str:
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
    energy = "by CPU time" if best.mj is None else f"{best.mj:.0f} mJ"
    why = "for rate" if purpose == "rate" else f"for rate per watt ({energy})"
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
    meter: PowerMeter | None = None,
    say: Callable[[str], None] | None = None,
    progress: ShowProgress | None = None,
    least_hz: float | None = None,
) -> Tuning:
    """How to run the model ``name_or_path`` (see :mod:`edgecam.inference.models.store`) on this board.

    mode: ``auto`` measures once per model, board and version; ``again`` measures now; ``off`` measures never.
    threads, provider: what the user has fixed; only the rest is tuned. An explicit file, or a name that says
    its precision, fixes the file. meter: for ``watts``; where it only estimates, CPU time stands for power.
    say: told, once per model, that measuring begins; progress: how it goes on. least_hz: where
    ``name_or_path`` is a role that does fewer frames a second, those after it are tried, which see a smaller
    picture.
    Call it before threads start.
    Raises ModelError and ConfigError like the detector itself; ConfigError for a rate without measuring.
    """
    ask = _Ask(task, mode, purpose, threads, provider, meter, say, progress)
    if least_hz is None:
        return _tune(name_or_path, ask)
    if mode == "off":
        raise ConfigError(f"--tune-rate {least_hz:g} needs measuring: leave out --tune off")
    return _tune_scale(name_or_path, ask, least_hz)


class _Ask(Struct, frozen=True):
    """Arguments of :func:`tune`."""

    task: Task
    mode: Mode
    purpose: Purpose
    threads: int | None
    provider: str | None
    meter: PowerMeter | None
    say: Callable[[str], None] | None
    progress: ShowProgress | None


def _tune_scale(name_or_path: str | Path, ask: _Ask, least_hz: float) -> Tuning:
    """The first of the roles from ``name_or_path`` on that does ``least_hz``, else the fastest."""
    roles = ROLES[ask.task]
    later = roles[roles.index(str(name_or_path)) + 1 :] if str(name_or_path) in roles else ()
    found: list[tuple[Tuning, float, str]] = []
    for name in (name_or_path, *later):
        try:
            tuning = _tune(name, ask, always=True)
        except ModelError:
            if found:
                break  # the user's own models need no stand-in of that role
            raise
        hz = 1e3 / max(tuning.ms or 0.0, 1e-3)
        found.append((tuning, hz, "x".join(map(str, load_card(tuning.path).resolution))))
        if hz >= least_hz * HEADROOM:
            break
    best, hz, size = max(found, key=lambda each: each[1])
    slower = ", ".join(f"{other} does {rate:.0f}" for one, rate, other in found if one is not best)
    what = f"at {size}, {hz:.0f} a second alone (wanted {least_hz:g}{f'; {slower}' if slower else ''})"
    if hz < least_hz * HEADROOM:
        what += ", the best there is"
    return replace(best, explanation=f"{what}; {best.explanation}")


def _tune(name_or_path: str | Path, ask: _Ask, *, always: bool = False) -> Tuning:
    """always: measure even where there is nothing to choose."""
    path = find_model(name_or_path, ask.task)
    files = [(path, load_card(path).precision)]
    if not is_exact(name_or_path):
        files += [(other, card.precision) for other, card in variants(path)[1:]]
    candidates = _candidates(files, ask.threads, ask.provider)
    single = len(candidates) < 2 and not always
    if ask.mode == "off" or single:
        names, _ = choose_providers([ask.provider] if ask.provider else None)
        count = ask.threads or default_threads()
        why = "not tuned" if ask.mode == "off" else "nothing to tune"
        return Tuning(path, count, names, f"{_threads(count)} on {names[0]}, {why}")
    by_name = {file.name: file for file, _ in files}
    fixed = (f"threads {ask.threads or 'any'}", f"provider {ask.provider or 'any'}")
    key = tuning_cache.key_of(list(by_name.values()), ask.purpose, *fixed)
    record = tuning_cache.load(key) if ask.mode == "auto" else None
    cached = record is not None
    if record is None:
        for file in by_name.values():
            check_weights(file)
        if ask.say is not None:
            ask.say(f"measuring {path.stem} on this board, once: {len(candidates)} ways to run it")
        record = _measure(candidates, ask)
        tuning_cache.store(key, record)
    best = record.best
    return Tuning(
        by_name[best.file],
        best.threads,
        tuple(dict.fromkeys((best.provider, "cpu"))),
        _explain(record, ask.purpose, cached),
        record.tried,
        best.ms,
    )


class _Steps:
    """Counts measurements towards the most that there may be."""

    def __init__(self, progress: ShowProgress | None, candidates: Sequence[_Candidate]) -> None:
        self._progress = progress
        self._ways = len(candidates)
        self._done = 0

    def __call__(self, path: Path, threads: int, provider: str) -> None:
        """One more begins."""
        if self._progress is not None:
            what = f"{load_card(path).precision}, {_threads(threads)} on {provider}"
            self._progress(self._done, 2 * self._ways, what)
        self._done += 1

    def end(self) -> None:
        """All is measured."""
        if self._progress is not None:
            self._progress(1, 1, "")


def _measure(candidates: Sequence[_Candidate], ask: _Ask) -> Record:
    step = _Steps(ask.progress, candidates)
    tried: dict[_Candidate, Measurement] = {}
    failed: set[str] = set()  # a plug-in's runtime that fails is told once, and not tried again
    for way in candidates:
        if way[2] not in failed and (found := _try(way, ask.meter, step)) is not None:
            tried[way] = found
        elif way[2] in plugins.added("runtimes"):
            failed.add(way[2])
    if not tried:
        paths, names = {str(c[0]) for c in candidates}, {c[2] for c in candidates}
        raise ModelError(f"model {min(paths)} runs on none of: {', '.join(sorted(names))}")
    # A moment's other work on the board must not decide for good.
    cost = cost_for(ask.purpose, list(tried.values()))
    least = min(map(cost, tried.values()))
    for way, found in tried.items():
        if len(tried) > 1 and cost(found) <= least * CONTENDS:
            again = _try(way, ask.meter, step)
            tried[way] = found if again is None else found.steadier(again)
    best = choose(list(tried.values()), ask.purpose)
    step.end()
    return Record(best, tuple(tried.values()))


def _try(candidate: _Candidate, meter: PowerMeter | None, step: _Steps) -> Measurement | None:
    path, threads, provider = candidate
    step(*candidate)
    try:
        return measure(path, threads, provider, meter)
    except ModelError as error:
        if provider == "cpu":
            raise
        level = logging.WARNING if provider in plugins.added("runtimes") else logging.INFO
        log.log(level, "%s cannot run %s: %s", provider, path.name, error)
        return None
