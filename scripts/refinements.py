"""Write which classifier names refine which detector class (inference/models/refines.json).

    python scripts/refinements.py

The table combines ranges of ImageNet's ids, which follow WordNet, so that breeds or birds are adjacent
(:data:`RANGES`), with a short list of names of Caltech-101 and others (:data:`NAMES`). A detector class that
is not in the table has no finer names (a person stays a person); a classifier name that is in no list says
nothing about a crop. A model's card may add to the table with ``extra["refines"] = {class: [names]}``.
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Detector's class → ImageNet class ids, first and last.
RANGES: dict[str, list[tuple[int, int]]] = {
    "dog": [(151, 268)],
    "cat": [(281, 285)],
    "bird": [(7, 24), (80, 100), (127, 146)],
    "bear": [(294, 297)],
    "sheep": [(348, 350)],
    "elephant": [(385, 386)],
    "zebra": [(340, 340)],
}
#: Detector's class → names, as ImageNet and Caltech-101 spell them.
NAMES: dict[str, list[str]] = {
    "dog": ["dalmatian", "English springer"],
    "cat": ["wild cat", "leopard", "cougar"],
    "bird": ["emu", "flamingo", "ibis", "pigeon", "rooster"],
    "bear": ["panda", "giant panda"],
    "cow": ["ox", "bison", "water buffalo"],
    "horse": ["sorrel"],
    "car": [
        "ambulance", "beach wagon", "cab", "convertible", "garbage truck", "golfcart", "jeep", "limousine",
        "minivan", "Model T", "pickup", "police van", "racer", "recreational vehicle", "sports car",
        "moving van", "tow truck",
    ],
    "truck": [
        "fire engine", "garbage truck", "moving van", "pickup", "tow truck", "trailer truck", "tractor",
        "snowplow",
    ],
    "bus": ["minibus", "school bus", "trolleybus"],
    "train": ["bullet train", "electric locomotive", "steam locomotive", "freight car", "passenger car"],
    "motorcycle": ["moped", "motor scooter"],
    "bicycle": ["bicycle-built-for-two", "mountain bike", "tricycle"],
    "airplane": ["airliner", "warplane", "helicopter"],
    "boat": [
        "canoe", "catamaran", "container ship", "ferry", "fireboat", "gondola", "ketch", "lifeboat", "liner",
        "schooner", "speedboat", "trimaran", "yawl",
    ],
    "bottle": ["beer bottle", "pop bottle", "water bottle", "wine bottle", "pill bottle"],
    "cup": ["coffee mug", "beer glass", "goblet", "measuring cup", "ewer"],
    "chair": ["barber chair", "folding chair", "rocking chair", "throne", "wheelchair"],
    "couch": ["studio couch"],
    "potted plant": ["bonsai"],
    "clock": ["analog clock", "digital clock", "wall clock", "watch"],
    "sports ball": [
        "baseball", "basketball", "croquet ball", "golf ball", "ping-pong ball", "rugby ball", "soccer ball",
        "tennis ball", "volleyball",
    ],
    "tv": ["monitor", "screen", "television"],
    "laptop": ["notebook"],
    "bed": ["four-poster", "crib"],
    "dining table": ["desk", "pool table"],
    "umbrella": [],
    "person": [],
}  # fmt: skip


def main() -> int:
    lines = (ROOT / "edgecam/nn/labels/imagenet.txt").read_text().splitlines()
    imagenet = [line for line in lines if line and not line.startswith("#")]
    table: dict[str, list[str]] = {}
    for label in sorted({*RANGES, *NAMES}):
        names = [imagenet[i] for low, high in RANGES.get(label, []) for i in range(low, high + 1)]
        names += NAMES.get(label, [])
        table[label] = sorted(set(names), key=str.lower)
    target = ROOT / "edgecam/inference/models/refines.json"
    target.write_text(json.dumps({x: names for x, names in table.items() if names}, indent=1) + "\n")
    print(f"{target}: {sum(map(len, table.values()))} names for {len(table)} classes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
