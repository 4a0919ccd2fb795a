"""What ``edgecam models`` and ``edgecam models info`` print: a table that fits, and a page that reads."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgecam.inference.models.card import Card
from edgecam.inference.models.store import base_name, list_models, shipped_folder, user_folder
from edgecam.nn.hub.registry import Official

#: Where the output goes to a file or a program, lines are this long.
PIPE_WIDTH = 100
#: Classes named as the best and the worst.
_NAMED = 6
#: Names of classes that are written out; ImageNet's thousand are not.
_LISTED = 120


def columns(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Rows with their cells under one another, two spaces apart; right: numbers of columns of figures."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    cells = [
        [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]
    return ["  ".join(row).rstrip() for row in cells]


def list_lines(official: Sequence[Official]) -> Iterator[str]:
    """Models here, one line for the files of one model; then the weights that can be fetched."""
    families: dict[tuple[str, Path], list[tuple[Path, Card]]] = {}
    for path, card in list_models():
        families.setdefault((base_name(path.stem), path.parent), []).append((path, card))
    if not families:
        yield f"No models: neither in {user_folder()} nor in {shipped_folder()}"
    for task, title in (("detection", "Detectors here"), ("classification", "Classifiers here")):
        rows = [_here(name, files) for (name, _), files in families.items() if files[0][1].task == task]
        if rows:
            yield f"{title}"
            head = ("name", "role", "kinds", "px", "MB", "score", "")
            yield from _indented(columns([head, *rows], right=frozenset({2, 3, 4})))
            yield ""
    if any(len(files) > 1 for files in families.values()):
        yield "Two sizes: the float file and its int8 twin, NAME-int8; the faster one is run."
        yield ""
    present = {name for name, _ in families}
    for task, title in (("detection", "Detectors"), ("classification", "Classifiers")):
        yield f"{title} that others published: edgecam models pull NAME"
        rows = [_to_pull(entry, present) for entry in official if entry.task == task]
        yield from _indented(
            columns([("name", "px", "params", "score", "licence"), *rows], right=frozenset({1, 2}))
        )
        yield ""
    yield "More of one: edgecam models info NAME. Its layers: edgecam models describe NAME."
    yield f"Your folder: {user_folder()}"


def _indented(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines)


def _here(name: str, files: list[tuple[Path, Card]]) -> tuple[str, ...]:
    files.sort(key=lambda file: file[1].precision)  # fp32 before int8
    path, card = files[0]
    role = card.extra.get("role")
    return (
        name if len(files) > 1 else path.stem,
        role if isinstance(role, str) else "",
        str(len(card.labels)),
        str(card.resolution[0]),
        " / ".join(f"{each.stat().st_size / 1e6:.1f}" for each, _ in files),
        _score(card),
        "yours" if path.parent == user_folder() else "",
    )


def _score(card: Card) -> str:
    for name, shown in (("AP50", "AP50 {:.2f}"), ("top1", "top-1 {:.1f}"), ("top-1", "top-1 {:.1f}")):
        if name in card.metrics:
            return shown.format(card.metrics[name])
    return ", ".join(f"{name} {value:g}" for name, value in list(card.metrics.items())[:1])


def _to_pull(entry: Official, present: set[str]) -> tuple[str, ...]:
    score = f"{entry.score[0]} {entry.score[1]:.1f}" if entry.score else "" if entry.url else "not for torch"
    here = " (here)" if entry.name in present else ""
    return entry.name, str(entry.resolution), f"{entry.parameters / 1e6:.1f} M", score, entry.licence + here


# -- one model


def page_width() -> int:
    """Columns of the terminal, not wider than text reads well."""
    return min(shutil.get_terminal_size((PIPE_WIDTH, 24)).columns, 110)


def laid_out(title: str, rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """A title, and below it names with their texts, wrapped beside them."""
    yield title
    indent = 2 + max((len(name) for name, _ in rows), default=0) + 2
    for name, text in rows:
        yield from textwrap.wrap(
            text,
            max(width, indent + 20),
            initial_indent=f"  {name}".ljust(indent),
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        )


def model_rows(path: Path, card: Card) -> list[tuple[str, str]]:
    """What a person wants to know of a model file, in their order."""
    kinds = f"{len(card.labels)} {'classes' if card.task == 'classification' else 'kinds of things'}"
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    rows = [
        ("sees", f"{kinds} in a picture of {card.resolution[0]}x{card.resolution[1]} pixels"),
        ("file", f"{path}, {size}, {'8-bit integers' if card.precision == 'int8' else 'float'}"),
        ("network", _network(card)),
        ("score", _figures(card)),
        *_best_and_worst(card),
    ]
    if card.task == "detection":
        rows.append(("shown", _thresholds(card)))
    for name, text in (
        ("misses", card.known_failures),
        ("names", ", ".join(card.labels[:_LISTED]) + (" …" if len(card.labels) > _LISTED else "")),
        ("trained on", card.training_data),
        ("taught by", card.teacher),
        ("from", card.origin),
        ("licence", card.licence),
        ("made", " ".join(filter(None, (card.created, f"at {card.commit}" if card.commit else "")))),
        ("weights", f"SHA-256 {card.weights_sha256}" if card.weights_sha256 else ""),
    ):
        rows.append((name, text))
    return [(name, text) for name, text in rows if text]


def _network(card: Card) -> str:
    width = f", width {card.width_multiplier:g}" if card.width_multiplier != 1.0 else ""
    parameters = f", {card.parameters / 1e6:.2f} million parameters" if card.parameters else ""
    macs = f", {card.macs / 1e6:,.0f} million multiply-adds a picture" if card.macs else ""
    return f"{card.architecture}{width}{parameters}{macs}"


def _figures(card: Card) -> str:
    if "AP50" in card.metrics:
        names = {"AP50": "AP50", "AP": "AP", "person_AP50": "people AP50"}
        names |= {"AP_small": "small things AP", "AP_medium": "medium AP", "AP_large": "large AP"}
        return ", ".join(f"{text} {card.metrics[n]:.2f}" for n, text in names.items() if n in card.metrics)
    if "top1" in card.metrics:
        names = {"top1": "right at the first guess", "top5": "among five guesses"}
        names |= {"mean_per_class": "mean over classes", "false_names": "other things named"}
        return ", ".join(f"{text} {card.metrics[n]:.1f} %" for n, text in names.items() if n in card.metrics)
    return ", ".join(f"{name} {value:g}" for name, value in card.metrics.items())


def _best_and_worst(card: Card) -> Iterator[tuple[str, str]]:
    ranked = sorted(card.per_class.items(), key=lambda item: -item[1])
    percent = bool(ranked) and ranked[0][1] > 1  # a classifier's; a detector's are average precisions
    shown = [f"{label} {value:.0f} %" if percent else f"{label} {value:.2f}" for label, value in ranked]
    if len(ranked) > 2 * _NAMED:
        yield "best at", ", ".join(shown[:_NAMED])
        yield "worst at", ", ".join(shown[: -_NAMED - 1 : -1])
    elif ranked:
        yield "per class", ", ".join(shown)
    if card.weak_labels:
        yield "weak at", f"{', '.join(card.weak_labels)}: most of them are missed"


def _thresholds(card: Card) -> str:
    text = f"from a score of {card.score_threshold:.2f} on"
    if card.thresholds:
        low, high = min(card.thresholds.values()), max(card.thresholds.values())
        text += f"; {len(card.thresholds)} kinds have their own, {low:.2f} to {high:.2f}"
    return text + " (--score changes it)"


def title_of(path: Path, card: Card) -> str:
    """``pan-mobilenet-v1-320: default detector``."""
    role = card.extra.get("role")
    task = "detector" if card.task == "detection" else "classifier"
    return f"{path.stem}: {f'{role} ' if isinstance(role, str) else ''}{task}"
