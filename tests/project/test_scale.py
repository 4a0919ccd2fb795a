"""``--tune-rate``: the shipped detector of the smaller picture runs where the default one is too slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.app.models import Models
from edgecam.config import load
from edgecam.inference.models.store import find_model, load_card

USUAL, SMALLER = (load_card(find_model(role, "detection")).resolution for role in ("default", "fast"))


def built(rate_hz: float | None) -> Models:
    settings = {"source": ["synthetic:"], "threads": 1, "classify": "off", "max_watts": 3.0}
    return Models(load({**settings, "tune_rate": rate_hz} if rate_hz else settings, {}), None)


def test_a_rate_out_of_reach_takes_the_smaller_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    usual = built(None)
    assert usual.detector is not None
    assert usual.detector.input_wh == USUAL
    assert usual.switch is not None, "a limit in watts has the smaller one stand in"
    fast = built(1_000.0)
    assert fast.detector is not None
    assert fast.detector.input_wh == SMALLER
    assert fast.switch is None, "nothing smaller to stand in"
    assert f"at {SMALLER[0]}x{SMALLER[1]}" in dict(fast.notes)["runs on"]
    assert f"{USUAL[0]}x{USUAL[1]} does" in dict(fast.notes)["runs on"]
