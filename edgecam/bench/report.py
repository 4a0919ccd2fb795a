"""What ``edgecam bench`` prints: a table, the notes beneath it, and JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import onnxruntime as ort

from edgecam.bench import bottleneck
from edgecam.bench.case import Row
from edgecam.core.package import __version__
from edgecam.host.cpu import cpu_count

if TYPE_CHECKING:
    from rich.table import Table


def machine_load() -> float | None:
    """Runnable processes over the last minute; None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def load_warning(load: float | None) -> str:
    """A line if others use this machine's CPUs, else "". Half a CPU is what a quiet system reaches."""
    if load is None or load < 0.5:
        return ""
    return (
        f"other work is running here (load {load:.1f} on {cpu_count()} CPUs): the figures will be worse than "
        "this board's own"
    )


def _text(value: float | None, digits: int = 1, scale: float = 1.0) -> str:
    return "–" if value is None else f"{value * scale:.{digits}f}"


def _watts(row: Row, value: float | None, digits: int) -> str:
    about = "≈" if row.power_kind == "estimated" and value is not None else ""
    return about + _text(value, digits)


def fastest(rows: Sequence[Row]) -> dict[str, int]:
    """Position of each model's best row (precisions together): by rate, or by inference without one."""
    best: dict[str, int] = {}
    for i, row in enumerate(rows):
        if row.error:
            continue
        name = row.model
        if name not in best or _merit(row) > _merit(rows[best[name]]):
            best[name] = i
    return best


def _merit(row: Row) -> float:
    if row.rate_per_s is not None:
        return row.rate_per_s
    return 1e3 / row.inference_p50_ms if row.inference_p50_ms else 0.0


def _pair(low: float | None, high: float | None) -> str:
    return f"{_text(low):>5} {_text(high):>5}"


def table(rows: Sequence[Row], flags: Mapping[int, str], board: str) -> Table:
    """All rows beneath their model's name, narrow enough for 80 columns; each model's fastest in bold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    whole = any(row.rate_per_s is not None for row in rows)
    made = Table(title=board, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    made.add_column("model\n  run as", overflow="fold", min_width=20)
    made.add_column("inference ms\n  p50   p95", no_wrap=True)
    if whole:
        made.add_column("end to\nend /s", justify="right", no_wrap=True)
        made.add_column("age ms\n  p50   p95", no_wrap=True)
        for name in ("CPU\n%", "\nMB", "\nW", "mJ per\nframe"):
            made.add_column(name, justify="right", no_wrap=True)
    best = set(fastest(rows).values())
    model = ""
    for i, row in enumerate(rows):
        if row.model != model:
            model = row.model
            made.add_row(model)
        cells = [f"  {row.precision} {row.provider} ×{row.threads}"]
        if row.error:
            made.add_row(*cells, "failed", style="red")
            continue
        cells.append(_pair(row.inference_p50_ms, row.inference_p95_ms))
        if whole:
            cells += [
                _text(row.rate_per_s),
                _pair(row.age_p50_ms, row.age_p95_ms),
                _text(row.cpu_share, 0, 100),
                _text(row.rss_mb, 0),
                _watts(row, row.power_w, 0 if row.power_kind == "estimated" else 1),
                _watts(row, row.mj_per_frame, 0),
            ]
        made.add_row(*cells, style="yellow" if i in flags else "bold" if i in best else "")
    return made


def notes(rows: Sequence[Row], flags: Mapping[int, str]) -> list[str]:
    """Beneath the table: failures, the reference's flags, and what limits each model."""
    lines = [f"{_title(row)} failed: {row.error}" for row in rows if row.error]
    lines += [f"{_title(rows[i])}: {text}" for i, text in flags.items()]
    for name, i in fastest(rows).items():
        if rows[i].rate_per_s is not None:
            lines.append(f"{name}: {bottleneck.line(rows[i].parts)}")
    return lines


def _title(row: Row) -> str:
    return f"{row.model} {row.precision}, {row.threads} thr. on {row.provider}"


def to_json(rows: Sequence[Row], flags: Mapping[int, str], board: str, load: float | None) -> bytes:
    """One document; fields may be added, never renamed."""
    found: list[dict[str, Any]] = []
    for i, row in enumerate(rows):
        entry = msgspec.to_builtins(row)
        if not row.error and row.rate_per_s is not None:
            entry["limit"] = bottleneck.limit_of(row.parts)
        entry["flag"] = flags.get(i, "")
        found.append(entry)
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "v": 1,
                "board": board,
                "cpus": cpu_count(),
                "load": load,
                "edgecam": __version__,
                "onnxruntime": ort.__version__,
                "rows": found,
            }
        )
    )
