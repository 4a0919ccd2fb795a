"""``edgecam quantize``: the int8 file of a model, what it costs in accuracy and what it gives in speed."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from edgecam.core.console import out
from edgecam.core.errors import ConfigError, MissingExtraError
from edgecam.host.installation import install_extra
from edgecam.inference.models.card import Card

_EPILOG = """\
Weights get one scale per channel, activations one per tensor with the range seen on the calibration pictures
(some hundred typical photographs; no labels needed). What rounding shifts on average in a layer is taken off
its bias: that costs nothing when the file runs, and gives back most of what int8 loses. First and last layers
stay in float (--ends), and so does what the file does before and after them (normalisation, box decoding).

MobileNets differ in how they take it: plain ReLU and ReLU6 (V1, V2, V4) keep what int8 saves, h-swish and
squeeze-and-excite (V3) may come out slower than float. The speed ratio below tells, for this machine; on a
processor without integer dot products (Raspberry Pi 4 and older) int8 is rarely the faster file.

examples:
  edgecam quantize model.onnx --calibration photos/
  edgecam quantize model.onnx --calibration photos/ --data labelled/     with the loss in accuracy
  edgecam quantize model.onnx --calibration photos/ --sensitivity report.md
  edgecam quantize model.onnx --calibration photos/ --keep-float 'features.1.*'
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam quantize",
        description="Make the int8 file of a model, measure what it costs, and write both into its card.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="float ONNX file with a card")
    parser.add_argument("--calibration", type=Path, required=True, metavar="FOLDER", help="typical pictures")
    parser.add_argument("--limit", type=int, default=200, metavar="N", help="pictures used (default 200)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: MODEL-int8.onnx beside it"
    )
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="labelled data, to measure the loss in accuracy on"
    )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="only the part of --data that a classifier's training held out",
    )
    parser.add_argument(
        "--keep-float",
        action="append",
        default=[],
        metavar="LAYER",
        help="leave this layer in float (a name or a glob; may be repeated)",
    )
    parser.add_argument(
        "--ends",
        metavar="WHICH",
        help="which of the first and last layers stay in float: both (default for classifiers), entry "
        "(default for detectors: the first layer, and a depthwise one right behind it), first, last, none",
    )
    parser.add_argument(
        "--method",
        default="minmax",
        metavar="METHOD",
        help="range of activations: minmax, percentile, entropy",
    )
    parser.add_argument(
        "--reduce-range",
        action="store_true",
        help="7-bit weights, for x86 processors without VNNI (before 2019)",
    )
    parser.add_argument(
        "--no-bias-correction", action="store_true", help="leave shifted means as they are (for comparison)"
    )
    parser.add_argument(
        "--sensitivity", type=Path, metavar="FILE", help="write a layer-by-layer report (Markdown)"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="for the timing (default 1)")
    return parser


def evaluator(
    card: Card, data: Path, held_out: bool, cache: Path, progress: Any
) -> Callable[[Path], Mapping[str, float]]:
    """A function from a model file to its metrics on ``data``, for the card's task.

    held_out: only what the classifier's training held out. cache: folder for a detector's decoded pictures.
    """
    if card.task == "classification":
        from edgecam.nn.classification.evaluate import evaluate_file, open_labelled
        from edgecam.nn.classification.false_names import false_names

        labelled = open_labelled(data, card if held_out else None)

        def classifier(path: Path) -> Mapping[str, float]:
            strange = false_names(path, data, progress) if held_out else {}
            return {**evaluate_file(path, labelled, progress).metrics(), **strange}

        return classifier
    try:
        from edgecam.nn.detection.data import find_annotations
        from edgecam.nn.detection.export import evaluate_file as evaluate_detector
    except ImportError as error:
        raise MissingExtraError(
            f"measuring a detector needs the package '{error.name}': {install_extra('train')}"
        ) from error

    annotations = find_annotations(data, "val")

    def detector(path: Path) -> Mapping[str, float]:
        figures = evaluate_detector(path, annotations, cache, progress)[1].figures
        return {name: round(float(value), 4) for name, value in figures.items()}

    return detector


def main(argv: Sequence[str]) -> int:
    """Run ``edgecam quantize``; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        from edgecam.core.progress import ProgressLine
        from edgecam.nn.export.card_writer import card_of, load_model, read_card
        from edgecam.nn.export.quantize import Ends, Method, pictures_in, quantize_file
        from edgecam.nn.export.sensitivity import compare, sensitivity, write_report
    except ImportError as error:
        raise MissingExtraError(
            f"quantising needs the package '{error.name}': {install_extra('models')}"
        ) from error
    source: Path = arguments.model
    target: Path = arguments.output or source.with_name(f"{source.stem}-int8.onnx")
    if target.resolve() == source.resolve():
        raise ConfigError(f"--output {target} is the model itself: give another name.")
    if arguments.method not in get_args(Method):
        raise ConfigError(f"--method {arguments.method} is none of {', '.join(get_args(Method))}.")
    if arguments.ends is not None and arguments.ends not in get_args(Ends):
        raise ConfigError(f"--ends {arguments.ends} is none of {', '.join(get_args(Ends))}.")
    if arguments.limit < 1 or arguments.threads < 1:
        raise ConfigError("--limit and --threads must be at least 1.")
    card = read_card(source)
    images = pictures_in(arguments.calibration, arguments.limit, card.resolution)
    with tempfile.TemporaryDirectory(prefix="edgecam-") as cache, ProgressLine() as progress:
        evaluate = None
        if arguments.data:
            evaluate = evaluator(card, arguments.data, arguments.held_out, Path(cache), progress)
        report = quantize_file(
            source,
            target,
            images,
            keep_float=arguments.keep_float,
            ends_float=arguments.ends,
            method=arguments.method,
            reduce_range=arguments.reduce_range,
            correct=not arguments.no_bias_correction,
            evaluate=evaluate,
            threads=arguments.threads,
            progress=progress,
        )
        if arguments.sensitivity:
            model = load_model(source)
            card_of(model, str(source))
            write_report(sensitivity(model, images[:24], progress), card.name, arguments.sensitivity)
    write = out
    sizes = [path.stat().st_size / 1e6 for path in (source, target)]
    write(f"{target}: {sizes[1]:.1f} MB (float {sizes[0]:.1f} MB)\n")
    write(f"  left in float: {', '.join(report.kept_float)}\n")
    for name, delta in report.delta.items():
        digits = 3 if abs(report.before[name]) <= 1 else 2
        write(f"  {name:<18} {report.before[name]:8.{digits}f} -> {report.after[name]:8.{digits}f}")
        write(f"   ({delta:+.{digits}f})\n")
    if not report.delta:
        snr_db, changed = compare(load_model(source), load_model(target), images[:50])
        write(f"  against float on {len(images[:50])} pictures: {snr_db:.1f} dB, ")
        write(f"another best class on {100 * changed:.1f} % (give --data for accuracy)\n")
    speed = report.speed
    write(f"  {speed.fp32_ms:.2f} -> {speed.int8_ms:.2f} ms, {speed.ratio:.2f} times as fast ")
    write(f"({speed.threads} thread(s), {speed.machine})\n")
    if speed.ratio < 1:
        write("  int8 is the slower file on this machine: keep the float one here.\n")
    if arguments.sensitivity:
        write(f"  sensitivity: {arguments.sensitivity}\n")
    return 0
