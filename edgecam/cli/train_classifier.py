"""``edgecam train --task classification``: a classifier from a folder of pictures per class."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecam.core.console import err, out
from edgecam.core.errors import ConfigError, MissingExtraError, suggest
from edgecam.core.package import package_folder
from edgecam.host.installation import install_extra

_RECIPES = package_folder() / "nn" / "recipes"

_EPILOG = """\
DATA is a folder with one sub-folder of pictures per class (its name is the label), or one with a COCO
train.json whose images have a "class", and images/ beside it. 15 % of each class are held out.

First a linear head is fitted on the features of the unchanged network, then all layers are trained on.
A run that was stopped goes on with the same command; the same seed and data give the same weights.

examples:
  edgecam train --task classification --data photos/ --out runs/mine
  edgecam train --task classification --data photos/ --weights mobilenet_v2_1.0_224.npz --out runs/mine
  edgecam train --task classification --data photos/ --recipe classifier-small --stages 160x4 --out runs/s
  edgecam train --task classification --data photos/ --arch mobilenet_v4_conv_small \\
    --weights mobilenetv4_conv_small.safetensors --out runs/v4
  edgecam export runs/mine/classifier.pt --data photos/ -o mine.onnx
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam train --task classification",
        description="Train a classifier on your own pictures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--task", choices=["classification"], help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the run is kept")
    parser.add_argument(
        "--recipe",
        default="classifier-default",
        metavar="NAME|FILE",
        help="classifier-default, classifier-small, or a TOML file",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="to start from: published weights, or an ONNX file of edgecam's (default: the shipped one)",
    )
    parser.add_argument(
        "--origin", choices=["timm", "torchvision"], help="whose names a .pth or .safetensors has"
    )
    parser.add_argument("--arch", metavar="NAME", help="another architecture than the recipe's")
    parser.add_argument("--width", type=float, metavar="X", help="its width multiplier")
    parser.add_argument("--resolution", type=int, metavar="PX", help="side of its pictures in use")
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="checkpoint of a better classifier")
    parser.add_argument("--stages", metavar="LIST", help="side x epochs, such as 160x2,224x1")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor (default: all)")
    parser.add_argument("--no-resume", action="store_true", help="start over")
    return parser


def _stages(text: str) -> tuple[tuple[int, int], ...]:
    try:
        pairs = [part.split("x") for part in text.split(",") if part]
        stages = tuple((int(side), int(epochs)) for side, epochs in pairs)
    except ValueError:
        raise ConfigError(f"--stages {text} is not like 160x2,224x1 (side in pixels x epochs).") from None
    if any(side < 32 or epochs < 1 for side, epochs in stages):
        raise ConfigError(f"--stages {text}: a side is at least 32 pixels, and epochs are at least 1.")
    return stages


def _other(arguments: argparse.Namespace) -> dict[str, Any]:
    """The recipe's fields that the command line overrides."""
    given: dict[str, Any] = {
        "architecture": arguments.arch,
        "width": arguments.width,
        "resolution": arguments.resolution,
        "origin": arguments.origin,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    if arguments.weights is not None and arguments.weights.suffix == ".onnx":
        from edgecam.nn.hub.starting_onnx import recipe_fields

        return {**recipe_fields(arguments.weights), **fields}
    if arguments.weights is not None and arguments.weights.suffix != ".npz":
        from edgecam.nn.hub.registry import OFFICIAL

        tensorflow = any(e.architecture == arguments.arch and e.tensorflow for e in OFFICIAL)
        fields["padding"] = "tf" if tensorflow else "symmetric"
    if arguments.arch is not None and arguments.weights is None:
        fields["weights"] = ""
        fields["fold"] = False
    return fields


def recipe_path(name: str) -> Path:
    """The file of a recipe given by name or as a file; raises :class:`ConfigError`."""
    if Path(name).suffix == ".toml":
        return Path(name)
    known = sorted(p.stem for p in _RECIPES.glob("classifier-*.toml"))
    if name not in known:
        raise ConfigError(
            f"no recipe is called '{name}'{suggest(name, known)}; there are {', '.join(known)}."
        )
    return _RECIPES / f"{name}.toml"


def shipped_start(architecture: str, width: float) -> Path | None:
    """The installed float classifier of that architecture, if there is one, to train on from."""
    from edgecam.inference.models.store import list_models

    for path, card in list_models("classification"):
        same = (card.architecture, card.width_multiplier) == (architecture, width)
        if same and card.precision == "fp32" and card.weights_sha256:
            return path
    return None


def main(argv: Sequence[str]) -> int:
    """Run it; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        import torch

        from edgecam.core.progress import ProgressLine
        from edgecam.nn.classification.checkpoint import read_recipe
        from edgecam.nn.classification.run import train_classifier
    except ImportError as error:
        raise MissingExtraError(
            f"training needs the package '{error.name}': {install_extra('train')}"
        ) from error
    recipe = read_recipe(recipe_path(arguments.recipe))
    if arguments.stages is not None:
        recipe = replace(recipe, stages=_stages(arguments.stages))
    recipe = replace(recipe, **_other(arguments))
    if arguments.seed is not None:
        recipe = replace(recipe, seed=arguments.seed)
    weights: Path | None = arguments.weights
    if weights is None and recipe.weights:
        beside = arguments.data / recipe.weights
        weights = beside if beside.is_file() else shipped_start(recipe.architecture, recipe.width)
        if weights is not None:
            err(f"starting from {weights}\n")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    with ProgressLine() as progress:
        run = train_classifier(
            arguments.data,
            arguments.out,
            recipe,
            weights=weights,
            teacher=arguments.teacher,
            resume=not arguments.no_resume,
            progress=progress,
        )
    held = ", ".join(f"{name} {value:.1f} %" for name, value in run.metrics.items())
    out(f"{run.checkpoint}\n  on the held-out pictures: {held}\n")
    out(f"  to use it: edgecam export {run.checkpoint} --data {arguments.data} -o classifier.onnx\n")
    return 0
