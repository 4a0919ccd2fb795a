"""Teach the published PicoDet-S our data before it teaches others:

    OMP_NUM_THREADS=1 python -m torch.distributed.run --standalone --nproc-per-node 2 \\
        scripts/tune_teacher.py --data ../shared/data --cache runs/cache -o runs/teacher.npz

It learns from people's boxes and the fused soft labels as a student does, with its own published answers
beside them, at the recipe's size and on the recipe's pictures (seed and held-out pictures are the recipe's).
The output has the published file's layout: give it to ``edgecam train --teacher``. It is a tool of training
and is not shipped.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor, nn

from edgecam.core.progress import ProgressLine
from edgecam.nn.detection.config import TrainConfig, read_recipe
from edgecam.nn.detection.data import DetectionSet, PixelCache, find_annotations
from edgecam.nn.detection.gfl_loss import Answer, Weights, gfl_loss
from edgecam.nn.detection.loader import Batch, Loader, split_dev
from edgecam.nn.detection.objective import labels_of
from edgecam.nn.detection.sources import training_set
from edgecam.nn.hub.picodet import load_picodet, save_picodet
from edgecam.nn.networks.picodet import PicoDet
from edgecam.nn.training.depthwise import quicken
from edgecam.nn.training.host import Host, average_gradients, find_host, precision_of

#: A network that is trained on with its batch norm folded: a short warm-up, a moving average of 100 steps.
_WARMUP, _EMA, _CLIP, _WEIGHT_DECAY, _LAST_RATE = 30, 0.99, 10.0, 0.01, 0.02


def loss_of(student: PicoDet, published: PicoDet, batch: Batch, side: int, host: Host) -> Tensor:
    """The loss of one batch; the published network's answers are targets wherever people are silent."""
    pictures = batch.pictures.to(host.device)
    with precision_of(host):
        with torch.no_grad():
            logits, theirs, _ = published(pictures)
        own, sides, _ = student(pictures)
    theirs = theirs.float()
    answer = Answer(torch.sigmoid(logits.float()), theirs, published.pixel_boxes(theirs))
    labels = [labels_of(target.to(host.device), side) for target in batch.targets]
    parts = gfl_loss(
        own.float(),
        sides.float(),
        published.points,
        published.cell_strides,
        labels,
        Weights(copied=1.0),
        answer,
    )
    return parts["total"]


def tune(
    published: PicoDet,
    data: DetectionSet,
    pixels: PixelCache,
    recipe: TrainConfig,
    steps: int,
    rate: float,
    host: Host,
) -> PicoDet:
    """The moving average of a copy of ``published`` after ``steps`` batches down a cosine from ``rate``."""
    train_set, _, train_at, _ = split_dev(data, recipe)
    side = recipe.model.resolution
    published = published.to(host.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    student = copy.deepcopy(published).requires_grad_(True)
    average = copy.deepcopy(published).eval()
    if host.bf16 and host.device == "cpu":
        quicken(student)
    heavy, light = ([p for p in student.parameters() if (p.ndim > 1) == many] for many in (True, False))
    optimiser = torch.optim.AdamW(
        [{"params": heavy, "weight_decay": _WEIGHT_DECAY}, {"params": light, "weight_decay": 0.0}], lr=rate
    )
    loader = Loader(
        train_set, pixels, train_at, recipe, side, first=0, last=steps, rank=host.rank, world=host.world
    )
    with loader, ProgressLine() as progress:
        for step, batch in enumerate(loader):
            cosine = (1 + math.cos(math.pi * step / steps)) / 2
            now = rate * min(1.0, (step + 1) / _WARMUP) * (_LAST_RATE + (1 - _LAST_RATE) * cosine)
            for group in optimiser.param_groups:
                group["lr"] = now
            loss = loss_of(student, published, batch, side, host)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if host.world > 1:
                average_gradients(student, host.world)
            nn.utils.clip_grad_norm_(student.parameters(), _CLIP)
            optimiser.step()
            keep = min(_EMA, (1 + step) / (10 + step))
            with torch.no_grad():
                for mine, theirs in zip(average.parameters(), student.parameters(), strict=True):
                    mine.lerp_(theirs, 1 - keep)
            if host.rank == 0:
                progress(f"tuning the teacher, loss {float(loss.detach()):.3f}", step + 1, steps)
    return average


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="with train.json and weights/")
    parser.add_argument("--recipe", default="pan-mobilenet-v1-320")
    parser.add_argument("--published", default="weights/picodet_s_320_coco.npz", help="in the data folder")
    parser.add_argument("--pictures", type=int, default=9600)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="an .npz file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    host, recipe = find_host(), read_recipe(options.recipe)
    source = options.data / options.published
    published = load_picodet(source, recipe.model.resolution).requires_grad_(False)
    data = training_set(find_annotations(options.data, "train"), recipe.data, published.labels)
    pixels = PixelCache(data, options.cache, recipe.data.max_side)
    steps = max(1, options.pictures // recipe.optimise.batch)
    made = tune(published, data, pixels, recipe, steps, options.lr, host)
    if host.rank == 0:
        save_picodet(made, source, options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
