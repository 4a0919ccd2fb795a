"""Every parser of what comes from outside, on mutations of good inputs; hours of it: scripts/fuzz."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from corpus import HARNESSES
from fuzzing import fuzz

#: Three seconds each, for the suite's time; scripts/test gives ten, and one on further Pythons (TEST_FUZZ_S).
SECONDS = float(os.environ.get("TEST_FUZZ_S", "3"))


@pytest.mark.parametrize("name", HARNESSES)
def test_parser(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert fuzz(HARNESSES[name], SECONDS, first=1000) > 20
    capfd.readouterr()  # libjpeg's own words
