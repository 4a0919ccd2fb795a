"""Static INT8: per-channel weights, QDQ nodes, first and last layers and in-graph processing in float.

MobileNets are sensitive to quantisation, so ranges come from real pictures, each channel of a weight has its
own scale, and biases are corrected for the mean error of rounding. Accuracy and speed are measured before and
after, and written into the card.
"""

from __future__ import annotations

import fnmatch
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from edgecam.core.errors import ConfigError, ModelError, suggest
from edgecam.core.progress import Progress, silent
from edgecam.inference.models.card import Card
from edgecam.nn.export.bias_correction import correct_biases
from edgecam.nn.export.card_writer import attach_card, card_of, load_model, save_model
from edgecam.nn.export.int8_hswish import hswish_in_integers
from edgecam.nn.export.onnx_graph import depthwise_behind, ends, layers, shield_float_layers
from edgecam.nn.export.timing import Speed, machine_name, time_files
from edgecam.nn.training.pictures import SUFFIXES, plain_wh

log = logging.getLogger(__name__)

Image = NDArray[np.uint8]
Method = Literal["minmax", "percentile", "entropy"]
#: Which of the first and last layers stay in float, in addition to the named ones. ``entry``: the first, and
#: a depthwise convolution right behind it.
Ends = Literal["both", "first", "entry", "last", "none"]

#: Operators that are quantised if they are between the first and the last layers.
OP_TYPES = (
    "Conv", "Gemm", "MatMul", "Add", "Mul", "Clip", "Relu", "GlobalAveragePool", "AveragePool", "MaxPool",
    "Concat", "Resize",
)  # fmt: skip
#: Metrics that are counts or times; their difference says nothing about accuracy.
NO_DELTA = ("pictures", "seconds")
#: How many calibration pictures have their activations in memory at the same time.
_AT_ONCE = 20


@dataclass(frozen=True)
class QuantReport:
    """The result of quantising. ``before`` and ``after`` are empty if nothing was evaluated."""

    card: Card
    before: Mapping[str, float]
    after: Mapping[str, float]
    speed: Speed
    kept_float: tuple[str, ...]

    @property
    def delta(self) -> dict[str, float]:
        """The difference int8 minus fp32 of each metric, in the metric's own unit."""
        return {
            k: round(self.after[k] - v, 4)
            for k, v in self.before.items()
            if k in self.after and k not in NO_DELTA
        }


def pictures_in(folder: Path, limit: int, size_wh: tuple[int, int], seed: int = 0) -> list[Image]:
    """Up to ``limit`` pictures below ``folder``, chosen by ``seed``, stretched to (H, W, 3) uint8 BGR."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not files:
        raise ConfigError(
            f"'{folder}' holds no pictures: calibration needs a folder of some hundred typical photographs."
        )
    order = np.random.default_rng(seed).permutation(len(files))[:limit]
    images = [cv2.imread(str(files[i]), cv2.IMREAD_COLOR) for i in sorted(order)]
    readable = [plain_wh(i.astype(np.uint8, copy=False), size_wh) for i in images if i is not None]
    if not readable:
        raise ConfigError(f"None of the pictures in '{folder}' can be read.")
    return readable


class _Reader:
    """Feeds calibration pictures to ONNX Runtime in groups of ``at_once``. ONNX Runtime keeps all activations
    of a group in memory until it has evaluated them: about 100 MB a picture."""

    def __init__(self, name: str, images: Sequence[Image], progress: Progress) -> None:
        groups = math.ceil(len(images) / _AT_ONCE)
        self.at_once = len(images) // groups
        self._name, self._images, self._progress = name, images[: self.at_once * groups], progress
        self._items = self._walk(0, len(self))

    def __len__(self) -> int:
        return len(self._images)

    def _walk(self, start: int, end: int) -> Iterator[dict[str, Image]]:
        for i in range(start, end):
            self._progress("calibrating", i + 1, len(self))
            image = self._images[i]
            yield {self._name: image[None] if image.ndim == 3 else image}

    def set_range(self, start_index: int, end_index: int) -> None:
        """Continue with the inputs from ``start_index`` to ``end_index``."""
        self._items = self._walk(start_index, end_index)

    def get_next(self) -> dict[str, Image] | None:
        """The next input, or None after the last."""
        return next(self._items, None)


def named_layers(model: Any, patterns: Sequence[str]) -> list[str]:
    """The layers that match ``patterns`` (names or globs); :class:`ConfigError` for one that matches none."""
    names = [n.name for n in layers(model)]
    found: list[str] = []
    for pattern in patterns:
        hits = [n for n in names if fnmatch.fnmatchcase(n, pattern)]
        if not hits:
            raise ConfigError(
                f"no layer is called '{pattern}'{suggest(pattern, names)}; "
                f"there are {len(names)}, from '{names[0]}' to '{names[-1]}'."
            )
        found.extend(hits)
    return found


def quantize_graph(
    model: Any,
    images: Sequence[Image],
    *,
    keep_float: Sequence[str] = (),
    ends_float: Ends = "both",
    method: Method = "minmax",
    reduce_range: bool = False,
    correct: bool = True,
    progress: Progress = silent,
) -> tuple[Any, tuple[str, ...]]:
    """(int8 model, names of the layers left in float). ``images``: uint8 (H, W, 3), the model's input size.

    reduce_range: 7-bit weights, for x86 without VNNI, whose 8-bit products saturate.
    correct: correct the biases for the mean error of rounding (:mod:`edgecam.nn.export.bias_correction`).
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    if not layers(model):
        raise ModelError("the model has no layer with weights: there is nothing to quantise.")
    if any(n.op_type in ("QuantizeLinear", "DequantizeLinear") for n in model.graph.node):
        raise ModelError("the model is quantised already: start from its float file.")
    first, last, outside = ends(model)
    kept = [
        *(first if ends_float in ("both", "first", "entry") else ()),
        *(depthwise_behind(model, first) if ends_float == "entry" else ()),
        *(last if ends_float in ("both", "last") else ()),
        *named_layers(model, keep_float),
    ]
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    inferred = onnx.shape_inference.infer_shapes(model)
    reader = _Reader(model.graph.input[0].name, images, progress)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target = Path(folder) / "int8.onnx"
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.ERROR)  # the quantiser logs advice on the root logger that was already followed
        try:
            quantize_static(
                inferred,
                str(target),
                reader,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(OP_TYPES),
                per_channel=True,
                reduce_range=reduce_range,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[*kept, *outside],
                calibrate_method=methods[method],
                # this option applies to every calibration method, despite its name
                extra_options={"CalibStridedMinMax": reader.at_once},
            )
        finally:
            root.setLevel(level)
        quantised = onnx.load(target)
    shield_float_layers(quantised)
    hswish_in_integers(quantised)
    if correct:
        correct_biases(model, quantised, images, progress)
    quantised.ir_version = model.ir_version
    quantised.producer_name, quantised.producer_version = "edgecam", ""
    del quantised.metadata_props[:]
    return quantised, tuple(dict.fromkeys(kept))


def quantize_file(
    source: Path,
    target: Path,
    images: Sequence[Image],
    *,
    keep_float: Sequence[str] = (),
    ends_float: Ends | None = None,
    method: Method = "minmax",
    reduce_range: bool = False,
    correct: bool = True,
    evaluate: Callable[[Path], Mapping[str, float]] | None = None,
    threads: int = 1,
    runs: int = 40,
    progress: Progress = silent,
) -> QuantReport:
    """Quantise the model file ``source`` into ``target``; measure both; write the card.

    ends_float: None keeps the first and last layers of a classifier in float, and the entry of a detector: a
    depthwise convolution of few channels on the largest map takes ONNX Runtime longer in int8 (x86-64, 16
    channels of 160x160: .22 ms, in float .10, of 4 ms in all). The last layers of an SSD are twelve wide
    convolutions: quantising them hardly changes its scores (39.6 dB against 39.8 on ours), and in float they
    make the file 40 % slower.
    evaluate: path to metrics (such as ``{"top1": 91.2}``), called on the float and on the int8 file. Raises
    :class:`ModelError` for a file that cannot be quantised; ``target`` is then unchanged.
    """
    model = load_model(source)
    card = card_of(model, str(source))
    width, height = card.resolution
    wrong = next((i.shape for i in images if i.shape[-3:] != (height, width, 3)), None)
    if wrong is not None or not images:
        raise ConfigError(
            f"calibration needs pictures of ({height}, {width}, 3) uint8, not {wrong or 'none'}."
        )
    quantised, kept = quantize_graph(
        model,
        images,
        keep_float=keep_float,
        ends_float=ends_float or ("both" if card.task == "classification" else "entry"),
        method=method,
        reduce_range=reduce_range,
        correct=correct,
        progress=progress,
    )
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "int8.onnx"
        attach_card(quantised, msgspec.structs.replace(card, precision="int8"))
        save_model(quantised, trial)
        before = dict(evaluate(source)) if evaluate else {}
        after = dict(evaluate(trial)) if evaluate else {}
        fp32_ms, int8_ms = time_files([source, trial], [images[0]] * 2, threads=threads, runs=runs)
    speed = Speed(round(fp32_ms, 3), round(int8_ms, 3), threads, machine_name())
    report = QuantReport(card, before, after, speed, kept)
    extra = {
        **card.extra,
        "int8": {
            "fp32_metrics": before,
            "delta": report.delta,
            "kept_float": list(kept),
            "method": method,
            "biases_corrected": correct,
            "calibration_pictures": len(images),
        },
        "speed": {
            "fp32_ms": speed.fp32_ms,
            "int8_ms": speed.int8_ms,
            "ratio": round(speed.ratio, 2),
            "threads": threads,
            "machine": speed.machine,
        },
    }
    written = attach_card(
        quantised,
        msgspec.structs.replace(
            card,
            name=card.name if card.name.endswith("-int8") else f"{card.name}-int8",
            precision="int8",
            metrics=after,
            extra=extra,
        ),
    )
    save_model(quantised, target)
    return QuantReport(written, before, after, speed, kept)
