"""Check on real pictures that Google's published weights work in our networks, after export, and in int8.

``nice python scripts/published_weights_table.py [--data ../shared/data] > docs/published-weights.md``
The pictures are imagenette's (ten of ImageNet's classes); an answer is right if it is the picture's class
among all 1001. Needs the extra ``train``; takes about half an hour on one core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch

from edgecam.inference.models.card import Card
from edgecam.nn.classification.data import load_pictures, plain, read_coco_classes
from edgecam.nn.classification.evaluate import onnx_predictor
from edgecam.nn.export.onnx import ClassifierForExport, export_onnx
from edgecam.nn.export.quantize import quantize_file
from edgecam.nn.hub.npz_weights import load_published_npz
from edgecam.nn.labels import imagenet_labels
from edgecam.nn.networks.backbones import build_backbone

ROOT = Path(__file__).resolve().parents[1]

#: imagenette's classes as indices into ImageNet's 1000, each one less than the index into the 1001.
CLASSES = (
    "tench", "English springer", "cassette player", "chain saw", "church", "French horn", "garbage truck",
    "gas pump", "golf ball", "parachute",
)  # fmt: skip
NETWORKS = (
    ("V2 1.0", "mobilenet_v2", 1.0, "mobilenet_v2_1.0_224.npz"),
    ("V1 1.0", "mobilenet_v1", 1.0, "mobilenet_v1_1.0_224.npz"),
    ("V1 0.25", "mobilenet_v1", 0.25, "mobilenet_v1_0.25_224.npz"),
)
SIDE = 224
#: Calibration pictures for int8; the evaluated pictures do not include them.
CALIBRATION_PER_CLASS = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--per-class", type=int, help="at most so many pictures of each (all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    data, _ = read_coco_classes(arguments.data / "train.json", arguments.data / "images")
    rng = np.random.default_rng(0)
    chosen, truth, others = [], [], []
    for label in CLASSES:
        members = np.flatnonzero(data.targets == data.labels.index(label))
        mixed = [int(i) for i in rng.permutation(members)]
        others += mixed[:CALIBRATION_PER_CLASS]
        judged = mixed[CALIBRATION_PER_CLASS:][: arguments.per_class]
        chosen += judged
        truth += [imagenet_labels().index(label) + 1] * len(judged)
    pictures = [plain(p, SIDE) for p in load_pictures(data.subset(chosen))]
    calibration = [plain(p, SIDE) for p in load_pictures(data.subset(others))]
    right = np.array(truth)

    write = sys.stdout.write
    write(
        f"""# Google's published weights in our networks

Written by `scripts/published_weights_table.py`. Top-1 over all 1001 classes, in per cent, on {len(pictures)}
pictures of imagenette (its ten classes, less {len(calibration)} pictures for calibration; stored at 152 px,
enlarged to 224), with the weights as published: in torch, as ONNX file, and as int8 file (first and last
layer in float). "Plain" is int8 without the correction of biases that `edgecam quantize` makes. Speed: times
as fast as the float file, one thread.

| network | torch | ONNX | int8 | loss by int8 | plain int8 | its loss | speed |
|---|---:|---:|---:|---:|---:|---:|---:|
"""
    )
    with tempfile.TemporaryDirectory() as folder:
        for title, name, width, file in NETWORKS:
            network = build_backbone(name, width=width, num_classes=1001, padding="tf")
            load_published_npz(network, arguments.data / "weights" / file)
            module = ClassifierForExport(network).eval()
            path = Path(folder) / "float.onnx"
            card = Card(
                name=title,
                task="classification",
                architecture=name,
                labels=tuple(map(str, range(1001))),
                resolution=(SIDE, SIDE),
            )
            export_onnx(module, card, path, sample=pictures[:2])
            files = [path, *(path.with_name(f"{one}.onnx") for one in ("int8", "plain"))]
            report = quantize_file(path, files[1], calibration)
            quantize_file(path, files[2], calibration, correct=False)
            with torch.no_grad():
                by_torch = [int(module(torch.from_numpy(p[None])).argmax()) for p in pictures]
            tops = [100 * float(np.mean(np.array(by_torch) == right))]
            for one in files:
                predict = onnx_predictor(one)[1]
                tops.append(100 * float(np.mean([int(predict(p).argmax()) for p in pictures] == right)))
            shown = (*tops[:3], tops[1] - tops[2], tops[3], tops[1] - tops[3])
            write(f"| {title} | {' | '.join(f'{x:.1f}' for x in shown)} | {report.speed.ratio:.1f}× |\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
