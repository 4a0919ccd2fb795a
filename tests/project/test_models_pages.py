"""`edgecam models` and `edgecam models info` on a narrow terminal."""

from __future__ import annotations

import json
import re

import pytest

from edgecam.cli.models import main
from edgecam.inference.models.store import find_model

DEFAULT = find_model("default", "detection").stem


def test_models_alone_lists_them_within_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines() if "/" not in line) <= 80
    assert f"{DEFAULT} " in out and "mobilenet_v4_conv_small" in out and "default" in out


def test_info_reads_as_a_page(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["info", "default"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{DEFAULT}: default detector\n")
    assert "80 kinds of things" in out and "worst at" in out and "recipe" not in out
    before, file, after = re.split(r"^(?=  file|  network)", out, flags=re.MULTILINE)
    assert file.startswith("  file"), "its path is as long as the folder's is deep"
    assert len((before + after).splitlines()) < 50
    long = [line for line in out.splitlines() if len(line) > 80]
    assert not [line for line in long if len(line.split()) > 2], "only a hash or a path may be longer"


def test_the_whole_card_is_there_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "default", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["labels"]) == 80
