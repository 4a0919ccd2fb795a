"""torch to ONNX: batch norm folded, pre- and post-processing inside, parity checked, card embedded.

The contract of a model file: input ``image`` uint8 (1, H, W, 3) BGR; a detector outputs ``boxes``
(1, N, 4) normalised xyxy and ``scores`` (1, N, C); a classifier outputs ``probabilities`` (1, C).
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgecam.core.errors import ModelError
from edgecam.inference.models.card import Card
from edgecam.nn.export.card_writer import attach_card, save_model
from edgecam.nn.export.onnx_graph import fold_batch_norm, fold_padding, name_layers, remove_leftovers

log = logging.getLogger(__name__)

#: ONNX Runtime 1.18 runs opsets up to 21; 18 is what torch's exporter writes without a conversion step.
OPSET = 18
#: ONNX Runtime 1.18 reads IR versions up to 10.
MAX_IR_VERSION = 10

INPUT_NAME = "image"
OUTPUT_NAMES: dict[str, tuple[str, ...]] = {
    "detection": ("boxes", "scores"),
    "classification": ("probabilities",),
}

#: Google's MobileNets take x / 127.5 - 1 as input.
UNIT_MEAN = (127.5, 127.5, 127.5)
UNIT_STD = (127.5, 127.5, 127.5)


class UintInput(nn.Module):
    """uint8 (N, H, W, 3) BGR to float32 (N, 3, H, W), normalised as (x - mean) / std.

    mean, std: on the 0..255 scale, in the channel order the network was trained in (``order``).
    stem: the network's first convolution. If given, its weights take over the channel order and the
        division, **in place**, and the graph keeps only a subtraction of the mean. Zero padding has the same
        effect as before, since it is applied after the subtraction either way.
    """

    offset: Tensor
    scale: Tensor

    def __init__(
        self,
        mean: Sequence[float] = UNIT_MEAN,
        std: Sequence[float] = UNIT_STD,
        *,
        order: Literal["rgb", "bgr"] = "rgb",
        stem: nn.Conv2d | None = None,
    ) -> None:
        super().__init__()
        mean_t, std_t = torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)
        self.absorbed = stem is not None
        self.flip = order == "rgb"
        if stem is not None:
            if stem.in_channels != 3 or stem.groups != 1:
                raise ValueError(f"the stem must be a plain convolution of 3 channels, not {stem}")
            with torch.no_grad():
                weight = stem.weight / std_t.view(1, 3, 1, 1).to(stem.weight)
                stem.weight.copy_(weight.flip(1) if self.flip else weight)
            mean_t = mean_t.flip(0) if self.flip else mean_t
        self.register_buffer("offset", mean_t.view(1, 3, 1, 1))
        self.register_buffer("scale", (1.0 / std_t).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """The float input of the network."""
        planes = image.permute(0, 3, 1, 2)
        if self.absorbed:
            return planes.to(torch.float32) - self.offset
        if self.flip:
            planes = planes.flip(1)
        return (planes.to(torch.float32) - self.offset) * self.scale


def find_stem(module: nn.Module) -> nn.Conv2d | None:
    """The only plain convolution over three channels; None if there is not exactly one."""
    found = [m for m in module.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3 and m.groups == 1]
    return found[0] if len(found) == 1 else None


class ClassifierForExport(nn.Module):
    """uint8 (1, H, W, 3) BGR to probabilities (1, C); the given module is copied, not changed.

    logits: module from normalised float NCHW to (N, C). temperature: divides the logits, from calibration.
    """

    def __init__(
        self,
        logits: nn.Module,
        *,
        mean: Sequence[float] = UNIT_MEAN,
        std: Sequence[float] = UNIT_STD,
        order: Literal["rgb", "bgr"] = "rgb",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.logits = copy.deepcopy(logits)
        self.input = UintInput(mean, std, order=order, stem=find_stem(self.logits))
        self.temperature = float(temperature)

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities that sum to one."""
        logits = self.logits(self.input(image))
        if self.temperature != 1.0:
            logits = logits / self.temperature
        return torch.softmax(logits, dim=1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence messages of torch's exporter that a user can do nothing about."""
    loggers = [logging.getLogger(n) for n in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def to_onnx(module: nn.Module, sample: NDArray[np.uint8], outputs: Sequence[str]) -> Any:
    """The module's graph as a clean ``ModelProto`` with batch norm folded; no card, not yet checked."""
    module = copy.deepcopy(module).cpu().eval()
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            (torch.from_numpy(sample),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(outputs),
            optimize=True,
            verbose=False,
        )
    if program is None:  # pragma: no cover (dynamo=True always returns a program)
        raise ModelError("torch's ONNX exporter gave no program: use torch 2.5 or later.")
    model = program.model_proto
    fold_padding(model)
    fold_batch_norm(model)
    remove_leftovers(model)
    name_layers(model)
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    model.producer_name = "edgecam"
    return model


def run_onnx(model: Any | Path, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Run a model (proto or path) once on the CPU with one thread; outputs in graph order."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    answers: list[NDArray[np.float32]] = session.run(None, {session.get_inputs()[0].name: image})
    return answers


def _as_samples(
    sample: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], card: Card
) -> list[NDArray[np.uint8]]:
    """Each sample as (1, H, W, 3) uint8, checked against the card's resolution."""
    arrays = [sample] if isinstance(sample, np.ndarray) else list(sample)
    if not arrays:
        raise ModelError("export needs at least one sample picture to check ONNX against torch.")
    width, height = card.resolution
    checked = []
    for array in arrays:
        full = array[None] if array.ndim == 3 else array
        if full.shape != (1, height, width, 3) or full.dtype != np.uint8:
            raise ModelError(
                f"the sample is {full.dtype} {full.shape}, but the card says "
                f"uint8 (1, {height}, {width}, 3): resize it to the card's resolution."
            )
        checked.append(np.ascontiguousarray(full))
    return checked


def _check_shapes(outputs: Sequence[NDArray[np.float32]], card: Card) -> None:
    """Check that the outputs have the contract's shapes and as many classes as the card has labels."""
    names, classes = OUTPUT_NAMES[card.task], len(card.labels)
    shapes = [tuple(o.shape) for o in outputs]
    if card.task == "classification":
        fits = shapes == [(1, classes)]
    else:
        fits = (
            len(shapes) == 2
            and len(shapes[0]) == 3
            and shapes[0][::2] == (1, 4)
            and shapes[1] == (1, shapes[0][1], classes)
        )
    if not fits:
        raise ModelError(
            f"'{card.name}' answers {list(names)} with shapes {shapes}, which does not fit {card.task} "
            f"with {classes} labels: correct the card's labels or the module."
        )


def export_onnx(
    module: nn.Module,
    card: Card,
    path: Path,
    *,
    sample: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    tolerance: float = 1e-4,
) -> Card:
    """Export ``module`` (uint8 (1, H, W, 3) BGR in, the outputs of the card's task out) to ``path``.

    Every output of ONNX Runtime must equal torch's to ``tolerance`` (absolute, and relative where a value
    exceeds 1) on every sample; otherwise :class:`ModelError` is raised and ``path`` is unchanged.
    The file is written atomically. Returns the card as written (with ``weights_sha256``).
    """
    samples = _as_samples(sample, card)
    model = to_onnx(module, samples[0], OUTPUT_NAMES[card.task])
    reference = copy.deepcopy(module).cpu().eval()
    worst = 0.0
    for image in samples:
        with torch.no_grad():
            answer = reference(torch.from_numpy(image))
        expected = [t.numpy() for t in ([answer] if isinstance(answer, Tensor) else answer)]
        got = run_onnx(model, image)
        _check_shapes(got, card)
        for a, b in zip(got, expected, strict=True):
            difference = np.abs(a - b) / np.maximum(1.0, np.abs(b))
            worst = max(worst, float(difference.max())) if np.isfinite(difference).all() else float("inf")
    if not worst <= tolerance:
        raise ModelError(
            f"ONNX Runtime and torch differ by {worst:.2g} on '{card.name}' (allowed {tolerance:g}): "
            "the file was not written; report this with the architecture's name."
        )
    card = attach_card(model, card)
    save_model(model, path)
    log.info("wrote %s (largest difference to torch %.1e)", path, worst)
    return card
