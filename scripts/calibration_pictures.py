"""Make a folder of pictures for measuring int8 ranges, all from the training parts of the data:

``python scripts/calibration_pictures.py detection|classification --data ../shared/data -o runs/calibration``.

Detection: 200 photographs of ``train.json``, a fixed number from each source. Classification: 160 labelled
pictures that no classifier's training held out (half from imagenette, half from Caltech-101), and 40 crops of
other objects, since the app classifies the detector's crops. The selection is always the same.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

DETECTION = {"voc2012": 70, "coco2017": 40, "cars_trucks": 20, "ped": 25, "people": 15, "office": 10,
             "dogcat": 10, "animalpose_extra": 10}  # fmt: skip
CLASSIFICATION = {"imagenette": 80, "caltech": 80}
OTHER_THINGS = 40
#: The fraction that the classifiers' recipes hold out (edgecam/nn/recipes/classifier-*.toml).
HELD_OUT, SEED = 0.15, 0


def link(files: list[Path], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        place = target / file.name
        if not place.exists():
            place.symlink_to(file.resolve())


def detection(data: Path) -> list[Path]:
    by_source: dict[str, list[str]] = {}
    for image in json.loads((data / "train.json").read_text())["images"]:
        by_source.setdefault(image["source"], []).append(image["file_name"])
    random.seed(1)
    return [
        data / "images" / name
        for source, count in DETECTION.items()
        if source in by_source
        for name in random.sample(sorted(by_source[source]), min(count, len(by_source[source])))
    ]


def classification(data: Path, target: Path) -> list[Path]:
    import cv2

    from edgecam.nn.classification.data import load_pictures, read_coco_classes, split

    every, others = read_coco_classes(data / "train.json", data / "images", OTHER_THINGS)
    learnt = split(every, HELD_OUT, SEED)[0]
    target.mkdir(parents=True, exist_ok=True)
    for number, crop in enumerate(load_pictures(others)):
        cv2.imwrite(str(target / f"other-{number:02d}.png"), crop)
    random.seed(1)
    chosen = []
    for source, count in CLASSIFICATION.items():
        known = sorted(f for f in learnt.files if f.name.startswith(source))
        chosen += random.sample(known, min(count, len(known)))
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=["detection", "classification"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    if options.task == "detection":
        link(detection(options.data), options.output)
    else:
        link(classification(options.data, options.output), options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
