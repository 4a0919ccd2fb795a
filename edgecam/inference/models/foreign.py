"""Reads the outputs of foreign detectors into the shape of ours: normalised xyxy boxes and class scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecam.core.errors import ModelError
from edgecam.core.ports import TensorSpec
from edgecam.inference.models.sidecar import Activation, BoxFormat, OutputFormat, OutputSpec, Sidecar

Arrays = Sequence[NDArray[Any]]
#: Outputs of one run → (boxes (N, 4) normalised xyxy of the input, scores (N, C)), both float32.
Decoder = Callable[[Arrays], tuple[NDArray[np.float32], NDArray[np.float32]]]

# Box format and unit that a format has unless its sidecar says otherwise.
_DEFAULTS: dict[OutputFormat, tuple[BoxFormat, str]] = {
    "boxes_scores": ("xyxy", "normalised"),
    "ssd_raw": ("cxcywh", "normalised"),
    "ssd_postprocessed": ("yxyx", "normalised"),
    "yolov5": ("cxcywh", "pixels"),
    "yolov8": ("cxcywh", "pixels"),
    "nms6": ("xyxy", "pixels"),
}
_TENSORS: dict[OutputFormat, tuple[str, ...]] = {
    "boxes_scores": ("boxes", "scores"),
    "ssd_raw": ("boxes", "scores"),
    "ssd_postprocessed": ("boxes", "classes", "scores"),
    "yolov5": ("boxes",),
    "yolov8": ("boxes",),
    "nms6": ("boxes",),
    "probabilities": ("scores",),
}


def output_names(spec: OutputSpec, outputs: Sequence[TensorSpec], model: object) -> list[str]:
    """The graph's output names in the order in which the format's decoder takes them.

    Named ones are looked up, the rest are taken in the graph's order. ModelError if there are too few.
    """
    there = [output.name for output in outputs]
    named = {part: getattr(spec, part) for part in _TENSORS[spec.format]}
    for part, name in named.items():
        if name is not None and name not in there:
            raise ModelError(f"model {model} has no output '{name}' ({part}): it has {', '.join(there)}")
    free = [name for name in there if name not in named.values()]
    if sum(name is None for name in named.values()) > len(free):
        raise ModelError(
            f"model {model} has {len(there)} outputs ({', '.join(there)}), but format '{spec.format}' "
            f"reads {len(named)}: {', '.join(named)}"
        )
    return [name if name is not None else free.pop(0) for name in named.values()]


def to_xyxy(boxes: NDArray[np.float32], form: BoxFormat) -> NDArray[np.float32]:
    """(N, 4) in ``form`` → xyxy, in the same unit."""
    a, b, c, d = boxes[:, 0], boxes[:, 1], boxes[:, 2], boxes[:, 3]
    if form == "xyxy":
        return boxes
    if form == "yxyx":
        return np.stack([b, a, d, c], axis=1)
    if form == "xywh":
        return np.stack([a, b, a + c, b + d], axis=1)
    if form == "cycxhw":
        a, b, c, d = b, a, d, c
    return np.stack([a - c / 2, b - d / 2, a + c / 2, b + d / 2], axis=1)


def activate(scores: NDArray[np.float32], activation: Activation) -> NDArray[np.float32]:
    """Logits → scores along the last axis."""
    if activation == "sigmoid":
        return (1.0 / (1.0 + np.exp(-scores))).astype(np.float32)
    if activation == "softmax":
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares: NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
        return shares
    return scores


def _without_background(scores: NDArray[np.float32], background: int | None) -> NDArray[np.float32]:
    if background is None:
        return scores
    classes = scores.shape[-1]
    if background % classes == 0:
        return scores[..., 1:]
    if background % classes == classes - 1:
        return scores[..., :-1]
    return np.delete(scores, background, axis=-1)


def _flat(array: NDArray[Any], last: int | None) -> NDArray[np.float32]:
    """(1, N, last) or (N, last) or (1, 1, N, last) → (N, last) float32."""
    width = array.shape[-1] if last is None else last
    return np.ascontiguousarray(array, dtype=np.float32).reshape(-1, width)


def ssd_decode(
    offsets: NDArray[np.float32], anchors: NDArray[np.float32], variances: Sequence[float]
) -> NDArray[np.float32]:
    """SSD's box coding (Liu et al. 2016, eq. 2): centre and log-size offsets against cxcywh anchors."""
    scaled = offsets * np.asarray(variances, np.float32)
    centre = anchors[:, :2] + scaled[:, :2] * anchors[:, 2:]
    # exp(8) is 2981 times an anchor: more cannot be meant, and exp overflows float32 at 88
    size = anchors[:, 2:] * np.exp(np.minimum(scaled[:, 2:], 8.0))
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(np.float32)


def _centred(boxes: NDArray[np.float32], form: BoxFormat) -> NDArray[np.float32]:
    """(N, 4) in ``form`` → cxcywh."""
    x1, y1, x2, y2 = to_xyxy(boxes, form).T
    return np.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], axis=1).astype(np.float32)


def _scattered(
    boxes: NDArray[np.float32], class_id: NDArray[Any], score: NDArray[Any], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """From one class per box to the dense (N, C) scores that selection takes; unknown classes are dropped."""
    ids = np.asarray(class_id, np.float64).round().astype(np.int64)
    known = (ids >= 0) & (ids < classes)
    dense = np.zeros((len(boxes), classes), np.float32)
    rows = np.flatnonzero(known)
    dense[rows, ids[rows]] = score[rows]
    return boxes, dense


def make_decoder(sidecar: Sidecar, size_wh: tuple[int, int]) -> Decoder:
    """A function that turns one run's outputs, ordered by :func:`output_names`, into boxes and scores."""
    spec = sidecar.output
    default_form, default_units = _DEFAULTS[spec.format]
    form: BoxFormat = spec.box_format or default_form
    classes = len(sidecar.card.labels)
    width, height = size_wh
    units = spec.box_units or default_units
    scale = np.array((1 / width, 1 / height) * 2 if units == "pixels" else (1, 1, 1, 1), np.float32)

    def finish(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        return to_xyxy(boxes, form) * scale

    def two_tensors(arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scores = activate(_flat(arrays[1], None), spec.activation)
        return finish(_flat(arrays[0], 4)), _without_background(scores, spec.background)

    anchors = None if sidecar.anchors is None else _centred(sidecar.anchors, spec.anchor_format)

    def ssd_raw(arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        offsets = _flat(arrays[0], 4)
        variances = spec.variances
        if form == "cycxhw":
            offsets = offsets[:, [1, 0, 3, 2]]
            variances = (variances[1], variances[0], variances[3], variances[2])
        if anchors is None or len(offsets) != len(anchors):
            there = 0 if anchors is None else len(anchors)
            raise ModelError(f"model {sidecar.card.name} gives {len(offsets)} boxes for {there} anchors")
        scores = activate(_flat(arrays[1], None), spec.activation)
        return ssd_decode(offsets, anchors, variances), _without_background(scores, spec.background)

    def ssd_postprocessed(arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        ids = np.asarray(arrays[1]).ravel() - spec.class_offset
        return _scattered(finish(_flat(arrays[0], 4)), ids, np.asarray(arrays[2]).ravel(), classes)

    def nms6(arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = _flat(arrays[0], 6)
        return _scattered(finish(rows[:, :4]), rows[:, 5] - spec.class_offset, rows[:, 4], classes)

    def yolov5(arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = _flat(arrays[0], None)
        confidence = activate(rows[:, 4:], spec.activation if spec.activation == "sigmoid" else "none")
        return finish(rows[:, :4]), confidence[:, 1:] * confidence[:, :1]

    def yolov8(arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        columns = np.asarray(arrays[0], np.float32)
        columns = columns.reshape(columns.shape[-2], columns.shape[-1])
        rows = columns if columns.shape[-1] == 4 + classes else columns.T
        scores = activate(np.ascontiguousarray(rows[:, 4:]), spec.activation)
        return finish(np.ascontiguousarray(rows[:, :4])), scores

    decoders: dict[OutputFormat, Decoder] = {
        "boxes_scores": two_tensors,
        "ssd_raw": ssd_raw,
        "ssd_postprocessed": ssd_postprocessed,
        "nms6": nms6,
        "yolov5": yolov5,
        "yolov8": yolov8,
    }
    decode = decoders[spec.format]

    def careful(arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        try:
            with np.errstate(all="ignore"):  # what is no number, or too large for one, is no box later
                return decode(arrays)
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            raise ModelError(
                f"model {sidecar.card.name} gives outputs that do not fit format '{spec.format}': {error}"
            ) from error

    return careful
