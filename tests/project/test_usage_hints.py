"""What people type nearly right is understood, or refused in a sentence that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.app.app import App
from edgecam.capture import check_source, open_source
from edgecam.cli.main import main
from edgecam.config import load
from edgecam.core.errors import ConfigError


def test_record_on_alone_says_what_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"--record-on needs --record: say where the clips go"):
        load({"source": ["demo:"], "record_on": ["person"]}, environment={})


def test_a_place_for_snapshots_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    config = load(
        {"source": ["synthetic:?frames=1"], "detector": "off", "classify": "off", "snapshots": str(blocked)},
        environment={},
    )
    with pytest.raises(ConfigError, match=r"--snapshots .*file: cannot write there \(.*\); name a folder"):
        App(config, paced=False)


def test_synthetic_without_its_colon_is_the_source_unless_a_file_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_source("demo")
    with open_source("synthetic") as source:
        assert source.name == "synthetic:"
    (tmp_path / "synthetic").mkdir()
    with pytest.raises(Exception, match="no pictures"):
        open_source("synthetic")


def test_edgecam_alone_says_where_to_begin_on_any_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 12 and max(map(len, lines)) <= 60
    assert any("demo:" in line for line in lines) and any("edgecam --help" in line for line in lines)
