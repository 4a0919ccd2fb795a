"""Accuracy against milliseconds and against millijoules, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgecam.bench.case import Row
from edgecam.core.errors import ConfigError, MissingExtraError
from edgecam.host.installation import install_extra

#: Blue for what stands on the front, grey for what is beaten: told apart without colour vision too.
_FRONT, _BEATEN = "#1565c0", "#9e9e9e"
_AXES = (("inference_p50_ms", "inference, ms (p50)"), ("mj_per_frame", "energy, mJ per frame"))


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the points (cost, accuracy) that no other beats in both, cheapest first."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    front: list[int] = []
    for i in order:
        if not front or points[i][1] > points[front[-1]][1]:
            front.append(i)
    return front


def best_per_file(rows: Sequence[Row], cost: str) -> list[Row]:
    """One row per model file, the cheapest; those without an accuracy or that cost left out."""
    best: dict[tuple[str, str], Row] = {}
    for row in rows:
        value = getattr(row, cost)
        if value is None or row.accuracy is None or row.error:
            continue
        key = (row.model, row.precision)
        if key not in best or value < getattr(best[key], cost):
            best[key] = row
    return list(best.values())


def draw(rows: Sequence[Row], path: Path, title: str) -> None:
    """Write the chart as PNG (or what the suffix says): a line of panels per task.

    Raises MissingExtraError without matplotlib, ConfigError if no model's card has an accuracy, or if the
    file cannot be written.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingExtraError(
            f"--chart draws with matplotlib, which is not installed: {install_extra('evaluate')}"
        ) from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = [
        (task, cost, label, found)
        for task in ("detection", "classification")
        for cost, label in _AXES
        if (found := best_per_file([row for row in rows if row.task == task], cost))
    ]
    if not panels:
        raise ConfigError("--chart: no model that was measured has an accuracy in its card")
    tasks = list(dict.fromkeys(task for task, *_ in panels))
    figure, axes = pyplot.subplots(
        len(tasks), 2, figsize=(11, 4.2 * len(tasks)), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set_visible(False)
    for task, cost, label, found in panels:
        axis = axes[tasks.index(task)][[name for name, _ in _AXES].index(cost)]
        axis.set_visible(True)
        _panel(axis, found, cost, label)
    figure.suptitle(title, fontsize=10)
    try:
        figure.savefig(path, dpi=140)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--chart {path} cannot be written: {error}") from None
    finally:
        pyplot.close(figure)


def _panel(axis: Any, rows: Sequence[Row], cost: str, label: str) -> None:
    points = [(getattr(row, cost), row.accuracy or 0.0) for row in rows]
    front = pareto(points)
    axis.plot(
        *zip(*(points[i] for i in front), strict=True),
        color=_FRONT,
        linewidth=1.2,
        zorder=1,
        label="Pareto front",
    )
    axis.legend(loc="lower right", frameon=False, fontsize=8)
    for i, (row, (x, y)) in enumerate(zip(rows, points, strict=True)):
        colour = _FRONT if i in front else _BEATEN
        marker = "s" if row.precision == "int8" else "o"
        axis.scatter([x], [y], color=colour, marker=marker, s=42, zorder=4)
        axis.annotate(
            f"{row.model}\n{row.precision}, {row.threads} thr.",
            (x, y),
            xytext=(8, -17 if row.precision == "int8" else 4),  # a model's two files often coincide
            textcoords="offset points",
            fontsize=7.5,
            color="#333333",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
        )
    estimated = cost == "mj_per_frame" and any(row.power_kind == "estimated" for row in rows)
    axis.set_xlabel(label + (" (power estimated)" if estimated else ""))
    axis.set_ylabel(rows[0].accuracy_name)
    axis.set_xlim(left=0, right=max(x for x, _ in points) * 1.45)
    low, high = min(y for _, y in points), max(y for _, y in points)
    pad = max((high - low) * 0.25, abs(high) * 0.03)
    axis.set_ylim(low - pad, high + pad)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
