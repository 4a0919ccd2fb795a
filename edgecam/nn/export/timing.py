"""Compare the run times of model files: they take turns on the same threads of the same machine."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Speed:
    """Milliseconds per run; the two files take turns on the same threads of the same machine."""

    fp32_ms: float
    int8_ms: float
    threads: int
    machine: str

    @property
    def ratio(self) -> float:
        """How many times as fast int8 is; below 1 it is slower."""
        return self.fp32_ms / self.int8_ms


def _session(path: Path, threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def time_files(
    paths: Sequence[Path], images: Sequence[Image], *, threads: int = 1, runs: int = 40
) -> list[float]:
    """Milliseconds per run of each file on its image. The files take turns, so other load affects all alike.

    The figure is the slowest of the fastest fifth of the runs: on a shared machine, the median includes the
    load of other programs.
    """
    sessions = [_session(path, threads) for path in paths]
    feeds = [
        {s.get_inputs()[0].name: i[None] if i.ndim == 3 else i} for s, i in zip(sessions, images, strict=True)
    ]
    for session, feed in zip(sessions, feeds, strict=True):
        for _ in range(3):
            session.run(None, feed)
    taken: list[list[float]] = [[] for _ in paths]
    for _ in range(runs):
        for session, feed, times in zip(sessions, feeds, taken, strict=True):
            start = time.perf_counter_ns()
            session.run(None, feed)
            times.append((time.perf_counter_ns() - start) / 1e6)
    return [statistics.quantiles(times, n=5)[0] for times in taken]


def machine_name() -> str:
    """The processor's name where Linux reports it, else the architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith(("model name", "hardware")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()
