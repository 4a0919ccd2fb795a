"""What detectors and classifiers share: the card they carry, and the input that pictures are fitted into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam.core.errors import ModelError
from edgecam.core.ports import TensorSpec
from edgecam.inference.models.card import Card
from edgecam.inference.models.sidecar import Sidecar
from edgecam.inference.preprocess import Normaliser, Resizer, resizer_of
from edgecam.inference.runtime.session import Session


class CardedModel:
    """Base of the models: what the card says of them."""

    card: Card
    _size_wh: tuple[int, int]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.card.name

    @property
    def labels(self) -> tuple[str, ...]:
        """By class id."""
        return self.card.labels

    @property
    def input_wh(self) -> tuple[int, int]:
        """(width, height) the model sees."""
        return self._size_wh


def _contract_size(card: Card, spec: TensorSpec, path: Path) -> tuple[int, int]:
    """(width, height) of the input of a model that follows the contract; ModelError if it does not."""
    shape = spec.shape
    if len(shape) != 4 or shape[0] not in (1, None) or shape[3] != 3 or spec.dtype != np.uint8:
        raise ModelError(
            f"model {path}: input '{spec.name}' is {spec.dtype} {shown(shape)}, expected uint8 (1, H, W, 3): "
            "export it again, or describe it in a sidecar file"
        )
    width, height = card.resolution
    if shape[1] not in (height, None) or shape[2] not in (width, None):
        raise ModelError(
            f"model {path}: its card says {width}x{height}, but its input is {shown(shape)}: export it again"
        )
    return width, height


def shown(shape: Sequence[int | None]) -> str:
    """A tensor's shape for people; a size that may vary is a question mark."""
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"


class Input:
    """A session's only input, fed from pictures: ours directly, a foreign one through a normaliser.

    size_wh: (width, height) the model sees. buffer: what to bind.
    """

    def __init__(self, session: Session, card: Card, sidecar: Sidecar | None) -> None:
        path = session.path
        if len(session.inputs) != 1:
            names = ", ".join(spec.name for spec in session.inputs)
            raise ModelError(f"model {path} has {len(session.inputs)} inputs ({names}), expected one picture")
        spec = session.inputs[0]
        self._normaliser: Normaliser | None = None
        if sidecar is None:
            self.size_wh = _contract_size(card, spec, path)
            self.resizer = resizer_of(card)
            self.buffer: NDArray[np.generic] = self.resizer.buffer
            return
        self.size_wh = _foreign_size(sidecar, spec, path)
        wanted = sidecar.input
        self.resizer = Resizer(
            self.size_wh, wanted.resize, wanted.pad, crop=wanted.crop, interpolation=wanted.interpolation
        )
        self._normaliser = Normaliser(self.resizer.buffer, sidecar.input, spec.dtype)
        self.buffer = self._normaliser.output

    def normalise(self) -> None:
        """What a foreign model needs after the resizer has filled its buffer; else nothing."""
        if self._normaliser is not None:
            self._normaliser.run()


def _foreign_size(sidecar: Sidecar, spec: TensorSpec, path: Path) -> tuple[int, int]:
    layout = sidecar.input.layout
    if len(spec.shape) != 4 or spec.shape[layout.index("C")] not in (3, None):
        raise ModelError(f"model {path}: input is {shown(spec.shape)}, which is not {layout} with 3 channels")
    given_w, given_h = sidecar.card.resolution
    height = spec.shape[layout.index("H")] or given_h
    width = spec.shape[layout.index("W")] or given_w
    if not width or not height:
        raise ModelError(
            f"model {path} takes any size: give resolution = [width, height] in its sidecar file"
        )
    if (given_w, given_h) not in ((0, 0), (width, height)):
        raise ModelError(f"model {path} takes {width}x{height}, but its sidecar says {given_w}x{given_h}")
    return width, height
