"""Finds models by name or by file, and reads their cards.

A name is a file's stem, a card's name, or a role: ``default``, ``accurate``, ``fast``, ``small`` (the
card's ``extra["role"]``). Names are looked for in the user's folder first, then among the shipped models.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from edgecam.core.errors import ModelError, suggest
from edgecam.core.package import package_folder
from edgecam.host.installation import document
from edgecam.inference.models.card import Card, Task
from edgecam.inference.models.file import embedded_card, weights_sha256
from edgecam.inference.models.sidecar import Sidecar, read_sidecar, sidecar_path

log = logging.getLogger(__name__)

Precision = Literal["auto", "fp32", "int8"]

#: Roles a shipped model may have, by task, the surest and slowest first; ``default`` is what runs when nobody
#: says otherwise.
ROLES: dict[Task, tuple[str, ...]] = {
    "detection": ("accurate", "default", "fast"),
    "classification": ("default", "small"),
}
_OPTION = {"detection": "--detector", "classification": "--classifier"}
_PRECISION_SUFFIX = re.compile(r"[-_.](fp32|int8)$")


def user_folder() -> Path:
    """Where a user's own models lie: ``$XDG_DATA_HOME/edgecam/models``."""
    root = os.environ.get("XDG_DATA_HOME")
    return (Path(root) if root else Path.home() / ".local" / "share") / "edgecam" / "models"


def shipped_folder() -> Path:
    """Where edgecam's own models lie: inside an installed wheel, else ``models/`` of the checkout."""
    inside = package_folder() / "_models"
    return inside if inside.is_dir() else package_folder().parent / "models"


def model_folders() -> tuple[Path, ...]:
    """Searched in this order."""
    return user_folder(), shipped_folder()


def base_name(stem: str) -> str:
    """The name that the fp32 and the int8 file of one model share: ``x-int8`` and ``x-fp32`` give ``x``."""
    return _PRECISION_SUFFIX.sub("", stem)


@lru_cache(maxsize=64)
def _read(path: Path, _stamp: tuple[int, int, int]) -> tuple[Card, Sidecar | None]:
    card = embedded_card(path)
    if card is not None:
        return card, None
    sidecar = read_sidecar(path)
    if sidecar is None:
        raise ModelError(
            f"model {path} has no card: describe its input, output and labels in {sidecar_path(path)} "
            f"({document('foreign-models.md')} shows how)"
        )
    return sidecar.card, sidecar


def describe(path: Path) -> tuple[Card, Sidecar | None]:
    """The model's card, and its sidecar if it is a foreign model. Cached until a file changes.

    Raises ModelError if the file is missing, is not ONNX, is cut short, or has no card.
    """
    stamp = [0, 0, 0]
    try:
        status = path.stat()
        stamp[:2] = status.st_mtime_ns, status.st_size
        stamp[2] = sidecar_path(path).stat().st_mtime_ns
    except OSError:
        pass  # a missing model is reported by the reader; a missing sidecar is the usual case
    return _read(path, (stamp[0], stamp[1], stamp[2]))


def load_card(path: Path | str) -> Card:
    """The card of a model file, from inside it or from the sidecar ``MODEL.toml`` beside it.

    Raises ModelError if the file is missing, is not ONNX, is cut short, or has no card.
    """
    return describe(Path(path))[0]


def check_weights(path: Path) -> None:
    """Raise ModelError if the card in ``path`` was written for other weights: the file is damaged or forged.

    Reads the whole file; :mod:`edgecam.inference.tuning.tune` does so once per file.
    """
    wanted = load_card(path).weights_sha256
    found = weights_sha256(path) if wanted else None
    if found is not None and found != wanted:
        raise ModelError(
            f"the weights in model {path} are not those its card was written for (SHA-256 differs): "
            "copy the file again"
        )


def _known() -> Iterator[tuple[Path, Card]]:
    seen: set[str] = set()
    for folder in model_folders():
        for path in sorted(folder.glob("*.onnx")):
            if path.name in seen:
                continue  # the user's file of the same name stands before the shipped one
            try:
                card = load_card(path)
            except ModelError as error:
                log.debug("skipped: %s", error)
                continue
            seen.add(path.name)
            yield path, card


def list_models(task: Task | None = None) -> list[tuple[Path, Card]]:
    """Every usable model in the user's and the shipped folder, with its card; broken files are skipped."""
    return [(path, card) for path, card in _known() if task is None or card.task == task]


def variants(path: Path) -> list[tuple[Path, Card]]:
    """The fp32 and int8 files of one model (same folder, task and base name), ``path`` itself first."""
    own = load_card(path)
    found = [(path, own)]
    for other in sorted(path.parent.glob("*.onnx")):
        if other == path or base_name(other.stem) != base_name(path.stem):
            continue
        try:
            card = load_card(other)
        except ModelError:
            continue
        if card.task == own.task and card.labels == own.labels and card.precision != own.precision:
            found.append((other, card))
    return found


def _as_file(text: str) -> Path | None:
    """``text`` as a path, if it means a file: it exists, has a folder part, or ends in .onnx."""
    path = Path(text).expanduser()
    if path.is_file() or path.suffix.lower() == ".onnx" or os.sep in text:
        return path
    return None


def _check_task(path: Path, card: Card, task: Task) -> None:
    if card.task != task:
        raise ModelError(
            f"model {path} is for {card.task}, but {_OPTION[task]} needs one for {task}: "
            f"give it to {_OPTION[card.task]}"
        )


def _named(card: Card, path: Path) -> set[str]:
    return {path.stem, base_name(path.stem), card.name, base_name(card.name), *roles_of(card)}


def roles_of(card: Card) -> list[str]:
    """The role that a model's card names: ``default``, ``fast`` …; anything that is no role is ignored."""
    role = card.extra.get("role")
    return [each for each in (role if isinstance(role, list) else [role]) if isinstance(each, str)]


def is_exact(name_or_path: str | Path) -> bool:
    """True if the user means one file: gave its path, or a name that says its precision."""
    text = str(name_or_path)
    return _as_file(text) is not None or base_name(text) != text


def find_model(name_or_path: str | Path, task: Task, precision: Precision = "auto") -> Path:
    """The file of the model called ``name_or_path``: an existing file, a name, or a role of ``task``.

    Where a name fits both an fp32 and an int8 file, ``precision`` decides; ``auto`` gives the fp32 file
    (:mod:`edgecam.inference.tuning.tune` measures both on the board and may choose the other).
    Raises ModelError for a missing file, a wrong task or an unknown name (with the nearest, and the list).
    """
    text = str(name_or_path)
    path = _as_file(text)
    if path is not None:
        if not path.exists():
            near = suggest(path.name, [file.name for file in path.parent.glob("*.onnx")])
            raise ModelError(f"model {path} does not exist{near or ': give the path of an .onnx file'}")
        _check_task(path, load_card(path), task)
        return path
    everything = list_models()
    models = [(file, card) for file, card in everything if card.task == task]
    exact = [file for file, card in models if text in (file.stem, card.name) and text != base_name(text)]
    if exact:
        return exact[0]
    fitting = [(file, card) for file, card in models if text in _named(card, file)]
    if not fitting and text == "default" and len({base_name(file.stem) for file, _ in models}) == 1:
        fitting = models  # the only model there is needs no role
    if fitting:
        wanted = ("fp32", "int8") if precision == "auto" else (precision,)
        for choice in wanted:
            for file, card in fitting:
                if card.precision == choice:
                    return file
        raise ModelError(f"model '{text}' has no {precision} file: it is there as {fitting[0][1].precision}")
    for file, card in everything:
        if text in _named(card, file):
            _check_task(file, card, task)
    names = sorted({base_name(file.stem) for file, _ in models})
    roles = [role for role in ROLES[task] if any(role in _named(card, file) for file, card in models)]
    if not names:
        raise ModelError(
            f"there is no {task} model called '{text}', nor any other: give the path of an .onnx file, or "
            f"put it into {user_folder()}"
        )
    raise ModelError(
        f"there is no {task} model called '{text}'{suggest(text, [*roles, *names])} "
        f"(known: {', '.join([*roles, *names])})"
    )
