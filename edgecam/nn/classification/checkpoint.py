"""A classifier's recipe (its training settings) and its run (the state of a training, in its checkpoint)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from torch import Tensor

from edgecam.core.errors import ConfigError, ModelError, suggest
from edgecam.core.files import check_archive
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.ssd import fold_batch_norm
from edgecam.nn.networks.table import Backbone

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

CHECKPOINT_VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """Every setting that decides the result of a training, besides the data; stored in its checkpoint.

    fold: train with batch norm merged into the convolutions (statistics frozen); needs weights to start from.
    head_rounds: how many augmented passes over the pictures the head is fitted on, besides one plain pass.
    stages: (side in pixels, epochs) of each stage in which all layers are trained, in order.
    learning_rate: the peak rate; the classifier layer's rate is ``head_factor`` times as high.
    rounds: variations of a picture before they repeat; a teacher's answers are cached per round.
    distil: weight of the teacher's answers in the targets, if there is a teacher.
    weights: published weights to start from, a path relative to the data folder; ``origin`` says which
        library's tensor names they use.
    """

    architecture: str = "mobilenet_v2"
    width: float = 1.0
    padding: str = "tf"
    resolution: int = 224
    fold: bool = True
    head_rounds: int = 1
    head_steps: int = 3000
    stages: tuple[tuple[int, int], ...] = ((160, 1), (224, 1))
    rounds: int = 8
    batch: int = 32
    learning_rate: float = 5e-5
    head_factor: float = 4.0
    weight_decay: float = 0.02
    smoothing: float = 0.1
    distil: float = 0.7
    ema: float = 0.998
    held_out: float = 0.15
    outliers: int = 1200
    amp: bool = True
    weights: str = ""
    origin: Literal["timm", "torchvision"] = "timm"
    seed: int = 0


@dataclass
class Run:
    """One training in its folder: the network, the step it has reached, and its results."""

    folder: Path
    recipe: Recipe
    labels: tuple[str, ...]
    backbone: Backbone
    average: dict[str, Tensor]
    optimiser_state: dict[str, Any] | None = None
    step: int = 0
    temperature: float = 1.0
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Path:
        """The file that holds the whole run."""
        return self.folder / "classifier.pt"

    def save(self) -> None:
        """Write the checkpoint atomically."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "v": CHECKPOINT_VERSION,
                "task": "classification",
                "recipe": msgspec.json.encode(self.recipe).decode(),
                "labels": list(self.labels),
                "model": self.backbone.state_dict(),
                "average": self.average,
                "optimiser": self.optimiser_state,
                "step": self.step,
                "temperature": self.temperature,
                "metrics": self.metrics,
            },
            temporary,
        )
        temporary.replace(self.checkpoint)

    def averaged(self) -> Backbone:
        """The network with the averaged weights, in evaluation mode: what is evaluated and exported."""
        network = build_network(self.recipe, self.labels)
        network.load_state_dict(self.average)
        return network.eval()


def build_network(recipe: Recipe, labels: Sequence[str]) -> Backbone:
    """The recipe's network with fresh weights, channels last in memory."""
    if recipe.padding not in ("tf", "symmetric"):
        raise ConfigError(f"padding '{recipe.padding}' is neither 'tf' nor 'symmetric'.")
    network = build_backbone(
        recipe.architecture,
        width=recipe.width,
        num_classes=len(labels),
        padding="tf" if recipe.padding == "tf" else "symmetric",
    )
    if recipe.fold:
        fold_batch_norm(network)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def load_run(checkpoint: Path) -> Run:
    """Load a training as it was last saved; no code in the file is executed."""
    try:
        check_archive(Path(checkpoint))
        data = torch.load(checkpoint, map_location="cpu", weights_only=True)
        recipe = msgspec.json.decode(data["recipe"], type=Recipe)
        labels = tuple(data["labels"])
        network = build_network(recipe, labels)
        network.load_state_dict(data["model"])
    except FileNotFoundError:
        raise ModelError(f"No checkpoint at '{checkpoint}': give the run's folder or its .pt file.") from None
    except Exception as error:
        raise ModelError(f"'{checkpoint}' is not a classifier's checkpoint ({error}).") from error
    return Run(
        checkpoint.parent,
        recipe,
        labels,
        network,
        data["average"],
        data["optimiser"],
        int(data["step"]),
        float(data["temperature"]),
        dict(data["metrics"]),
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"recipe '{path}' cannot be read ({error.strerror}).") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"recipe '{path}': {error}.") from None
    return values


def read_recipe(path: Path) -> Recipe:
    """A recipe from a TOML file with the fields of :class:`Recipe`; raises :class:`ConfigError`.

    The file may also have a table ``[card]`` with what only people know; see :func:`read_about`.
    """
    values = _read_toml(path)
    values.pop("card", None)
    known = [f.name for f in fields(Recipe)]
    unknown = next((name for name in values if name not in known), None)
    if unknown is not None:
        raise ConfigError(f"recipe '{path}' has no field '{unknown}'{suggest(unknown, known)}.")
    try:
        return msgspec.convert(values, Recipe)
    except msgspec.ValidationError as error:
        raise ConfigError(f"recipe '{path}': {error}.") from None


def read_about(path: Path) -> dict[str, str]:
    """The recipe's ``[card]``: name, role, licence, origin, training_data, known_failures."""
    return {str(key): str(value) for key, value in _read_toml(path).get("card", {}).items()}
