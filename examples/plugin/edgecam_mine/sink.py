"""``--sink mine:FILE.csv``: a line for each thing that was seen. A sink is ``open``, ``write``, ``close``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

from edgecam import ConfigError, Result


class CsvSink:
    """Called with what stands behind the colon. All but ``open`` is called on the sink's own thread."""

    def __init__(self, argument: str) -> None:
        if not argument:
            raise ConfigError("--sink mine needs a file: --sink mine:seen.csv")
        self._path = Path(argument)
        self._file: TextIO | None = None

    def open(self) -> None:
        self._file = self._path.open("w", newline="")
        self._lines = csv.writer(self._file)
        self._lines.writerow(["index", "track", "label", "score", "x1", "y1", "x2", "y2"])

    def write(self, result: Result) -> None:
        index = result.frame.index
        rows = [(index, d.track_id, d.label, round(d.score, 3), *d.xyxy) for d in result.detections]
        self._lines.writerows(rows or [(index, *[""] * 7)])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
