"""Figures of a training: one JSON line each, and TensorBoard if it is installed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

#: The number of steps that one line of the log averages over.
EVERY = 20

Log = TypeVar("Log", bound="ScalarLog")


class ScalarLog:
    """Appends to ``folder/log.jsonl`` and to ``folder/tensorboard``; a context manager."""

    def __init__(self, folder: Path, *, tensorboard: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "log.jsonl"
        self._writer: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:  # optional: the JSON lines hold the same figures
                return
            self._writer = SummaryWriter(str(folder / "tensorboard"))

    def __enter__(self: Log) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, step: int, kind: str, figures: Mapping[str, float]) -> None:
        """Write one line of figures."""
        line = {"time": round(time.time(), 1), "step": step, "kind": kind}
        rounded = {k: float(f"{v:.5g}") for k, v in figures.items()}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, **rounded}) + "\n")
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(f"{kind}/{name}", value, step)
