"""``edgecam evaluate``: a detector's average precision (or a classifier's accuracy) on labelled pictures."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecam.core.console import out
from edgecam.core.errors import ConfigError, MissingExtraError, ModelError
from edgecam.host.installation import install_extra

if TYPE_CHECKING:
    from edgecam.nn.detection.evaluation.evaluate import Report

_EPILOG = """\
MODEL is an ONNX file with a card (fp32 or int8), a checkpoint (.pt) of `edgecam train`, or the name of an
installed model. DATA for a detector: a COCO .json (pictures in images/ beside it), a VOC folder, or a folder
that holds one; for a classifier: a folder of pictures per class.

AP is COCO's: the mean over IoU 0.50 to 0.95; AP50 at IoU 0.50. Small is below 32 x 32, large above 96 x 96
pixels of the picture as it is. Boxes with "iscrowd": 1 count neither way. Means are over classes that have
boxes; "core" is person, dog, cat, sheep, horse, cow, car, chair, bottle, couch and potted plant.

examples:
  edgecam evaluate models/pan-mobilenet-v1-320.onnx --data shared/data/val.json
  edgecam evaluate runs/mugs/final.pt --data mugs/ --pictures report/
  edgecam evaluate classifier.onnx --data photos/
"""

#: Classes of a classifier that the table names, the worst first.
_SHOWN_CLASSES = 20


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam evaluate",
        description="How good a model is on pictures whose content is known.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="ONNX file, checkpoint, or installed model's name")
    parser.add_argument("--data", type=Path, required=True, metavar="PATH", help="labelled pictures")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="write PR curves, confusion matrix, contact sheet, worst mistakes",
    )
    parser.add_argument(
        "--nms-iou", type=float, metavar="X", help="overlap of boxes that are one (default: the card's)"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the processor (default 1)")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep the decoded pictures here")
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="only the part of --data that a classifier's training held out",
    )
    parser.add_argument("--task", choices=["detection", "classification"], help=argparse.SUPPRESS)
    return parser


def print_report(report: Report, write: Any) -> None:
    """The figures as a table: the whole, by size, then by class."""
    f = report.figures
    write(f"  {'':<18} {'AP50':>7} {'AP':>7}\n")
    write(f"  {'all classes':<18} {f['AP50']:7.3f} {f['AP']:7.3f}   AP75 {f['AP75']:.3f}\n")
    for key, name in (("core", "core classes"), ("voc", "VOC's classes")):
        if f"{key}_AP50" in f:
            write(f"  {name:<18} {f[f'{key}_AP50']:7.3f} {f[f'{key}_AP']:7.3f}\n")
    sizes = ", ".join(f"{s} {f[f'AP_{s}']:.3f}" for s in ("small", "medium", "large") if f[f"AP_{s}"] >= 0)
    write(f"  AP by size: {sizes}\n\n")
    for name, (ap50, ap, boxes) in sorted(report.per_class.items(), key=lambda item: -item[1][2]):
        write(f"  {name:<18} {ap50:7.3f} {ap:7.3f}   {boxes} boxes\n")


def main(argv: Sequence[str]) -> int:
    """Run ``edgecam evaluate``; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        import numpy as np
        import pycocotools  # noqa: F401

        from edgecam.core.progress import ProgressLine
        from edgecam.nn.detection.data import PixelCache, find_annotations, load_set
        from edgecam.nn.detection.evaluation.evaluate import predict_set, score_detections
    except ImportError as error:
        raise MissingExtraError(
            f"evaluating needs the package '{error.name}': {install_extra('evaluate', 'models')}"
        ) from error
    path = _file(arguments.model, arguments.task)
    if arguments.task == "classification" or _is_classifier(path):
        return _classification(path, arguments)
    predict, card = _open(path, arguments.threads)
    iou = card.nms_iou if arguments.nms_iou is None else arguments.nms_iou
    if not 0.0 < iou < 1.0:
        raise ConfigError(f"--nms-iou {iou} must be between 0 and 1")
    data = load_set(find_annotations(arguments.data, "val"), labels=card.labels)
    if not any((~i.ignore).any() for i in data.images):
        raise ConfigError(f"'{arguments.data}' has no boxes of the classes that {card.name} knows")
    with tempfile.TemporaryDirectory(prefix="edgecam-") as temporary, ProgressLine() as progress:
        pixels = PixelCache(data, arguments.cache or Path(temporary))
        done = 0

        def tick(n: int) -> None:
            nonlocal done
            done += n
            progress("evaluating", done, len(data.images))

        found = predict_set(predict, data, pixels.__getitem__, card.resolution, iou=iou, tick=tick)
        report = score_detections(found, data)
        count = len(data.images)
        out(f"{card.name} ({card.precision}) on {count} pictures of {arguments.data}\n")
        print_report(report, out)
        if arguments.pictures:
            from edgecam.nn.detection.evaluation import matching as detection_matching
            from edgecam.nn.detection.evaluation import pictures as detection_pictures
            from edgecam.nn.detection.evaluation.worst import worst_sheet
            from edgecam.nn.training.charts import plot_curves

            folder: Path = arguments.pictures
            folder.mkdir(parents=True, exist_ok=True)
            own = [card.thresholds.get(x, card.score_threshold) for x in card.labels]
            thresholds = np.array(own, np.float32)
            matches = detection_matching.match_classes(found, data)
            curves = [m.curve(label) for m, label in zip(matches, data.labels, strict=True)]
            plot_curves(folder / "pr.png", curves, card.name)
            table = detection_matching.confusion(found, data, thresholds)
            detection_pictures.plot_confusion(folder / "confusion.png", table, data.labels, card.name)
            detection_pictures.contact_sheet(
                folder / "sheet.jpg", data, found, pixels.__getitem__, thresholds
            )
            worst_sheet(folder / "worst.jpg", data, found, pixels.__getitem__, thresholds)
            out(f"\n  pictures: {folder}/pr.png, confusion.png, sheet.jpg, worst.jpg\n")
    return 0


def _file(text: str, task: str | None) -> Path:
    path = Path(text)
    if path.exists() or path.suffix in (".onnx", ".pt", ".pth"):
        if not path.is_file():
            raise ModelError(f"no model file at '{path}': check the path")
        return path
    from edgecam.inference.models.store import find_model

    if task == "classification":
        return find_model(text, "classification")
    try:
        return find_model(text, "detection")
    except ModelError:
        try:
            return find_model(text, "classification")
        except ModelError:
            pass
        raise


def _is_classifier(path: Path) -> bool:
    if path.suffix != ".onnx":
        from edgecam.cli.export import is_classifier

        return is_classifier(path)
    from edgecam.nn.export.card_writer import read_card

    return read_card(path).task == "classification"


def _open(path: Path, threads: int) -> tuple[Any, Any]:
    """(prediction, card) of an ONNX file or a checkpoint."""
    if path.suffix == ".onnx":
        from edgecam.nn.detection.evaluation.predict import onnx_predict

        return onnx_predict(path, threads)
    import torch

    from edgecam.nn.detection.checkpoint import load_checkpoint
    from edgecam.nn.detection.evaluation.predict import torch_predict
    from edgecam.nn.detection.export import describe

    torch.set_num_threads(threads)
    model, data = load_checkpoint(path)
    return torch_predict(model), describe(model, data, path.stem, {})


def _classification(path: Path, arguments: argparse.Namespace) -> int:
    from edgecam.core.progress import ProgressLine
    from edgecam.nn.classification.evaluate import (
        draw_confusion,
        evaluate,
        evaluate_file,
        open_labelled,
    )
    from edgecam.nn.export.card_writer import read_card
    from edgecam.nn.training.charts import plot_curves

    with ProgressLine() as progress:
        if path.suffix == ".onnx":
            card = read_card(path) if arguments.held_out else None
            report = evaluate_file(path, open_labelled(arguments.data, card), progress)
        else:
            from edgecam.nn.classification.checkpoint import load_run
            from edgecam.nn.classification.run import checkpoint_predictor, held_out_of

            run = load_run(path)
            data = held_out_of(run, arguments.data) if arguments.held_out else open_labelled(arguments.data)
            report = evaluate(checkpoint_predictor(run), run.labels, data, progress)
    title = f"{path.name} on {report.pictures} pictures of {arguments.data}"
    out(f"{title}\n")
    for name, value in report.metrics().items():
        if name != "pictures":
            out(f"  {name:<18} {value:8.2f}\n")
    out("\n")
    counts = dict(zip(report.labels, report.confusion.sum(1), strict=True))
    worst = sorted(report.per_class.items(), key=lambda item: (item[1], item[0]))
    for label, share in worst[:_SHOWN_CLASSES]:
        out(f"  {label:<18} {share:8.1f}   {counts[label]} pictures\n")
    if len(worst) > _SHOWN_CLASSES:
        more, least = len(worst) - _SHOWN_CLASSES, worst[_SHOWN_CLASSES][1]
        out(f"  {more} more classes, each {least:.1f} or better\n")
    for truth, answer, count in report.worst_confusions(5):
        out(f"  {count} of {truth} taken for {answer}\n")
    if arguments.pictures:
        plot_curves(arguments.pictures / "pr.png", report.curves(), title)
        draw_confusion(report, arguments.pictures / "confusion.png", title)
        out(f"\n  pictures: {arguments.pictures}/pr.png, confusion.png\n")
    return 0
