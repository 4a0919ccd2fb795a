"""Charts of an evaluation, for detectors and classifiers alike: precision over recall, confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: The most curves in one chart: as many as ten colours and two line styles can distinguish.
MOST_CURVES = 12
#: The most rows of a confusion matrix whose names and figures are still legible.
MOST_CLASSES = 40


class Curve(NamedTuple):
    """recall, precision (n,): after each answer of this class, the most confident first. total: how many
    objects of the class there are."""

    label: str
    total: int
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]


def curve_of(label: str, hits: NDArray[np.bool_], total: int) -> Curve:
    """The curve for hits (n,): whether each answer was right, the most confident first."""
    found = np.cumsum(hits)
    return Curve(label, total, found / max(1, total), found / np.arange(1, len(found) + 1))


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def plot_curves(path: Path, curves: Sequence[Curve], title: str) -> None:
    """Plot precision over recall for the most frequent classes."""
    figure, axes = _figure(8, 6)
    most = sorted((c for c in curves if c.total and len(c.recall)), key=lambda c: -c.total)[:MOST_CURVES]
    for number, curve in enumerate(most):
        envelope = np.maximum.accumulate(curve.precision[::-1])[::-1]
        axes.plot(
            curve.recall, envelope, label=f"{curve.label} ({curve.total})", linewidth=1.4,
            color=f"C{number % 10}", linestyle="-" if number < 10 else "--",
        )  # fmt: skip
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.005), ylim=(0, 1.02), title=title)
    axes.grid(alpha=0.3)
    if most:
        axes.legend(fontsize=8)
    _save(figure, path)


def plot_confusion(path: Path, table: NDArray[np.int64], names: Sequence[str], title: str) -> None:
    """Rows are true classes, columns answers; colours show the share of the row, numbers the counts."""
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    side = max(5.0, 0.38 * len(names) + 2)
    figure, axes = _figure(side, side)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="said", ylabel="there", title=title)
    for row, column in np.argwhere(table):
        axes.text(
            column, row, str(table[row, column]), ha="center", va="center", fontsize=6,
            color="white" if share[row, column] > 0.5 else "black",
        )  # fmt: skip
    _save(figure, path)
