"""The kill test: start the program recording, kill it at a random moment, and look at what is left."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecam.core.errors import RecordError
from edgecam.record.clip_files import PART, final_path
from edgecam.record.library.catalogue import group_files
from edgecam.record.library.index import Library
from edgecam.record.library.inspection import verify
from edgecam.record.library.repair import recover
from edgecam.record.library.sidecar import read_sidecar

#: What a kill may cost.
MAY_LOSE_S = 1.0
#: The longest a run goes on after its first picture.
LONGEST_S = 4.0
#: A slow board needs this long to start.
START_S = 60.0

#: How each run records, in turn: everything that writes clips in another way.
MODES: tuple[tuple[str, ...], ...] = (
    ("{folder}", "--segment", "2s"),
    ("{folder}/clip.mp4", "--record-view", "clean"),
    ("{folder}", "--record-view", "both"),
    ("{folder}/clip.mkv", "--record-view", "clean"),
)


@dataclass(frozen=True, slots=True)
class Killed:
    """What one kill left behind.

    ran_s: how long it ran after its first picture. lost_s: from the last picture in a clip to the newest that
    the program had made a result of (and told in its JSON lines). clips: how many were found, recovered ones
    included. as_found: whether the unfinished clip decoded before it was repaired.
    problems: empty when the run passed.
    """

    number: int
    mode: str
    ran_s: float
    lost_s: float
    clips: int
    as_found: bool
    problems: tuple[str, ...]


def program(folder: Path, mode: Sequence[str], size: str, rate: float) -> list[str]:
    """The command line of a run: the real program with a generated camera."""
    record = [part.format(folder=folder) for part in mode]
    return [
        *(sys.executable, "-m", "edgecam"),
        *("--source", f"synthetic:?size={size}&rate={rate:g}&live=1"),
        *("--detector", "off", "--classifier", "off", "--display", "none", "--keep-free", "0"),
        *("--json", str(folder / "seen.log"), "--record", *record),
    ]


def run(
    folder: Path,
    times: int,
    *,
    size: str = "640x360",
    rate: float = 30.0,
    seed: int | None = None,
    command: Callable[[Path, Sequence[str], str, float], list[str]] = program,
) -> Iterator[Killed]:
    """Kill ``times`` recordings, one after another, in ``folder``/1, /2 …; what each left.

    Raises RecordError if the program does not start recording.
    """
    rng = random.Random(seed)
    for number in range(1, times + 1):
        mode = MODES[(number - 1) % len(MODES)]
        place = folder / str(number)
        place.mkdir(parents=True)
        started_ns, killed_ns = _record_and_kill(command(place, mode, size, rate), place, rng)
        outcome = _look(place, number, mode, started_ns, killed_ns)
        yield outcome
        if not outcome.problems:
            shutil.rmtree(place)


def _record_and_kill(command: Sequence[str], place: Path, rng: random.Random) -> tuple[int, int]:
    """(first result seen, kill) in nanoseconds of the clock that frames carry."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EDGECAM_")}
    with (place / "output.log").open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            started_ns = _wait_for_pictures(child, place)
            time.sleep(rng.uniform(0.0, LONGEST_S))
            if child.poll() is not None:
                raise RecordError(f"the program ended by itself; see {place / 'output.log'}")
            killed_ns = time.monotonic_ns()
        finally:
            child.kill()
            child.wait(30)
    return started_ns, killed_ns


def _wait_for_pictures(child: subprocess.Popen[bytes], place: Path) -> int:
    deadline = time.monotonic() + START_S
    seen = place / "seen.log"
    while time.monotonic() < deadline and child.poll() is None:
        if seen.exists() and seen.stat().st_size:
            return time.monotonic_ns()
        time.sleep(0.02)
    raise RecordError(
        f"the program did not start recording within {START_S:g} s; see {place / 'output.log'}"
        f" ({_last_line(place / 'output.log')})"
    )


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "no output"


def _look(place: Path, number: int, mode: Sequence[str], started_ns: int, killed_ns: int) -> Killed:
    problems: list[str] = []
    parts = [p for p in place.glob(f".*{PART}") if final_path(p).suffix not in (".jsonl", ".jpg")]
    as_found = all(not verify(part).problems for part in parts if part.stat().st_size)
    recover(place)
    last_ns = 0
    groups = group_files(place)
    for files in groups.values():
        for kind, name in files.items():
            if kind in ("annotated", "clean"):
                verdict = verify(place / name)
                problems += [f"{name}: {problem}" for problem in verdict.problems]
                last_ns = max(last_ns, _last_recorded_ns(place / files["sidecar"], verdict.frames))
    with Library(place) as library:
        if {c.name for c in library.clips()} != set(groups):
            problems.append("the index does not agree with the files")
    first_ns, newest_ns = _results_ns(place / "seen.log", started_ns, killed_ns)
    lost_s = max(0.0, (newest_ns - (last_ns or first_ns)) / 1e9)
    if lost_s > MAY_LOSE_S:
        problems.append(f"the last {lost_s:.2f} s are lost")
    return Killed(
        number,
        " ".join(mode).format(folder="DIR"),
        (killed_ns - started_ns) / 1e9,
        lost_s,
        len(groups),
        as_found,
        tuple(problems),
    )


def _results_ns(log: Path, started_ns: int, killed_ns: int) -> tuple[int, int]:
    """When the first and the newest picture were captured that the program had made a result of."""
    lines = [line for line in read_sidecar(log) if "captured_ns" in line]
    if not lines:
        return started_ns, killed_ns
    return int(lines[0]["captured_ns"]), int(lines[-1]["captured_ns"])


def _last_recorded_ns(sidecar: Path, frames: int) -> int:
    """When the last frame that the video really holds was captured."""
    lines = [line for line in read_sidecar(sidecar) if "captured_ns" in line]
    if not lines or not frames:
        return 0
    return int(lines[min(frames, len(lines)) - 1]["captured_ns"])
