"""From which score on a class may be shown: a table that is measured, and stands beside the model's file.

``NAME.shown.json`` beside ``NAME.onnx`` is written by ``scripts/shown_thresholds.py``, from people's boxes in
pictures that the model was not trained on. It is bound to the weights by their hash: a table of other weights
is not used. A model without a table is shown from its card's own thresholds on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecam.core.files import read_limited
from edgecam.inference.models.card import Card

log = logging.getLogger(__name__)

Unit = Annotated[float, msgspec.Meta(ge=0, le=1)]
#: No table is larger than this, bytes.
LARGEST = 1 << 20


class ClassShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One class.

    show: score from which on detections of single pictures are right in ``precision`` of all; found: share of
    people's boxes that are found so; boxes: how many of them there were; looks: how many detections.
    dependable: enough of both for the class to be on by default.
    sure: score from which on a single sighting is enough to show a track; 1: none is.
    on_val: ``show`` was raised after a look at ``val.json``, whose figures are then no measure of it.
    area: least and greatest share of the picture that people's boxes take; aspect: of their width / height.
    """

    show: Unit
    precision: Unit = 0.0
    found: Unit = 0.0
    boxes: int = 0
    looks: int = 0
    dependable: bool = False
    sure: Unit = 1.0
    on_val: bool = False
    area: tuple[float, float] = (0.0, 1.0)
    aspect: tuple[float, float] = (0.0, 1e6)


class ShownTable(msgspec.Struct, frozen=True, kw_only=True):
    """target: the precision aimed at. measured_on: the pictures, in words."""

    weights_sha256: str
    target: Unit
    measured_on: str
    classes: dict[str, ClassShown]
    v: int = 1


def sure_scores(labels: Sequence[str], table: ShownTable | None) -> NDArray[np.float32]:
    """(C,) each label's ``sure``; infinite where there is no such score."""
    rows = {} if table is None else table.classes
    found = [rows[x].sure if x in rows else 1.0 for x in labels]
    return np.array([score if score < 1.0 else np.inf for score in found], np.float32)


def table_path(model: Path) -> Path:
    """Where the table of ``model`` stands."""
    return model.with_name(f"{model.stem}.shown.json")


def read_table(model: Path, card: Card) -> ShownTable | None:
    """The table of the model at ``model``; None where there is none, or none of these weights."""
    path = table_path(model)
    try:
        table = msgspec.json.decode(read_limited(path, LARGEST), type=ShownTable)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        log.warning("%s is not used: %s; remove it, or copy it anew with its model", path, error)
        return None
    if table.weights_sha256 != card.weights_sha256:
        log.warning("%s is of other weights and is not used; copy it anew with its model", path)
        return None
    return table
