"""Time the shipped models against ssdlite320_mobilenet_v3_large, in one run, and write it into their cards.

``python scripts/reference_speed.py [FILE...]`` (default: all of models/*.onnx). The reference is
torchvision's architecture (COCO, 91 classes), exported by the same exporter, with random weights: they cost
what trained ones cost. Files take turns, so a busy machine slows all alike; times are medians. Run
models_table.py afterwards.
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

from edgecam.inference.card import Card
from edgecam.nn.card_writer import read_card, write_card
from edgecam.nn.coco_labels import COCO80
from edgecam.nn.export import UintInput, export_onnx, find_stem
from edgecam.nn.ssd import SSD
from edgecam.nn.ssdlite320 import NAME, DeployedSSDLite, ssdlite320_config
from edgecam.nn.timing import machine_name, time_files

MODELS = Path(__file__).resolve().parents[1] / "models"


def export_reference(path: Path) -> None:
    torch.manual_seed(0)
    model = SSD(ssdlite320_config()).eval()
    card = Card(name=NAME, task="detection", architecture=NAME, labels=tuple(COCO80), resolution=(320, 320))
    sample = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    export_onnx(DeployedSSDLite(model, UintInput(stem=find_stem(model))), card, path, sample=sample)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=60)
    arguments = parser.parse_args()
    files: list[Path] = arguments.files or sorted(MODELS.glob("*.onnx"))
    torch.set_num_threads(1)
    times: dict[Path, dict[int, tuple[float, float]]] = {file: {} for file in files}
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference.onnx"
        export_reference(reference)
        for threads in (1, 2):
            for file in files:
                width, height = read_card(file).resolution
                pictures = [
                    rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in ((320, 320), (width, height))
                ]
                own, theirs = time_files(
                    [file, reference], pictures[::-1], threads=threads, runs=arguments.runs
                )
                times[file][threads] = (own, theirs)
                sys.stdout.write(
                    f"{file.name:<42} {threads} thread(s): {own:7.2f} ms, {NAME} {theirs:7.2f} ms, "
                    f"{theirs / own:.2f} times as fast\n"
                )
    for file, by_threads in times.items():
        card = read_card(file)
        found = {
            "name": NAME,
            "machine": machine_name(),
            "ms": {str(n): [round(a, 2), round(b, 2)] for n, (a, b) in by_threads.items()},
            "ratio": {str(n): round(b / a, 2) for n, (a, b) in by_threads.items()},
        }
        write_card(file, msgspec.structs.replace(card, extra={**card.extra, "reference_speed": found}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
