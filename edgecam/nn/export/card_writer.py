"""Read and write the card inside an ONNX file, and compute the digest that ties a card to its weights."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import onnx

from edgecam.core.errors import ModelError
from edgecam.inference.models.card import METADATA_KEY, Card, card_from_json


def load_model(path: Path) -> Any:
    """Load the ONNX file at ``path`` as a ``ModelProto``; :class:`ModelError` if missing or not ONNX."""
    try:
        return onnx.load(path)
    except FileNotFoundError:
        raise ModelError(f"No model file at '{path}': check the path, or export one first.") from None
    except Exception as error:
        raise ModelError(f"'{path}' is not a readable ONNX file ({error}): export it again.") from error


def save_model(model: Any, path: Path) -> None:
    """Write a ``ModelProto`` atomically: ``path`` is either the whole new file or what it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(model.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def weights_sha256(model: Any) -> str:
    """Hex SHA-256 over the initialisers' raw bytes in graph order, as :class:`Card` defines it."""
    digest = hashlib.sha256()
    for tensor in model.graph.initializer:
        digest.update(onnx.numpy_helper.to_array(tensor).tobytes())
    return digest.hexdigest()


def attach_card(model: Any, card: Card) -> Card:
    """Put ``card`` with the digest of the weights into the model's metadata (in place); returns that card."""
    card = msgspec.structs.replace(card, weights_sha256=weights_sha256(model))
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, card.to_json()
    return card


def card_of(model: Any, name: str) -> Card:
    """The card in a loaded model; error messages call the file ``name``."""
    text = next((entry.value for entry in model.metadata_props if entry.key == METADATA_KEY), None)
    if text is None:
        raise ModelError(
            f"'{name}' has no edgecam card: export it with `edgecam export`, "
            "or describe it in a sidecar MODEL.toml."
        )
    try:
        card = card_from_json(text)
    except msgspec.DecodeError as error:
        raise ModelError(f"The card in '{name}' cannot be read ({error}): export the model again.") from error
    if card.weights_sha256 and card.weights_sha256 != weights_sha256(model):
        raise ModelError(f"The card in '{name}' belongs to other weights (SHA-256 differs): export it again.")
    return card


def read_card(path: Path) -> Card:
    """The card inside an ONNX file, checked against its weights; raises :class:`ModelError`."""
    return card_of(load_model(path), str(path))


def write_card(path: Path, card: Card) -> Card:
    """Replace the card inside an ONNX file, atomically; returns the card with its weights' digest."""
    model = load_model(path)
    card = attach_card(model, card)
    save_model(model, path)
    return card
