"""Draws docs/img/peers.png from docs/data/peers.csv (measured by benchmarks/peers/run_all.py)."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).resolve().parents[1] / "docs"
OURS, THEIRS, LIGHT = "#0072b2", "#9aa4ad", "#d9dee2"


def main() -> None:
    with (DOCS / "data" / "peers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::-1]
    names = [row["what"] for row in rows]
    colours = [OURS if name.startswith("edgecam") else THEIRS for name in names]
    figure, (age, cpu) = plt.subplots(1, 2, figsize=(10, 3.9), sharey=True)
    p95 = [float(row["age_p95_ms"]) for row in rows]
    age.barh(names, p95, color=LIGHT)
    age.barh(names, [float(row["age_p50_ms"]) for row in rows], color=colours)
    age.set_title("frame age, ms: median, and pale the 95th percentile", fontsize=10, loc="left")
    values = [float(row["cpu_ms"]) for row in rows]
    cpu.barh(names, values, color=colours)
    cpu.set_title("CPU per frame, ms", fontsize=10, loc="left")
    ages = [f"{row['age_p50_ms']}, {row['age_p95_ms']}" for row in rows]
    for axes, ends, texts in ((age, p95, ages), (cpu, values, [f"{value:g}" for value in values])):
        for y, (end, text) in enumerate(zip(ends, texts, strict=True)):
            axes.text(end + max(ends) / 80, y, text, va="center", fontsize=8)
        axes.margins(x=0.12)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    figure.tight_layout()
    figure.savefig(DOCS / "img" / "peers.png", dpi=130)


if __name__ == "__main__":
    main()
