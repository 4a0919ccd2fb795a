"""``MODEL.toml`` beside a foreign ``MODEL.onnx``: says how to feed it and how to read what it gives.

The file holds the fields of the model card and two tables more, for example (YOLOv8)::

    name = "yolov8n"
    task = "detection"
    architecture = "YOLOv8n"
    labels = "coco80"              # or a list, or a text file with one label a line
    score_threshold = 0.4

    [input]
    layout = "NCHW"
    color = "RGB"
    std = [255, 255, 255]
    resize = "letterbox"

    [output]
    format = "yolov8"
"""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edgecam.core.errors import ModelError, suggest
from edgecam.core.files import TEXT_BYTES, read_limited
from edgecam.core.toml import parse_toml
from edgecam.inference.models.card import Card, Interpolation, Resize, Share, Task, cleaned

BoxFormat = Literal["xyxy", "yxyx", "xywh", "cxcywh", "cycxhw"]
BoxUnits = Literal["normalised", "pixels"]
Activation = Literal["none", "sigmoid", "softmax"]
OutputFormat = Literal[
    "boxes_scores", "ssd_raw", "ssd_postprocessed", "yolov5", "yolov8", "nms6", "probabilities"
]

#: Limits of pixel values, and of what they are divided or multiplied by: float32 holds them well.
Value = Annotated[float, Meta(ge=-1e6, le=1e6)]
Scale = Annotated[float, Meta(ge=1e-6, le=1e6)]

# COCO's 80 names in COCO's order, https://cocodataset.org
_COCO80 = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite,
baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork,
knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake,
chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush
"""
COCO80 = tuple(name.strip() for name in _COCO80.split(","))


class InputSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a foreign model wants its picture.

    layout: axis order. color: channel order. Values become ``(pixel - mean) / std``, pixel in 0 … 255 and in
    the model's own channel order; ignored by models whose input is uint8.
    resize: how the picture is fitted; ``pad``: grey value of a letterbox's bars; ``crop``: share of the
    shorter side that ``center_crop`` keeps.
    """

    layout: Literal["NCHW", "NHWC"] = "NCHW"
    color: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[Value, Value, Value] = (0.0, 0.0, 0.0)
    std: tuple[Scale, Scale, Scale] = (255.0, 255.0, 255.0)
    resize: Resize = "stretch"
    pad: Annotated[int, Meta(ge=0, le=255)] = 114
    crop: Share = 0.875
    interpolation: Interpolation = "fast"


class OutputSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to read what a foreign model gives.

    format:
      boxes_scores       boxes (1, N, 4) and scores (1, N, C), in ``box_format`` and ``box_units``
      ssd_raw            offsets (1, N, 4) and scores (1, N, C), decoded with ``anchors`` and ``variances``
      ssd_postprocessed  boxes (1, N, 4), classes (1, N), scores (1, N) (TensorFlow's detection models)
      yolov5             one tensor (1, N, 5 + C): cxcywh pixels, objectness, class scores
      yolov8             one tensor (1, 4 + C, N): cxcywh pixels, class scores
      nms6               one tensor (1, N, 6): xyxy, score, class (YOLOv10, end-to-end exports)
      probabilities      classification: one tensor (1, C)
    boxes, scores, classes: output names, where the order in the file is not that of the table above.
    background: index of a class that means "nothing", cut out of the scores (not counted in ``labels``).
    class_offset: subtracted from class numbers of ssd_postprocessed and nms6 (1 if they count from 1).
    anchors: a .npy file (N, 4) beside the model, normalised, in ``anchor_format``.
    variances: factors of offsets in the order of ``box_format`` (SSD's are 0.1, 0.1, 0.2, 0.2).
    """

    format: OutputFormat = "boxes_scores"
    boxes: str | None = None
    scores: str | None = None
    classes: str | None = None
    box_format: BoxFormat | None = None
    box_units: BoxUnits | None = None
    activation: Activation = "none"
    background: Annotated[int, Meta(ge=-100_000, le=100_000)] | None = None
    class_offset: Annotated[int, Meta(ge=-100_000, le=100_000)] = 0
    anchors: str | None = None
    anchor_format: BoxFormat = "cxcywh"
    variances: tuple[Scale, Scale, Scale, Scale] = (0.1, 0.1, 0.2, 0.2)


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """A sidecar file, parsed: the card, how to feed, how to read, and the anchors if there are any."""

    card: Card
    input: InputSpec
    output: OutputSpec
    anchors: Any = None


#: A file of anchors: 100,000 of them have 1.6 MB.
ANCHOR_BYTES = 64 << 20


def sidecar_path(model: Path) -> Path:
    """Where the sidecar of ``model`` is looked for: the same name, ending in .toml."""
    return model.with_suffix(".toml")


def _labels(value: Any, file: Path) -> tuple[str, ...]:
    if value == "coco80":
        return COCO80
    if isinstance(value, str):
        try:
            lines = _beside(file, value, TEXT_BYTES).decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(
                f"{file}: labels = {value!r} names a file that cannot be read ({_why(error)}): "
                "give a list, 'coco80', or a text file with one label a line beside the model"
            ) from None
        return tuple(line.strip() for line in lines if line.strip())
    if isinstance(value, list) and all(isinstance(item, str) for item in value) and value:
        return tuple(value)
    raise ModelError(f"{file}: labels = {value!r} is not a list of names, 'coco80' or a text file")


def _anchors(output: OutputSpec, file: Path) -> NDArray[np.float32] | None:
    if output.anchors is None:
        if output.format == "ssd_raw":
            raise ModelError(f"{file}: format = 'ssd_raw' needs anchors = 'FILE.npy' with an (N, 4) array")
        return None
    try:
        data = _beside(file, output.anchors, ANCHOR_BYTES)
        if not data.startswith(np.lib.format.MAGIC_PREFIX):
            raise ValueError("it is no .npy file")
        anchors = np.load(io.BytesIO(data), allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise ModelError(f"{file}: anchors = {output.anchors!r} cannot be read: {_why(error)}") from None
    if anchors.ndim != 2 or anchors.shape[1] != 4:
        raise ModelError(f"{file}: anchors = {output.anchors!r} has shape {anchors.shape}, expected (N, 4)")
    if anchors.dtype.kind not in "fiu" or not (np.abs(anchors) <= 1e6).all():
        raise ModelError(f"{file}: anchors = {output.anchors!r} are not positions in a picture")
    return np.asarray(anchors, np.float32)


def _beside(file: Path, name: str, most: int) -> bytes:
    """A file in the model's own folder, and no other: a card must not read all that its user may read."""
    if name != Path(name).name or name in ("", ".", ".."):
        raise OSError(errno.EPERM, "it is not beside the model")
    path = file.parent / name
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, not a file beside the model")
    return read_limited(path, most)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def read_sidecar(model: Path) -> Sidecar | None:
    """The sidecar beside ``model``, or None if there is none.

    Raises ModelError, one sentence, for bad TOML, unknown keys (with the nearest right one) or wrong values.
    ``resolution`` may be left out where the model's input has a fixed size; it is (0, 0) then.
    """
    file = sidecar_path(model)
    try:
        table = parse_toml(read_limited(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"model card {file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ModelError(f"model card {file} is not valid TOML: {error}") from None
    known = {*Card.__struct_fields__, "input", "output"}
    for key in table:
        if key not in known:
            raise ModelError(f"{file}: unknown key '{key}'{suggest(key, known)}")
    try:
        given = msgspec.convert(table.pop("input", {}), InputSpec)
        output_table = table.pop("output", {})
        if table.get("task") == "classification":
            output_table.setdefault("format", "probabilities")
        output = msgspec.convert(output_table, OutputSpec)
        table["labels"] = _labels(table.get("labels"), file)
        table.setdefault("name", model.stem)
        table.setdefault("architecture", "unknown")
        table.setdefault("resolution", (0, 0))
        task: Task = "classification" if output.format == "probabilities" else "detection"
        table.setdefault("task", task)
        card = cleaned(msgspec.convert({**table, "resize": given.resize}, Card))
    except msgspec.ValidationError as error:
        raise ModelError(f"{file}: {error}") from None
    return Sidecar(card=card, input=given, output=output, anchors=_anchors(output, file))
