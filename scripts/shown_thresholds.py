"""Measure from which score each class of a detector may be shown, and write the table beside the model.

    PYTHONPATH=. python scripts/shown_thresholds.py models/ssd-*.onnx [--data ../shared/data] [--val]

Files of one model (NAME.onnx and NAME-int8.onnx) that are given together, as above, get the same scores: the
higher of the two for each class. Two to three minutes a file on two cores.

Calibration uses pictures with hand-drawn boxes that the model was not trained on: the part of ``train.json``
that its training held out (as its card's recipe says), and ``more.json``. If the recipe trained on
``more.json``, it counts only for classes that are rare in the others, which then have to be more precise.
Then ``val.json`` is checked: if the precision of a class is below the target there, its score is raised until
it is not; if val has a dozen boxes of a class and none is found, its score is raised to the highest. Those
classes are printed and listed in the table (``on_val``); val no longer measures them.
``--val`` measures the table's thresholds on val, class by class, beside those of the card (a Markdown table);
``--keep`` measures the existing table.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecam.core.families import PERSON, family_codes
from edgecam.core.types import Frame
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.models.card import Card
from edgecam.inference.models.shown import ShownTable, read_table, table_path
from edgecam.inference.postprocess import CROSS_CLASS_IOU, Thresholds
from edgecam.nn.detection.evaluation.judged import Judged, Seen, judge, together, with_trained
from edgecam.nn.detection.evaluation.second_look import contradicted, never_right
from edgecam.nn.detection.evaluation.shown import (
    HIGHEST,
    SURE,
    TARGET,
    lowered,
    rows,
    scores,
    shape_limits,
)
from edgecam.nn.labels.coco import COCO80, VOC_TO_COCO

#: Detections with a lower score are ignored.
LEAST = 0.1
#: How many pictures of each collection are used if the model was trained on it: its weight is no higher than
#: that (edgecam.nn.detection.evaluation.shown.PER_SOURCE).
SOME = 80
#: The classes with boxes in every picture of VOC, in COCO's names.
VOC = frozenset(VOC_TO_COCO.values()) | {
    "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dog", "horse", "person",
    "sheep", "train",
}  # fmt: skip


class Labelled:
    """A COCO file: its pictures, the hand-drawn boxes, and the classes that are completely annotated."""

    def __init__(self, path: Path) -> None:
        data = json.loads(path.read_text())
        self.name = path.stem
        self.names = {c["id"]: str(c["name"]) for c in data["categories"]}
        self.images: list[dict[str, Any]] = data["images"]
        self.boxes: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for a in data["annotations"]:
            self.boxes[a["image_id"]].append(a)

    def complete(self, image: dict[str, Any]) -> frozenset[str]:
        """The classes of which every object in ``image`` has a hand-drawn box."""
        if "exhaustive" in image:
            return frozenset(image["exhaustive"])
        if image["source"] == "voc2012":
            return VOC
        if image["source"] == "coco2017":  # in val.json, VOC's classes and truck; in train.json, all
            return VOC | {"truck"} if self.name == "val" else frozenset(COCO80)
        return frozenset()


def held_out(card: Card, train: Labelled, more: Labelled | None) -> list[tuple[Labelled, dict[str, Any]]]:
    """Pictures with hand-drawn boxes that the model was not trained on."""
    recipe = card.extra.get("recipe", {})
    data = recipe.get("data", {})
    sources = set(data.get("dev_sources", ()))
    extra_trained = "more.json" in data.get("more", ())
    pool = [(train, i) for i in train.images]
    if extra_trained and more is not None:
        pool += [(more, i) for i in more.images]
    able = [k for k, (_, i) in enumerate(pool) if not sources or i["source"] in sources]
    count = min(int(data.get("dev", 0)), len(able) // 3)
    rng = np.random.default_rng([int(recipe.get("seed", 0)), 1])
    chosen = sorted(rng.choice(np.array(able, np.int64), count, replace=False).tolist()) if count else []
    pictures = [pool[k] for k in chosen]
    if not extra_trained and more is not None:
        pictures += [(more, i) for i in more.images]
    return pictures


def some_of_each(data: Labelled) -> list[tuple[Labelled, dict[str, Any]]]:
    """The same :data:`SOME` pictures of every collection each time."""
    order = np.random.default_rng(0).permutation(len(data.images)).tolist()
    count: dict[str, int] = defaultdict(int)
    chosen = []
    for k in order:
        source = data.images[k]["source"]
        count[source] += 1
        if count[source] <= SOME:
            chosen.append((data, data.images[k]))
    return chosen


def look(detector: OnnxDetector, pictures: list[tuple[Labelled, dict[str, Any]]], folder: Path) -> list[Seen]:
    """What the detector finds from score :data:`LEAST` on, with the hand-drawn boxes."""
    index = {label: c for c, label in enumerate(detector.labels)}
    seen = []
    for data, image in pictures:
        complete = frozenset(index[x] for x in data.complete(image) if x in index)
        picture = cv2.imread(str(folder / image["file_name"]), cv2.IMREAD_COLOR)
        if not complete or picture is None:
            continue
        found = detector.detect(Frame(picture, 0, 0, image["source"]))
        rows = [a for a in data.boxes[image["id"]] if data.names[a["category_id"]] in index]
        xywh = np.array([a["bbox"] for a in rows], np.float32).reshape(-1, 4)
        crowd = [bool(a.get("iscrowd", 0)) or a.get("origin", "people") != "people" for a in rows]
        seen.append(
            Seen(
                image["source"],
                found.xyxy,
                found.score,
                found.class_id,
                np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
                np.array([index[data.names[a["category_id"]]] for a in rows], np.int64),
                np.array(crowd, bool),
                complete,
            )
        )
    return seen


def shapes_of(sets: list[Labelled], labels: tuple[str, ...]) -> dict[int, list[tuple[float, float, float]]]:
    """(width, height, aspect) of the hand-drawn boxes per class, without those at the picture's border."""
    index = {label: c for c, label in enumerate(labels)}
    made: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    for data in sets:
        for image in data.images:
            width, height = image["width"], image["height"]
            for a in data.boxes[image["id"]]:
                x, y, w, h = a["bbox"]
                label = data.names[a["category_id"]]
                whole = x > 1 and y > 1 and x + w < width - 1 and y + h < height - 1 and w > 1 and h > 1
                if (
                    whole
                    and label in index
                    and not a.get("iscrowd")
                    and a.get("origin", "people") == "people"
                ):
                    made[index[label]].append((w / width, h / height, w / h))
    return made


def at(one: Judged, score: float) -> tuple[int, int]:
    """(right, all) detections with at least ``score``."""
    above = [right for s, right, _ in one.looks if s >= score]
    return sum(above), len(above)


def report(card: Card, table: ShownTable, judged: list[Judged]) -> str:
    """Precision and recall on val at the card's and at the table's thresholds, as Markdown."""
    lines = [
        f"{card.name} ({card.precision}) on val.json, single pictures, IoU 0.5",
        "",
        "| class | boxes | card's score | precision | recall | shown | precision | recall | dependable |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for label, one in zip(card.labels, judged, strict=True):
        boxes = sum(one.boxes.values())
        if not boxes:
            continue
        row = table.classes[label]
        cells = []
        for score in (card.thresholds.get(label, card.score_threshold), row.show):
            right, count = at(one, score)
            cells += [
                f"{score:.3f}",
                f"{right / count:.2f} ({count})" if count else "– (0)",
                f"{right / boxes:.2f}",
            ]
        told = ", ".join(["yes"] * row.dependable + ["chosen on val"] * row.on_val)
        lines.append(f"| {label} | {boxes} | {' | '.join(cells)} | {told} |")
    return "\n".join(lines)


def open_all(path: Path) -> OnnxDetector:
    """Open the detector so that it returns everything from score :data:`LEAST` on."""
    detector = OnnxDetector(path, classes=("all",))
    low = np.full(len(detector.labels), LEAST, np.float32)
    detector.deliver(Thresholds(low, detector.card.nms_iou, 200, CROSS_CLASS_IOU))
    return detector


def judged_on(
    detector: OnnxDetector, pictures: list[tuple[Labelled, dict[str, Any]]], data: Path
) -> list[Judged]:
    return judge(look(detector, pictures, data / "images"), len(detector.labels))


def people_of(detector: OnnxDetector) -> frozenset[int]:
    """The ids of the classes that are people."""
    return frozenset((family_codes(detector.labels) == PERSON).nonzero()[0].tolist())


def base(path: Path) -> str:
    """The part of the name that files of one model share."""
    return path.stem.removesuffix("-int8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--target", type=float, default=TARGET)
    parser.add_argument("--val", action="store_true", help="print what the table shows on val.json")
    parser.add_argument("--keep", action="store_true", help="measure the table that is there")
    options = parser.parse_args()
    train, val = (Labelled(options.data / f"{name}.json") for name in ("train", "val"))
    more = Labelled(options.data / "more.json") if (options.data / "more.json").is_file() else None
    detectors = {path: open_all(path) for path in options.models}
    tables: dict[Path, ShownTable] = {}
    if options.keep:
        tables = {p: t for p, d in detectors.items() if (t := read_table(p, d.card)) is not None}
    held = {p: held_out(d.card, train, more) for p, d in detectors.items() if p not in tables}
    found = {p: judged_on(detectors[p], held[p], options.data) for p in held}
    on_val = {
        p: judged_on(d, [(val, i) for i in val.images], options.data)
        for p, d in detectors.items()
        if p in held or options.val
    }
    few: dict[Path, frozenset[int]] = dict.fromkeys(held, frozenset())
    people: dict[Path, list[Judged]] = {}
    for path, pictures in held.items():
        if more is not None and all(data is not more for data, _ in pictures):
            further = judged_on(detectors[path], some_of_each(more), options.data)
            people[path] = together(found[path], further, people_of(detectors[path]))
            found[path], few[path] = with_trained(found[path], further)

    def scores_of(path: Path, target: float) -> NDArray[np.float64]:
        made = scores(found[path], detectors[path].labels, target, few[path])
        if path not in people:
            return made
        return lowered(made, people[path], people_of(detectors[path]), target)

    for path, pictures in held.items():
        card = detectors[path].card
        twins = [p for p in held if base(p) == base(path) and detectors[p].labels == card.labels]
        show, sure = (
            np.max([scores_of(p, target) for p in twins], axis=0)
            for target in (options.target, max(SURE, options.target))
        )
        raised: set[int] = set()
        for twin in twins:
            show, those = contradicted(show, on_val[twin], options.target)
            raised |= those
        for c in set().union(*(never_right(show, on_val[twin]) for twin in twins)):
            show[c], sure[c] = HIGHEST, HIGHEST
            raised.add(c)
        limits = shape_limits(shapes_of([train, *([more] if more else [])], card.labels))
        words = [x for c, x in enumerate(card.labels) if c in raised]
        tables[path] = ShownTable(
            weights_sha256=card.weights_sha256,
            target=options.target,
            measured_on=f"{len(pictures)} pictures that were not trained on, of "
            + ", ".join(sorted({f"{d.name}.json" for d, _ in pictures}))
            + (f"; people and {len(few[path])} rare classes on more.json too, which was" if few[path] else "")
            + (f"; raised after a look at val.json: {', '.join(words)}" if words else ""),
            classes=rows(found[path], card.labels, show, sure, limits, raised),
        )
        made = msgspec.json.format(msgspec.json.encode(tables[path]), indent=1)
        table_path(path).write_bytes(made + b"\n")
        on = [x for x, row in tables[path].classes.items() if row.dependable]
        print(f"{table_path(path)}: dependable are {', '.join(on)}; val raised {words}", flush=True)
    if options.val:
        for path, detector in detectors.items():
            print(report(detector.card, tables[path], on_val[path]), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
