"""Time the shipped models and ssdlite320_mobilenet_v3_large in one run, and write the result into the cards.

``python scripts/reference_speed.py [FILE...]`` (default: all of models/*.onnx). The reference is
torchvision's architecture (COCO, 91 classes), exported by the same exporter. Its weights are random, which
does not change its speed. Files take turns, so other load affects all alike; times are those of the
fastest fifth. Run models_table.py afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
import numpy as np
import torch

from edgecam.inference.models.card import Card
from edgecam.inference.models.store import base_name
from edgecam.nn.export.card_writer import read_card, write_card
from edgecam.nn.export.onnx import UintInput, export_onnx, find_stem
from edgecam.nn.export.timing import machine_name, time_files
from edgecam.nn.labels.coco import COCO80
from edgecam.nn.networks.ssd import SSD
from edgecam.nn.networks.ssdlite320 import NAME, DeployedSSDLite, ssdlite320_config

MODELS = Path(__file__).resolve().parents[1] / "models"


def export_reference(path: Path) -> None:
    torch.manual_seed(0)
    model = SSD(ssdlite320_config()).eval()
    card = Card(name=NAME, task="detection", architecture=NAME, labels=tuple(COCO80), resolution=(320, 320))
    sample = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    export_onnx(DeployedSSDLite(model, UintInput(stem=find_stem(model))), card, path, sample=sample)


def measure(files: list[Path], reference: Path, threads: int, runs: int) -> tuple[list[float], float]:
    """(milliseconds of each file, milliseconds of the reference), measured in turns."""
    rng = np.random.default_rng(0)
    sizes = [read_card(file).resolution for file in files] + [(320, 320)]
    pictures = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in sizes]
    *own, theirs = time_files([*files, reference], pictures, threads=threads, runs=runs)
    return own, theirs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=60)
    arguments = parser.parse_args()
    files: list[Path] = arguments.files or sorted(MODELS.glob("*.onnx"))
    torch.set_num_threads(1)
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(base_name(file.stem), []).append(file)
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference.onnx"
        export_reference(reference)
        for group in groups.values():
            group.sort(key=lambda file: read_card(file).precision)  # fp32 before int8
            found: list[dict[str, dict[str, object]]] = [{"ms": {}, "ratio": {}} for _ in group]
            speed: dict[str, object] = {}
            for threads in (1, 2):
                own, theirs = measure(group, reference, threads, arguments.runs)
                for file, ms, entry in zip(group, own, found, strict=True):
                    entry["ms"][str(threads)] = [round(ms, 2), round(theirs, 2)]
                    entry["ratio"][str(threads)] = round(theirs / ms, 2)
                    sys.stdout.write(
                        f"{file.name:<42} {threads} thread(s): {ms:7.2f} ms, {NAME} {theirs:7.2f} ms, "
                        f"{theirs / ms:.2f} times as fast\n"
                    )
                if threads == 1 and len(group) == 2:
                    speed = {"fp32_ms": round(own[0], 2), "int8_ms": round(own[1], 2), "threads": 1}
                    speed |= {"ratio": round(own[0] / own[1], 2), "machine": machine_name()}
            for file, entry in zip(group, found, strict=True):
                card = read_card(file)
                extra = {
                    **card.extra,
                    "reference_speed": {"name": NAME, "machine": machine_name(), **entry},
                }
                if speed and card.precision == "int8":
                    extra["speed"] = speed
                write_card(file, msgspec.structs.replace(card, extra=extra))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
