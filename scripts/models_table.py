"""Write models/README.md from the cards in models/*.onnx: ``models_table.py [--check] [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgecam.inference.models.card import Card
from edgecam.inference.models.store import base_name, load_card

MODELS = Path(__file__).resolve().parents[1] / "models"
README = MODELS / "README.md"

#: For each task: heading, and the card's metrics in the table with the titles of their columns.
TASKS: dict[str, tuple[str, dict[str, str]]] = {
    "detection": ("Detectors", {"AP50": "AP50", "AP": "AP", "core_AP50": "core AP50", "core_AP": "core AP"}),
    "classification": (
        "Classifiers",
        {
            "top1": "top-1 %",
            "top5": "top-5 %",
            "mean_per_class": "mean per class %",
            "false_names": "other things named %",
        },
    ),
}

HEAD = """\
# Shipped models

<!-- Made by scripts/models_table.py from the cards inside the files; do not edit. -->

The detectors and classifiers that come with edgecam. `edgecam models` lists them, `edgecam models info
NAME` shows one in full, and [a page with pictures](../docs/what-models-see.md) shows what the default
detector finds and misses.

Each is there twice: in float (fp32), and in 8-bit integers (int8), which take a quarter of the space.
edgecam runs whichever is faster on your board. *AP50* and *AP* are COCO's average precision, where 1
would be no mistake at all; *core* is the mean over the eleven classes that matter most (person, dog,
cat, sheep, horse, cow, car, chair, bottle, couch, potted plant). Figures are those of the file itself.

"""


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f}"


def _number(value: float | int | None, scale: float = 1.0, digits: int = 2) -> str:
    return "–" if value is None else f"{value / scale:.{digits}f}"


def _metric(card: Card | None, name: str) -> str:
    value = None if card is None else card.metrics.get(name)
    return "–" if value is None else (f"{value:.3f}" if abs(value) <= 1 else f"{value:.1f}")


def _speed(card: Card | None) -> str:
    speed = {} if card is None else card.extra.get("speed", {})
    return f"{speed['ratio']:.2f}×" if "ratio" in speed else "–"


def _reference(card: Card | None) -> str:
    """How many times as fast as the reference in ``extra["reference_speed"]`` of the card, by threads."""
    found = {} if card is None else card.extra.get("reference_speed", {})
    return " / ".join(f"{ratio:.2f}×" for _, ratio in sorted(found.get("ratio", {}).items())) or "–"


def _row(
    name: str, fp32: tuple[Path, Card] | None, int8: tuple[Path, Card] | None, metrics: dict[str, str]
) -> str:
    first = fp32 or int8
    assert first is not None
    path, card = first
    quantised = int8[1] if int8 else None
    width = "" if card.width_multiplier == 1 else f" ×{card.width_multiplier:g}"
    floating = card if fp32 else None
    role = card.extra.get("role", "")
    cells = [
        f"`{name}`" + (f" ({role})" if role else ""),
        f"{card.architecture}{width}",
        f"{card.resolution[0]}×{card.resolution[1]}",
        str(len(card.labels)),
        _number(card.parameters, 1e6),
        _number(card.macs, 1e6, 0),
        f"{_size(path) if fp32 else '–'} / {_size(int8[0]) if int8 else '–'}",
        *(f"{_metric(floating, key)} / {_metric(quantised, key)}" for key in metrics),
        _speed(quantised),
        f"{_reference(floating)}; {_reference(quantised)}",
    ]
    return "| " + " | ".join(cells) + " |"


def _details(name: str, card: Card, int8: Card | None) -> str:
    lines = [f"### {name}", ""]
    made = [
        card.created,
        f"seed {card.seed}" if card.seed is not None else "",
        f"commit {card.commit}" if card.commit else "",
    ]
    for title, text in (
        ("Licence", card.licence),
        ("Origin", card.origin),
        ("Training data", card.training_data),
        ("Teacher", card.teacher),
        ("Known failures", card.known_failures),
        ("Weak classes, mostly missed", ", ".join(card.weak_labels)),
        ("Trained", ", ".join(filter(None, made))),
        ("Quantised", _quantised(int8)),
        ("Weights", f"SHA-256 `{card.weights_sha256}`"),
    ):  # fmt: skip
        if text:
            lines.append(f"- {title}: {text}")
    if card.per_class:
        figure = "AP50" if card.task == "detection" else "recognised %"
        ordered = sorted(card.per_class.items(), key=lambda item: -item[1])
        listing = ", ".join(
            f"{k} {v:.2f}" if v <= 1 and figure == "AP50" else f"{k} {v:.0f}" for k, v in ordered
        )
        lines.append(f"- Per class ({figure}): {listing}")
    return "\n".join(lines) + "\n"


def _quantised(int8: Card | None) -> str:
    if int8 is None:
        return ""
    about, speed = int8.extra.get("int8", {}), int8.extra.get("speed", {})
    parts = []
    if about.get("delta"):
        parts.append("change " + ", ".join(f"{k} {v:+.3g}" for k, v in about["delta"].items()))
    if about.get("kept_float"):
        parts.append(f"{len(about['kept_float'])} layers in float")
    if speed:
        parts.append(
            f"{speed['fp32_ms']:.1f} → {speed['int8_ms']:.1f} ms, "
            f"{speed['threads']} thread(s), {speed['machine']}"
        )
    return "; ".join(parts)


def render(folder: Path) -> str:
    """The README's text for the model files in ``folder``."""
    pairs: dict[str, dict[str, tuple[Path, Card]]] = {}
    for path in sorted(folder.glob("*.onnx")):
        card = load_card(path)
        pairs.setdefault(base_name(path.stem), {})[card.precision] = (path, card)
    text = HEAD
    for task, (title, metrics) in TASKS.items():
        chosen = {n: p for n, p in pairs.items() if next(iter(p.values()))[1].task == task}
        if not chosen:
            continue
        shown = {
            k: v
            for k, v in metrics.items()
            if any(k in c.metrics for p in chosen.values() for _, c in p.values())
        }
        columns = ["model", "architecture", "input", "labels", "params M", "MMACs", "MB fp32 / int8"]
        columns += [f"{t} fp32 / int8" for t in shown.values()]
        columns += ["int8 speed", "speed against ssdlite320, 1 / 2 threads: fp32; int8"]
        text += f"## {title}\n\n| " + " | ".join(columns) + " |\n"
        text += "|---" * len(columns) + "|\n"
        for name, files in chosen.items():
            text += _row(name, files.get("fp32"), files.get("int8"), shown) + "\n"
        text += "\n"
        for name, files in chosen.items():
            cards = {precision: card for precision, (_, card) in files.items()}
            text += _details(name, cards.get("fp32") or cards["int8"], cards.get("int8")) + "\n"
    return text.rstrip() + "\n"


def main(argv: list[str]) -> int:
    """Write the README, or with ``--check`` only report whether it is up to date."""
    folder = next((Path(a) for a in argv if not a.startswith("-")), MODELS)
    readme = folder / "README.md"
    text = render(folder)
    if "--check" in argv:
        same = readme.is_file() and readme.read_text(encoding="utf-8") == text
        sys.stdout.write(
            "up to date\n" if same else "models/README.md is stale: run scripts/models_table.py\n"
        )
        return 0 if same else 1
    readme.write_text(text, encoding="utf-8")
    sys.stdout.write(f"wrote {readme}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
