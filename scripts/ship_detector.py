"""Make all files that ship of a detector from its checkpoint, in one command:

    python scripts/ship_detector.py runs/pan/final.pt --recipe pan-mobilenet-v1-320 --role default \\
        --data ../shared/data --work runs/ship -o models/pan-mobilenet-v1-320.onnx

The averaged weights are written as fp32 and int8 (first layer in float, ranges from training pictures only)
with their cards; both are measured on ``val.json``. Then come thresholds, times against ssdlite320, and
models/README.md. ``--resolution`` makes a file of the same weights for another picture size. All choices are
seeded. Files that exist for the same weights are not made again, so a stopped command can be repeated. The
recipe's texts are put into the card each time: look at the worst pictures, write ``known_failures``, rerun.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import calibration_pictures
import msgspec
import torch

from edgecam.core.progress import Progress, ProgressLine
from edgecam.inference.models.card import Card
from edgecam.inference.models.shown import read_table
from edgecam.nn.detection.checkpoint import read_checkpoint, resize, save_checkpoint
from edgecam.nn.detection.config import TrainConfig, read_recipe
from edgecam.nn.detection.data import find_annotations
from edgecam.nn.detection.export import evaluate_file, finish
from edgecam.nn.export.card_writer import read_card, write_card
from edgecam.nn.export.quantize import Method, pictures_in, quantize_file
from edgecam.nn.networks.detector import network_of

ROOT = Path(__file__).resolve().parents[1]
#: How many pictures the ranges are measured on; the folder has as many.
CALIBRATION = 200


def prepared(path: Path, recipe: TrainConfig, resolution: int | None, folder: Path) -> tuple[Path, str]:
    """The averaged weights in 32 bits at ``resolution`` as a checkpoint of their own, and their digest."""
    data = read_checkpoint(path)
    model = network_of(data["architecture"])
    model.load_state_dict({k: v.float() for k, v in data["ema"].items()})
    model = resize(model, resolution or model.config.resolution)
    digest = hashlib.sha256(f"{model.config.to_dict()}".encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    found = digest.hexdigest()
    target = folder / f"{found[:16]}.pt"
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        target,
        architecture=model.config.to_dict(),
        recipe=recipe.to_dict(),
        step=int(data.get("step", 0)),
        ema=model.state_dict(),
    )
    return target, found


def made_of(path: Path, digest: str) -> bool:
    """True if the file at ``path`` was made from these weights."""
    return path.is_file() and read_card(path).extra.get("checkpoint") == digest


def retell(path: Path, texts: dict[str, str]) -> None:
    """Put the recipe's texts into the card if they differ."""
    card = read_card(path)
    wanted = msgspec.structs.replace(card, **texts)
    if wanted != card:
        write_card(path, wanted)


def quantise(source: Path, target: Path, data: Path, work: Path, method: Method, progress: Progress) -> None:
    """Make the int8 file, and measure both files on ``val.json``."""
    calibration = work / "calibration"
    calibration_pictures.link(calibration_pictures.detection(data), calibration)
    images = pictures_in(calibration, CALIBRATION, read_card(source).resolution)
    annotations = find_annotations(data, "val")

    def evaluate(path: Path) -> dict[str, float]:
        figures = evaluate_file(path, annotations, work / "cache", progress)[1].figures
        return {name: round(float(value), 4) for name, value in figures.items()}

    quantize_file(source, target, images, method=method, evaluate=evaluate, progress=progress)


def tool(name: str, *arguments: str | Path) -> None:
    """Run another of the scripts."""
    subprocess.run([sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)], check=True, cwd=ROOT)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--recipe", required=True, help="its seed held pictures out; its card")
    parser.add_argument("--role", help="default, fast or accurate")
    parser.add_argument("--resolution", type=int, help="of the picture, px (default: its own)")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for what is needed on the way")
    parser.add_argument("--method", choices=["minmax", "percentile"], default="minmax", help="of the ranges")
    parser.add_argument("--no-times", action="store_true", help="leave the times against ssdlite320 out")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the fp32 file; int8 beside it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fp32: Path = options.output.resolve()
    int8 = fp32.with_name(f"{fp32.stem}-int8.onnx")
    recipe = read_recipe(options.recipe)
    checkpoint, digest = prepared(options.checkpoint, recipe, options.resolution, options.work)
    with ProgressLine() as progress:
        if not made_of(fp32, digest):
            extra: dict[str, Any] = {"checkpoint": digest}
            extra |= {"role": options.role} if options.role else {}
            annotations = find_annotations(options.data, "train")
            fp32.parent.mkdir(parents=True, exist_ok=True)
            finish(
                checkpoint, fp32, annotations, cache=options.work / "cache", about={"extra": extra},
                name=fp32.stem, progress=progress,
            )  # fmt: skip
        if not made_of(int8, digest):
            quantise(fp32, int8, options.data, options.work, options.method, progress)
    files = [fp32, int8]
    for path in files:
        retell(path, recipe.card)
    cards: list[Card] = [read_card(path) for path in files]
    if any(read_table(path, card) is None for path, card in zip(files, cards, strict=True)):
        tool("shown_thresholds.py", *files, "--data", options.data.resolve())
    if not options.no_times and any("reference_speed" not in card.extra for card in cards):
        tool("reference_speed.py", *files)
    tool("models_table.py", fp32.parent)
    for path in files:
        figures = read_card(path).metrics
        sys.stdout.write(f"{path}: {', '.join(f'{k} {v:.3f}' for k, v in figures.items() if 'AP' in k)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
