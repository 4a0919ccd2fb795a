"""Shell completion and the man page are made from the parsers, and work in a real bash and a real groff."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgecam.cli import completion, manual, parsers
from edgecam.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
ASK = '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _edgecam; printf "%s\\n" "${COMPREPLY[@]}"'


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "edgecam"
    path.write_text(completion.bash())
    return path


def test_every_command_has_its_parser() -> None:
    for command in COMMANDS:
        assert parsers.parser_of(command).prog.startswith(f"edgecam {command}")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("edgecam mod", {"models"}),
        ("edgecam models i", {"info"}),
        ("edgecam service install --ki", {"--kiosk"}),
        ("edgecam --display n", {"none"}),
        (
            "edgecam --source demo: --rec",
            {"--record", "--record-on", "--record-view", "--record-rate", "--reconnect"},
        ),
        ("edgecam --detector default --display f", {"fullscreen"}),
        ("edgecam --score ", set()),
    ],
)
def test_bash_completes(script: Path, typed: str, answer: set[str]) -> None:
    words = typed.split(" ")
    done = subprocess.run(
        ["bash", "-c", ASK, str(script), *words], capture_output=True, text=True, check=True
    )
    found = set(done.stdout.split())
    assert answer <= found and (answer or not found), done.stderr


def test_completion_offers_files(script: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    words = ["edgecam", "try", "cl"]
    done = subprocess.run(
        ["bash", "-c", ASK, str(script), *words], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "clip.mp4" in done.stdout.split()


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_man_page_is_good_roff_and_names_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    page = manual.page()
    command = ["groff", "-man", "-Kutf8", "-Tutf8", "-wall", "-P-cbou"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "2026-09-21" in done.stdout
    for action in parsers.options_of(parsers.parser_of("")):
        assert action.option_strings[-1] in done.stdout
    for command_name in COMMANDS:
        assert f"edgecam {command_name}" in done.stdout


def test_no_address_leads_nowhere() -> None:
    """There is no site of the project's: what is named is installed."""
    for path in [*(ROOT / "systemd").rglob("*.*"), ROOT / "pyproject.toml", *(ROOT / "desktop").iterdir()]:
        if path.is_file():
            assert "github.com/edgecam" not in path.read_text(), path
    for unit in (ROOT / "systemd").rglob("*.service"):
        assert "Documentation=man:edgecam(1)" in unit.read_text()


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="needs desktop-file-utils")
def test_the_desktop_entry_is_valid() -> None:
    subprocess.run(["desktop-file-validate", str(ROOT / "desktop" / "edgecam.desktop")], check=True)
