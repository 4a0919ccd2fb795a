"""``edgecam export``: a checkpoint, or an architecture with weights, as an ONNX file with its card."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.core.console import out
from edgecam.core.errors import ConfigError, MissingExtraError, ModelError
from edgecam.core.files import check_archive
from edgecam.host.installation import install_extra
from edgecam.inference.models.card import Card

if TYPE_CHECKING:
    from edgecam.nn.networks.table import Backbone

_EPILOG = """\
The file takes a uint8 BGR picture as a camera gives it; normalisation, box decoding and softmax are inside,
batch norm is folded, and its card (labels, figures, licence, origin) is embedded. ONNX Runtime must give
torch's numbers to 1e-4 on test pictures, or no file is written.

examples:
  edgecam export runs/mine/classifier.pt --data photos/ -o mine.onnx
  edgecam export runs/detector/best.pt -o detector.onnx
  edgecam export mobilenet_v2 --weights mobilenet_v2_1.0_224.npz -o v2.onnx
  edgecam export mobilenet_v4_conv_small --weights timm.safetensors --labels names.txt -o v4.onnx
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam export",
        description="Write a trained network as ONNX with its card.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", help="checkpoint (.pt) of `edgecam train`, or the name of an architecture")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the training's data, to measure it on")
    parser.add_argument(
        "--recipe", metavar="NAME|FILE", help="recipe whose [card] tells licence, origin and data"
    )
    parser.add_argument("--name", help="the model's name (default: the file's)")
    parser.add_argument("--licence", default="", metavar="TEXT")
    parser.add_argument("--origin", default="", metavar="TEXT", help="where the starting weights come from")
    parser.add_argument("--training-data", default="", metavar="TEXT")
    parser.add_argument("--role", help="default or small: what --classifier ROLE finds")
    group = parser.add_argument_group("an architecture with weights")
    group.add_argument("--weights", type=Path, metavar="FILE", help=".npz, .pth, .pt or .safetensors")
    group.add_argument(
        "--format", choices=["timm", "torchvision"], default="timm", help="names in a .pth or .safetensors"
    )
    group.add_argument("--width", type=float, default=1.0, metavar="X", help="width multiplier")
    group.add_argument("--resolution", type=int, metavar="PX")
    group.add_argument("--labels", type=Path, metavar="FILE", help="one label a line (default: ImageNet's)")
    return parser


def _labels(path: Path | None) -> tuple[str, ...]:
    if path is None:
        from edgecam.nn.labels import imagenet_labels

        return tuple(imagenet_labels())
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"--labels {path} cannot be read ({error.strerror}).") from None
    labels = tuple(line.strip() for line in lines if line.strip())
    if len(labels) < 2:
        raise ConfigError(f"--labels {path} has {len(labels)} label(s): give one a line.")
    return labels


def export_architecture(arguments: argparse.Namespace) -> Card:
    """A named architecture with published weights, as a classifier."""
    import numpy as np
    import torch

    from edgecam.nn.export.onnx import UNIT_MEAN, UNIT_STD, ClassifierForExport, export_onnx
    from edgecam.nn.hub.npz_weights import load_published_npz
    from edgecam.nn.hub.pull import read_state
    from edgecam.nn.hub.starting_weights import normalisation
    from edgecam.nn.networks.backbones import architecture, build_backbone
    from edgecam.nn.networks.count import multiply_adds
    from edgecam.nn.networks.importers import import_state

    table = architecture(arguments.what)
    if arguments.weights is None:
        raise ConfigError(f"--weights FILE is missing: an untrained {table.name} would be of no use.")
    labels = _labels(arguments.labels)
    published = arguments.weights.suffix == ".npz"
    network: Backbone = build_backbone(
        table.name,
        width=arguments.width,
        num_classes=len(labels),
        padding="tf" if published else "symmetric",
    )
    if published:
        load_published_npz(network, arguments.weights)
        mean, std = UNIT_MEAN, UNIT_STD
    else:
        import_state(network, read_state(arguments.weights), arguments.format)
        mean, std = normalisation(table.name, arguments.width, arguments.format)
    side = arguments.resolution or table.resolution
    card = Card(
        name=arguments.name or arguments.output.stem,
        task="classification",
        architecture=table.name,
        width_multiplier=arguments.width,
        labels=labels,
        resolution=(side, side),
        resize="center_crop",
        licence=arguments.licence,
        origin=arguments.origin,
        training_data=arguments.training_data,
        parameters=sum(p.numel() for p in network.parameters()),
        macs=multiply_adds(network, torch.zeros(1, 3, side, side)),
        extra={"role": arguments.role} if arguments.role else {},
    )
    sample = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    return export_onnx(
        ClassifierForExport(network, mean=mean, std=std), card, arguments.output, sample=list(sample)
    )


def _export_classifier(arguments: argparse.Namespace) -> Card:
    from edgecam.cli.train_classifier import recipe_path
    from edgecam.core.progress import ProgressLine
    from edgecam.nn.classification.checkpoint import load_run, read_about
    from edgecam.nn.classification.run import export_run

    if arguments.data is None:
        raise ConfigError("--data FOLDER is missing: the card's figures are measured on its held-out part.")
    run = load_run(Path(arguments.what))
    about = read_about(recipe_path(arguments.recipe)) if arguments.recipe else {}
    given = ("name", "role", "licence", "origin", "training_data")
    about |= {name: getattr(arguments, name) for name in given if getattr(arguments, name)}
    with ProgressLine() as progress:
        return export_run(run, arguments.data, arguments.output, about, progress)[0]


def is_classifier(path: Path) -> bool:
    """Whether a checkpoint is a classifier's; raises :class:`ModelError` if it cannot be read."""
    import torch

    try:
        check_archive(Path(path))
        data = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"No checkpoint at '{path}': check the path.") from None
    except Exception as error:
        raise ModelError(f"'{path}' is not a checkpoint that can be read safely ({error}).") from error
    return isinstance(data, dict) and data.get("task") == "classification"


def main(argv: Sequence[str]) -> int:
    """Run ``edgecam export``; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        import onnxscript  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"exporting needs the package '{error.name}': {install_extra('train')}"
        ) from error
    path = Path(arguments.what)
    if path.suffix not in (".pt", ".pth") and not path.exists():
        card = export_architecture(arguments)
    elif is_classifier(path):
        card = _export_classifier(arguments)
    else:
        from edgecam.nn.detection.export import export_checkpoint

        card = export_checkpoint(path, arguments.output, name=arguments.name)
    size = arguments.output.stat().st_size / 1e6
    out(f"{arguments.output}: {card.task}, {len(card.labels)} labels, {size:.1f} MB\n")
    for name, value in card.metrics.items():
        out(f"  {name:<18} {value:8.2f}\n")
    return 0
