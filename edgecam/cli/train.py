"""``edgecam train``: a detector on your own pictures (or a classifier, with ``--task classification``)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgecam.core.console import out
from edgecam.core.errors import ConfigError, MissingExtraError
from edgecam.host.installation import install_extra

if TYPE_CHECKING:
    from edgecam.nn.detection.config import TrainConfig
    from edgecam.nn.detection.data import DetectionSet

_EPILOG = """\
DATA is a folder with train.json (COCO format) and images/ beside it, optionally val.json; or a VOC folder
(Annotations/*.xml, JPEGImages/). Boxes may carry "score" (a teacher's) and "origin"; "iscrowd": 1 marks a
region to learn nothing from. Part of the training pictures is held out to choose thresholds by.

Starting from a detector (--from a checkpoint of ours, or the published COCO weights) needs a few hundred
pictures and minutes; from nothing it needs tens of thousands and days. The same seed and data give the same
weights; a run that was stopped goes on with the same command. Several GPUs or hosts, or two cores without
waiting for each other at every layer: torchrun --nproc-per-node 2 -m edgecam train ...

examples:
  edgecam train --data mugs/ --from runs/coco/final.pt --epochs 30 --out runs/mugs --export mugs.onnx
  edgecam train --data shared/data --recipe pan-mobilenet-v1-320-wide --out runs/wide --export wide.onnx
  edgecam train --data mugs/ --from models/pan-mobilenet-v1-320.onnx --out runs/mugs --export mugs.onnx
  edgecam train --data mugs/ --recipe my-recipe.toml --out runs/mugs
  edgecam train --task classification --data photos/ --out runs/names
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam train",
        description="Train a detector on your own pictures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--task", choices=["detection", "classification"], default="detection",
        help="what to train (default detection; --task classification --help tells its own options)",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, metavar="PATH", help="labelled pictures")
    # torchrun takes --run for an abbreviation of its own --run-path
    parser.add_argument(
        "--out", dest="run", type=Path, required=True, metavar="FOLDER", help="where the run is kept"
    )
    parser.add_argument(
        "--recipe",
        default="custom",
        metavar="NAME|FILE",
        help="settings (default custom)",
    )
    parser.add_argument(
        "--from", dest="start", type=Path, metavar="FILE",
        help="what to start from: a checkpoint (.pt), a detector of ours (.onnx, fp32), or the published "
        "ssd_mobilenet_v1_coco_300.npz",
    )  # fmt: skip
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE",
        help="to learn from too: a checkpoint (.pt) with the same cells or anchors, or PicoDet-S (.npz)",
    )
    parser.add_argument(
        "--graft", type=Path, metavar="FILE",
        help="take neck and head from PicoDet-S (.npz), joined to the backbone of --from by least squares",
    )  # fmt: skip
    parser.add_argument("--epochs", type=float, metavar="N")
    parser.add_argument("--batch", type=int, metavar="N")
    parser.add_argument("--lr", type=float, metavar="X", help="highest learning rate")
    parser.add_argument(
        "--resolution",
        type=int,
        metavar="PX",
        help="of the square picture (default: the recipe's, or --from's)",
    )
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the result as ONNX with its card")
    parser.add_argument("--role", help="for the card: what --detector ROLE finds (default, fast, accurate)")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="decoded pictures (default OUT/cache)")
    parser.add_argument("--precision", default="auto", metavar="auto|bf16|fp32", help="of the arithmetic")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda")
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor (default: all)")
    parser.add_argument("--no-tensorboard", action="store_true", help="write no TensorBoard log")
    return parser


#: Resolution of a graft without a recipe of its own: the lender's.
_GRAFT_PX = 320


def recipe_of(arguments: argparse.Namespace) -> TrainConfig:
    """The recipe that the command line means; raises :class:`ConfigError`."""
    from edgecam.nn.detection.checkpoint import load_start
    from edgecam.nn.detection.config import read_recipe, recipe_says

    recipe = read_recipe(arguments.recipe)
    model, optimise = recipe.model, recipe.optimise
    if arguments.start is not None:
        if not arguments.start.is_file():
            raise ConfigError(f"--from {arguments.start}: there is no such file")
        npz = "graft" if arguments.graft or model.start == "graft" else "google-ssd"
        kind = npz if arguments.start.suffix == ".npz" else "checkpoint"
        weights = str(arguments.start.resolve())
        model = msgspec.structs.replace(model, start=kind, weights=weights)
        if kind == "checkpoint" and not recipe_says(arguments.recipe, "model", "resolution"):
            model = msgspec.structs.replace(model, resolution=load_start(arguments.start).config.resolution)
    if arguments.graft is not None:
        if not arguments.graft.is_file():
            raise ConfigError(f"--graft {arguments.graft}: there is no such file")
        lender = str(arguments.graft.resolve())
        if model.head != "pan":  # a recipe for another head says nothing of this one's maps
            model = msgspec.structs.replace(model, head="pan", strides=(8, 16, 32), resolution=_GRAFT_PX)
        model = msgspec.structs.replace(model, start="graft", lender=lender)
    if arguments.teacher is not None:
        if not arguments.teacher.is_file():
            raise ConfigError(f"--teacher {arguments.teacher}: there is no such file")
        model = msgspec.structs.replace(model, teacher=str(arguments.teacher.resolve()))
    if arguments.resolution is not None:
        if not 64 <= arguments.resolution <= 1024:
            raise ConfigError(f"--resolution {arguments.resolution} is not between 64 and 1024 pixels")
        model = msgspec.structs.replace(model, resolution=arguments.resolution)
    for name in ("epochs", "batch", "lr"):
        value = getattr(arguments, name)
        if value is not None:
            if value <= 0:
                raise ConfigError(f"--{name} {value} must be more than 0")
            optimise = msgspec.structs.replace(optimise, **{name: value})
    seed = recipe.seed if arguments.seed is None else arguments.seed
    return msgspec.structs.replace(recipe, model=model, optimise=optimise, seed=seed)


def _summary(data: DetectionSet, recipe: TrainConfig) -> str:
    boxes = sum(int((~i.ignore).sum()) for i in data.images)
    nothing = "; from nothing: --from FILE begins with what others have learnt, and needs far fewer pictures"
    return (
        f"{len(data.images)} pictures, {boxes} boxes of {len(data.labels)} classes; "
        f"{recipe.optimise.epochs:g} epochs at {recipe.model.resolution} px, seed {recipe.seed}"
        f"{nothing if recipe.model.start == 'scratch' else ''}"
    )


def main(argv: Sequence[str]) -> int:
    """Run ``edgecam train``; returns the exit code."""
    given = list(argv)
    if "--task=classification" in given or ("classification" in given and "--task" in given):
        from edgecam.cli.train_classifier import main as classification

        return classification(given)
    arguments = _parser().parse_args(given)
    try:
        import torch

        from edgecam.core.progress import ProgressLine
        from edgecam.nn.detection.export import finish
        from edgecam.nn.detection.log import TrainLog
        from edgecam.nn.training.host import find_host
    except ImportError as error:
        raise MissingExtraError(
            f"training needs the package '{error.name}': {install_extra('train')}"
        ) from error
    from edgecam.nn.detection.data import PixelCache, find_annotations
    from edgecam.nn.detection.sources import training_set
    from edgecam.nn.detection.train import train

    recipe = recipe_of(arguments)
    annotations = find_annotations(arguments.data, "train")
    folder = arguments.data if arguments.data.is_dir() else arguments.data.parent
    data = training_set(annotations, recipe.data)
    if not data.images or not any((~i.ignore).any() for i in data.images):
        raise ConfigError(f"'{annotations}' has no boxes to learn from: label some pictures first")
    host = find_host(arguments.precision, arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    cache = arguments.cache or arguments.run / "cache"
    pixels = PixelCache(data, cache, recipe.data.max_side)
    if host.rank == 0:
        out(f"{_summary(data, recipe)}; {host.device}{', bfloat16' if host.bf16 else ''}\n")
    with (
        ProgressLine() as progress,
        TrainLog(
            arguments.run, progress, recipe, data, pixels, tensorboard=not arguments.no_tensorboard
        ) as log,
    ):
        train(
            recipe, data, pixels, arguments.run, folder=folder, host=host,
            on_step=log.step, on_epoch=log.epoch,
        )  # fmt: skip
        checkpoint = arguments.run / "final.pt"
        if host.rank == 0:
            out(f"{checkpoint}\n")
            if arguments.export:
                about = {"extra": {"role": arguments.role}} if arguments.role else {}
                card = finish(
                    checkpoint, arguments.export, annotations, cache=cache, about=about, progress=progress
                )
                figures = ", ".join(f"{k} {card.metrics[k]:.3f}" for k in ("AP50", "AP") if k in card.metrics)
                out(f"{arguments.export}: {figures}\n")
            else:
                out(f"  to use it: edgecam export {checkpoint} -o detector.onnx\n")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0
