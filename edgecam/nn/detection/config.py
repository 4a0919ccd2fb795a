"""Settings of a detection training, read from a TOML recipe and kept in every checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgecam.core.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

#: Where the recipes of the shipped models stand.
RECIPES = Path(__file__).parents[1] / "recipes"


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is trained.

    head: ``ssd``, or ``pan`` for a CSP-PAN neck and an anchor-free head
    (:class:`edgecam.nn.networks.pan_detector.PanConfig`).
    start: ``google-ssd`` (with ``weights``), ``checkpoint`` (with ``weights``), ``graft`` (with the
    backbone's ``weights`` and a ``lender``, whose neck and head it takes), or ``scratch``.
    weights: a file, relative to the data folder.
    anchor_scale, keep_extras: for a start at another resolution (see ``edgecam.nn.networks.ssd.SSDConfig``).
    Anchors keep their size in pixels; maps whose anchors would exceed the picture are left out (0: none).
    act, act_finest: activations of a PAN detector's neck and head, and of the layers on the finest map. ""
    keeps the start's: h-swish for a graft, ReLU for a fresh one. An activation that differs from the start's
    is put in by least squares.
    channels: outputs of each row of the backbone after pruning (``scripts/prune_detector.py``).
    teacher: a checkpoint with the same anchors. It replaces the start as second teacher, and ``mimic``
    follows it. teacher_scale: 2 shows a PAN detector's teacher the pictures at twice the side; its levels
    from twice the finest stride on then have the student's cells.
    """

    head: Literal["ssd", "pan"] = "ssd"
    start: Literal["google-ssd", "checkpoint", "graft", "scratch"] = "scratch"
    weights: str = ""
    lender: str = ""
    backbone: str = "mobilenet_v1"
    width: float = 1.0
    resolution: int = 300
    padding: Literal["symmetric", "tf"] = "symmetric"
    predictor: Literal["pointwise", "conv3x3", "separable"] = "separable"
    separable_extras: bool = True
    strides: tuple[int, ...] = (16, 32)
    extra_level: bool = True
    extras: tuple[tuple[int, int], ...] = ((256, 512), (128, 256), (128, 256), (64, 128))
    neck_channels: int = 0
    neck_width: int = 96
    neck_kernel: int = 5
    head_depth: int = 2
    bins: int = 8
    act: Literal["", "relu", "hswish"] = ""
    act_finest: Literal["", "relu", "hswish"] = ""
    anchor_scale: float = 1.0
    keep_extras: int = 0
    channels: tuple[int, ...] = ()
    teacher: str = ""
    teacher_scale: Literal[1, 2] = 1


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it is trained on.

    weight: how often pictures of a source are drawn (default 1).
    balance: classes seen in less than this share of the pictures are drawn more often, by the square root of
    what they lack and at most ``balance_limit`` times (repeat factors: Gupta et al. 2019, "LVIS").
    exhaustive: for each source, the classes of which people boxed every object. For a source that is not
    named: all classes if it has no boxes from a teacher, otherwise none.
    soft: a file of fused soft labels from several teachers
    (:func:`edgecam.nn.detection.soft_labels.add_soft_labels`).
    more: further annotation files beside the first; each names its own file of soft labels, or "".
    dev: how many pictures of ``dev_sources`` are held out for choosing between models.
    max_side: longest side of the decoded pictures, pixels.
    """

    weight: dict[str, float] = {}
    balance: float = 0.0
    balance_limit: float = 5.0
    exhaustive: dict[str, list[str]] = {}
    soft: str = ""
    more: dict[str, str] = {}
    dev: int = 0
    dev_sources: list[str] = []
    max_side: int = 320


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pictures are augmented, see :mod:`edgecam.nn.detection.augment`.

    blend: this share of the samples, until the calm end, is laid over another sample of its batch (mixup,
    Zhang et al. 2018) and learnt from the dense teacher alone, as Beyer et al. 2022 do ("Knowledge
    distillation: a good teacher is patient and consistent").
    calm: the share of the training, at its end, that has neither mosaics nor blends.
    sizes: sides of the input, pixels. Each batch takes one at random, so that the same weights work at all of
    them (multi-scale training; a PAN detector only). Empty: the model's resolution.
    """

    mosaic: float = 0.2
    crop: float = 0.4
    zoom_out: float = 0.2
    min_crop: float = 0.35
    max_zoom: float = 2.0
    photometric: float = 0.7
    blend: float = 0.0
    calm: float = 0.2
    sizes: tuple[int, ...] = ()


class Optimise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps and learning rates.

    epoch: samples per epoch; 0: as many as the weights give.
    early_layers, early_every: the backbone's first layers cost most on a CPU and change least. So the first
    ``early_layers`` learn only at every ``early_every``-th step, all others at each step.
    start_share: the share of the starting weights that is blended into the final ones.
    mimic: weight of following the teacher beside the labels. An SSD follows its every score and box, which is
    the fastest way for a pruned network to relearn what it has lost. A PAN detector follows its neck's maps,
    with a weight that falls to a tenth until ``mimic_until`` pictures.
    copied: weight of a dense teacher's side distributions (PAN only).
    backbone_lr: the backbone's rate as a share of the others'.
    graft_pictures: the number of pictures that a graft is solved on. An exchange of activations uses the
    first 32 of them.
    """

    epochs: float = 10.0
    epoch: int = 0
    batch: int = 32
    lr: float = 3e-4
    final_lr: float = 0.02
    warmup: int = 100
    weight_decay: float = 1e-4
    clip: float = 10.0
    ema: float = 0.998
    distil: float = 0.75
    early_layers: int = 0
    early_every: int = 1
    cooldown: tuple[int, int] | None = None
    start_share: float = 0.0
    mimic: float = 0.0
    mimic_until: int = 40000
    copied: float = 0.5
    backbone_lr: float = 1.0
    graft_pictures: int = 320


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole recipe. ``seed`` fixes all randomness; ``card`` is copied into the model card unchanged."""

    model: Model = Model()
    data: Data = Data()
    augment: Augment = Augment()
    optimise: Optimise = Optimise()
    seed: int = 0
    card: dict[str, str] = {}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        made: dict[str, Any] = msgspec.to_builtins(self)
        return made


def read_recipe(name: str) -> TrainConfig:
    """Read a recipe: a ``.toml`` file, or the name of one that comes with edgecam.

    With ``base = "NAME"`` at its top, it holds only what differs from that other recipe.
    Raises :class:`ConfigError` if there is none, or if it is wrong; the error names the wrong key.
    """
    path = _recipe_path(name)
    try:
        return msgspec.convert(_content(name, ()), TrainConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the recipe '{path}' is wrong: {error}") from error


def recipe_says(name: str, table: str, key: str) -> bool:
    """Whether a recipe, or one that it is based on, gives ``key`` in ``table``."""
    return key in _content(name, ()).get(table, {})


def _recipe_path(name: str) -> Path:
    path = Path(name)
    return path if path.suffix else RECIPES / f"{name}.toml"


def _content(name: str, above: tuple[Path, ...]) -> dict[str, Any]:
    """What a recipe says together with its bases. ``above``: the recipes that led to this one."""
    path = _recipe_path(name)
    if path in above:
        raise ConfigError(f"the recipe '{path}' is based on itself: leave 'base' out of one of them")
    try:
        own = tomllib.loads(path.read_text())
    except FileNotFoundError:
        known = ", ".join(
            sorted(p.stem for p in RECIPES.glob("*.toml") if not p.stem.startswith("classifier"))
        )
        raise ConfigError(f"no recipe '{name}': give a .toml file or one of {known}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the recipe '{path}' is wrong: {error}") from error
    base = own.pop("base", "")
    if not isinstance(base, str):
        raise ConfigError(f"the recipe '{path}' is wrong: base is {base!r}, not a recipe's name")
    return _merged(_content(base, (*above, path)), own) if base else own


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``own``, table by table."""
    tables = {
        k: _merged(base[k], v)
        for k, v in own.items()
        if isinstance(v, dict) and isinstance(base.get(k), dict)
    }
    return {**base, **own, **tables}
