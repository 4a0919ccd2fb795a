"""New messages of any kind are found, and every one is a heading of docs/troubleshooting.md."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = """
from other import errors, log, _log
from other.errors import ConfigError

class OddError(errors.CaptureError): ...
class OdderError(OddError): ...

def f(x, y):
    raise ConfigError(f"--zone {x} has no corners; "
                      "give three")
    raise errors.CaptureError("a camera by attribute" if x else "the other branch of it")
    raise OdderError("of a class two steps below: " + y)
    raise ApiError(404, f"there is no clip called {x}")
    raise ValueError("an error for programmers, not for people")
    log.warning("space for %.1f %% of %s is left", x, y)
    self.log.info("nothing that a person has to read")
    ConfigError("ab")

def _why(error):
    parts.append("its cable is loose")
    return f"nobody listens at {error}" if error else ""
"""


@pytest.fixture(scope="module")
def collector() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", ROOT / "scripts/program_messages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["messages"] = module
    spec.loader.exec_module(module)
    return module


def test_each_kind_of_message_is_found(collector: ModuleType, tmp_path: Path) -> None:
    room = tmp_path / "outputs"
    room.mkdir()
    (tmp_path / "errors.py").write_text("class EdgecamError(Exception): ...\n")
    names = "class ConfigError(EdgecamError): ...\nclass CaptureError(EdgecamError): ...\n"
    (room / "new.py").write_text(names + PACKAGE)
    assert [(m.folder, m.kind, m.text) for m in collector.collect(tmp_path)] == [
        ("outputs", "CaptureError", "a camera by attribute"),
        ("outputs", "CaptureError", "the other branch of it"),
        ("outputs", "ConfigError", "--zone … has no corners; give three"),
        ("outputs", "OdderError", "of a class two steps below: …"),
        ("outputs", "answer", "there is no clip called …"),
        ("outputs", "log", "space for … % of … is left"),
        ("outputs", "reason", "its cable is loose"),
        ("outputs", "reason", "nobody listens at …"),
    ]


def test_every_message_is_a_heading(collector: ModuleType) -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    headings = {re.sub(r"\\(.)", r"\1", line[5:]) for line in page.splitlines() if line.startswith("#### ")}
    found = collector.collect(ROOT / "edgecam")
    missing = sorted({m.text for m in found} - headings)
    assert not missing, f"run python scripts/reference_pages.py: {missing[:5]}"
    rooms = {m.folder for m in found}
    assert {"web", "record", "outputs", "rules", "capture", "config", ""} <= rooms
    assert len(found) > 600
