"""Are the model files what they were? One answer for ``edgecam models verify`` and for the doctor."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Literal

from edgecam.core.errors import ModelError
from edgecam.host.installation import mend
from edgecam.inference.models.file import weights_sha256
from edgecam.inference.models.store import load_card, model_folders, shipped_folder

#: ``good``: the weights are the card's. ``unproven``: nothing to compare. ``damaged``: other weights than the
#: card's. ``broken``: no model, none with a card, or a shipped file that is gone.
State = Literal["good", "unproven", "damaged", "broken"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One file and what was found. words: for people, with what to do where it is not good."""

    path: Path
    state: State
    words: str

    @property
    def bad(self) -> bool:
        """Whether something has to be done."""
        return self.state in ("damaged", "broken")


def check_file(path: Path) -> Checked:
    """Read the whole file and compare it with its card. Never raises for what is wrong with it."""
    try:
        wanted = load_card(path).weights_sha256
        found = weights_sha256(path) if wanted else None
    except ModelError as error:
        return Checked(path, "broken", str(error))
    if not wanted:
        return Checked(path, "unproven", "its card has no hash to compare with")
    if found is None:
        return Checked(path, "unproven", "its weights lie in another file, which is not checked")
    if found != wanted:
        words = "the weights are not those of its card; pull, export or copy it again"
        return Checked(path, "damaged", words)
    return Checked(path, "good", "the weights are those of its card")


def check_models() -> Iterator[Checked]:
    """Every ``.onnx`` file in the user's folder and among the shipped models, those that are gone too."""
    for folder in model_folders():
        for path in sorted(folder.glob("*.onnx")):
            yield check_file(path)
    for path in _installed():
        if not path.exists():
            yield Checked(
                path, "broken", f"it came with edgecam and is not there; install edgecam anew: {mend()}"
            )


def _installed() -> list[Path]:
    """The shipped models that the installation has a record of; a checkout has none."""
    try:
        # read here: from Python 3.12 on metadata.files() leaves out what is gone
        record = metadata.distribution("edgecam").read_text("RECORD") or ""
    except metadata.PackageNotFoundError:
        return []
    files = [PurePosixPath(row[0]) for row in csv.reader(record.splitlines()) if row]
    names = {file.name for file in files if file.suffix == ".onnx" and file.parent.name == "_models"}
    return [shipped_folder() / name for name in sorted(names)]
