"""The scripts as modules, for tests that call their functions."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    if str(ROOT / "scripts") not in sys.path:  # they import one another
        sys.path.append(str(ROOT / "scripts"))
    loader = SourceFileLoader(name.partition(".")[0], str(ROOT / "scripts" / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
