"""What tuning found on this board, remembered in ``tuning.json`` of the cache folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import onnxruntime as ort

from edgecam import plugins
from edgecam.core.package import __version__
from edgecam.host.boards import board_name
from edgecam.host.cpu import cache_folder
from edgecam.inference.tuning.measure import Measurement

log = logging.getLogger(__name__)

#: Rises when sessions run differently, too, so that everything is measured again.
_FORMAT = 5


class Record(msgspec.Struct, frozen=True):
    """What was chosen, and all that was measured."""

    best: Measurement
    tried: tuple[Measurement, ...]


class _Cache(msgspec.Struct):
    v: int = _FORMAT
    records: dict[str, Record] = {}


def _file() -> Path:
    return cache_folder() / "tuning.json"


def _read() -> _Cache:
    try:
        cache = msgspec.json.decode(_file().read_bytes(), type=_Cache)
    except (OSError, msgspec.MsgspecError):
        return _Cache()  # none yet, or not ours: it is made anew
    return cache if cache.v == _FORMAT else _Cache()


def load(key: str) -> Record | None:
    """What is remembered under ``key``."""
    return _read().records.get(key)


def store(key: str, record: Record) -> None:
    """Remember it; where that cannot be done, a warning says so."""
    cache = _read()
    cache.records[key] = record
    file = _file()
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.format(msgspec.json.encode(cache)))
        part.replace(file)
    except OSError as error:
        log.warning(
            "tuning cannot be remembered in %s (%s): it is measured at each start", file, error.strerror
        )


def measured() -> dict[str, Measurement]:
    """The quickest measurement that is remembered of each model file, by its name without ending."""
    found: dict[str, Measurement] = {}
    for record in _read().records.values():
        for one in record.tried:
            name = Path(one.file).stem
            if name not in found or one.ms < found[name].ms:
                found[name] = one
    return found


def key_of(paths: Sequence[Path], *choices: str) -> str:
    """What a record holds for: these files as they are, this board, these versions, and ``choices``."""
    files = [f"{path.resolve()}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in paths]
    runtimes = [f"{other.package} {other.version}" for other in plugins.added("runtimes").values()]
    versions = (f"onnxruntime {ort.__version__}", f"edgecam {__version__}", *runtimes)
    return " | ".join([*files, board_name(), *versions, *choices])
