"""Narrow a trained detector: ``prune_detector.py runs/whole/final.pt --recipe NAME -o pruned.pt``.

The channel numbers are in the recipe (``[model] channels``, and an SSD's ``extras``), and for a PAN
detector its resolution and whether it keeps the level that the neck adds (``extra_level``). Pictures come
from the training part of ``--data``, drawn with the recipe's seed; no labels are used. To continue
training: ``edgecam train --recipe NAME --from pruned.pt`` (an SSD with ``--teacher runs/whole/final.pt``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch

from edgecam.nn.detection.checkpoint import load_checkpoint, resize, save_checkpoint
from edgecam.nn.detection.config import read_recipe
from edgecam.nn.detection.data import PixelCache, find_annotations, load_set
from edgecam.nn.detection.graft import narrow_backbone, without_extra_level
from edgecam.nn.detection.loader import repeat_factors, split_dev
from edgecam.nn.export.prune import prune
from edgecam.nn.networks.detector import DetectionNetwork
from edgecam.nn.networks.pan_detector import PanDetector


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # small matrices: several threads would only wait for each other
    recipe = read_recipe(arguments.recipe)
    model, found = load_checkpoint(arguments.checkpoint)
    data = load_set(find_annotations(arguments.data, "train"), labels=model.config.labels)
    pixels = PixelCache(data, arguments.cache, recipe.data.max_side)
    train_set, _, train_at, _ = split_dev(data, recipe)
    weight = np.array([recipe.data.weight.get(image.source, 1.0) for image in train_set.images])
    weight = weight * repeat_factors(train_set, weight, recipe.data.balance, recipe.data.balance_limit)
    rng = np.random.default_rng([recipe.seed, 4])
    count = min(arguments.pictures, len(train_at))
    drawn = rng.choice(np.array(train_at), count, replace=False, p=weight / weight.sum())
    if isinstance(model, PanDetector):
        side_px = recipe.model.resolution
        keep = recipe.model.extra_level
        model = resize(model, side_px) if keep else without_extra_level(model, side_px)
    side = (model.config.resolution,) * 2
    block = np.stack([cv2.resize(pixels[i], side, interpolation=cv2.INTER_AREA) for i in drawn.tolist()])

    def step(name: str, number: int, of: int) -> None:
        sys.stdout.write(f"{number + 1}/{of} {name}\n")
        sys.stdout.flush()

    made: DetectionNetwork
    if isinstance(model, PanDetector):
        made = narrow_backbone(model, recipe.model.channels, torch.from_numpy(block), step)
    else:
        pictures = model.network_input(torch.from_numpy(block))
        made = prune(model, recipe.model.channels, recipe.model.extras, pictures, step)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        arguments.output, architecture=made.config.to_dict(), recipe=recipe.to_dict(),
        step=found.get("step", 0),
        ema=made.state_dict(),
    )  # fmt: skip
    before, after = (sum(p.numel() for p in m.parameters()) for m in (model, made))
    sys.stdout.write(f"{arguments.output}: {before / 1e6:.2f} to {after / 1e6:.2f} M parameters\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
