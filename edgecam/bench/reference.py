"""Stored figures per board, and how today's compare: too fast is as suspicious as too slow."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import onnxruntime as ort

from edgecam.bench.case import Row
from edgecam.core.errors import ConfigError
from edgecam.core.package import __version__, package_folder

#: What is kept, in the file's order; the first five are the key.
KEY = ("model", "precision", "threads", "provider", "source")
FIGURES = (
    "inference_p50_ms",
    "inference_p95_ms",
    "inference_cpu_ms",
    "rate_per_s",
    "age_p50_ms",
    "age_p95_ms",
    "cpu_share",
    "rss_mb",
    "power_w",
    "mj_per_frame",
)
_TEXTS = ("power_kind", "measured", "edgecam", "onnxruntime", "load")
COLUMNS = (*KEY, *FIGURES, *_TEXTS)
#: Compared with the reference; the others follow from these or are noise.
COMPARED = {"inference_p50_ms": "inference", "rate_per_s": "end to end"}

References = Mapping[tuple[str, ...], Mapping[str, str]]


def slug(board: str) -> str:
    """A board's name as a file's: ``raspberry-pi-5-model-b-rev-1-0-x4``."""
    return re.sub(r"[^a-z0-9]+", "-", board.lower()).strip("-") or "unknown"


def default_folder() -> Path:
    """``benchmarks/reference`` of a checkout, else ``$XDG_DATA_HOME/edgecam/bench``."""
    beside = package_folder().parent / "benchmarks" / "reference"
    if beside.is_dir():
        return beside
    root = os.environ.get("XDG_DATA_HOME")
    return (Path(root) if root else Path.home() / ".local" / "share") / "edgecam" / "bench"


def load(path: Path) -> dict[tuple[str, ...], dict[str, str]]:
    """Rows by their key; empty if there is no such file yet. ConfigError if it is not one of ours."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"reference figures {path} cannot be read: {error}") from None
    for row in rows:
        missing = [name for name in KEY if row.get(name) is None]
        if missing:
            raise ConfigError(
                f"reference figures {path} have no column {', '.join(missing)}; delete the file"
            )
    return {tuple(row[name] for name in KEY): row for row in rows}


def source_name(source: str) -> str:
    """The name of a source in a reference: a file's name without its folders, everything else as it is."""
    return Path(source).name if "/" in source and "://" not in source and "?" not in source else source


def _key(row: Row) -> tuple[str, ...]:
    return row.model, row.precision, str(row.threads), row.provider, source_name(row.source)


def keep(path: Path, rows: Iterable[Row], board_load: float | None) -> int:
    """Put ``rows`` into the file, in place of those with the same key; how many. May raise ConfigError."""
    kept = load(path)
    count = 0
    for row in rows:
        if row.error:
            continue
        values = dict(zip(KEY, _key(row), strict=True))
        for name in FIGURES:
            value = getattr(row, name)
            values[name] = "" if value is None else f"{value:.4g}"
        values["power_kind"] = row.power_kind
        values["measured"] = date.today().isoformat()
        values["edgecam"] = __version__
        values["onnxruntime"] = ort.__version__
        values["load"] = "" if board_load is None else f"{board_load:.2f}"
        kept[_key(row)] = values
        count += 1
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept[key] for key in sorted(kept))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigError(f"reference figures {path} cannot be written: {error.strerror}") from None
    return count


def compare(rows: Sequence[Row], references: References, tolerance: float) -> dict[int, str]:
    """What is too slow or too fast, by position in ``rows``; a row within the tolerance is not in it.

    tolerance: 0.25 lets a time be 1.25 times the reference's, or 1/1.25.
    """
    flags: dict[int, str] = {}
    for position, row in enumerate(rows):
        reference = references.get(_key(row))
        if reference is None or row.error:
            continue
        found = []
        for name, title in COMPARED.items():
            now: float | None = getattr(row, name)
            try:
                then = float(reference.get(name) or "nan")
            except ValueError:
                continue
            if now is None or not then > 0:
                continue
            ratio = now / then if name.endswith("_ms") else then / now
            if ratio > 1 + tolerance:
                found.append(f"{title} too slow: {ratio:.2f} × the reference")
            elif ratio < 1 / (1 + tolerance):
                found.append(f"{title} too fast: {ratio:.2f} × the reference")
        if found:
            flags[position] = "; ".join(found)
    return flags
