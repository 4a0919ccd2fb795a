"""The model card: what a model file says of itself, stored as JSON in the ONNX ``metadata_props``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from edgecam.core.text import escape

#: Key in the ONNX ``metadata_props`` under which the card's JSON stands.
METADATA_KEY = "edgecam_card"

Task = Literal["detection", "classification"]
Resize = Literal["stretch", "letterbox", "center_crop"]
#: ``fast`` is bilinear from the four nearest pixels, as our own models are trained; the others average over
#: all pixels where a picture shrinks, as torchvision and timm do before they measure their scores.
Interpolation = Literal["fast", "bilinear", "bicubic"]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Unit = Annotated[float, msgspec.Meta(ge=0, le=1)]
#: Whatever somebody measured; neither NaN nor infinite, which TOML can write.
Figure = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]
Side = Annotated[int, msgspec.Meta(ge=0, le=16_384)]
Labels = Annotated[tuple[str, ...], msgspec.Meta(max_length=100_000)]
#: A card's JSON: one with a thousand labels and their figures has 60 kB.
CARD_BYTES = 4 << 20


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model is, what it was trained on, how well it does, and how to use it.

    resolution: (width, height) of the input, pixels.
    crop: share of the shorter side that ``center_crop`` keeps (ImageNet's 256 to 224 is 0.875).
    score_threshold: default; ``thresholds`` overrides it per label.
    weak_labels: classes whose AP50 is too low to trust; off by default.
    metrics: figure name to value, e.g. ``{"AP50": 0.52, "AP": 0.31}``; ``per_class``: label to its AP50.
    weights_sha256: of the initialisers' bytes in graph order, so a card cannot be moved to other weights.
    """

    name: str
    task: Task
    architecture: str
    labels: Labels
    resolution: tuple[Side, Side]
    v: int = 1
    width_multiplier: Figure = 1.0
    precision: Literal["fp32", "int8"] = "fp32"
    resize: Resize = "stretch"
    crop: Share = 0.875
    interpolation: Interpolation = "fast"
    licence: str = ""
    origin: str = ""
    training_data: str = ""
    teacher: str = ""
    metrics: dict[str, Figure] = {}
    per_class: dict[str, Figure] = {}
    score_threshold: Unit = 0.5
    thresholds: dict[str, Unit] = {}
    weak_labels: tuple[str, ...] = ()
    nms_iou: Unit = 0.5
    max_detections: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 100
    parameters: int | None = None
    macs: int | None = None
    weights_sha256: str = ""
    created: str = ""
    seed: int | None = None
    commit: str = ""
    known_failures: str = ""
    extra: dict[str, Any] = {}

    def to_json(self) -> str:
        """The card as one JSON document."""
        return msgspec.json.encode(self).decode()


def card_from_json(text: str) -> Card:
    """Parse a card; raises ``msgspec.ValidationError`` naming the field that does not fit."""
    if len(text) > CARD_BYTES:
        raise msgspec.ValidationError(f"it has more than {CARD_BYTES} bytes")
    return cleaned(msgspec.json.decode(text, type=Card))


def cleaned(card: Card) -> Card:
    """The card with its name and labels fit to be shown: they stand in logs, on screens and in file names."""
    labels = tuple(escape(label, 200) for label in card.labels)
    return msgspec.structs.replace(card, name=escape(card.name, 200), labels=labels)
