"""The documentation says what the program does: made pages are current, commands and settings in it work."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from edgecam.cli import parsers
from edgecam.cli.main import COMMANDS
from edgecam.config import load
from edgecam.rules.reading import build

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Pages that hold a log of what was done at the time, with the commands of then.
LOGS = {"training.md", "training-classifier.md", "performance-log.md", "CHANGELOG.md"}


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        if page.name in LOGS or "adr" in page.parts or "reference" in page.parts or "appendix" in page.parts:
            continue
        bodies = re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        found += [(str(page.relative_to(ROOT)), re.sub(r"^ {4}", "", body, flags=re.M)) for body in bodies]
    return found


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse lays help out anew in each Python")
def test_made_pages_are_current() -> None:
    pytest.importorskip("rich")
    script = str(ROOT / "scripts" / "reference_pages.py")
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=110)
    if "No module named" in done.stderr:
        pytest.skip(f"a command's own package is not installed: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def test_every_command_in_the_documentation_can_be_typed() -> None:
    known = {"": {o for a in parsers.parser_of("")._actions for o in a.option_strings}}
    checked = 0
    for page, body in blocks("sh"):
        for line in re.sub(r"\\\n\s*", " ", body).splitlines():
            try:
                words = shlex.split(line, comments=True)
            except ValueError:
                pytest.fail(f"{page}: a quotation is not closed: {line}")
            if not words or words[0] != "edgecam":
                continue
            command = words[1] if len(words) > 1 and words[1] in COMMANDS else ""
            if command not in known:
                parser = parsers.parser_of(command)
                every = [parser, *parsers.subcommands_of(parser).values()]
                known[command] = {o for one in every for a in one._actions for o in a.option_strings}
            for word in words[1:]:
                if word.startswith("--"):
                    assert word.split("=")[0] in known[command] | {"--help", "--version"}, f"{page}: {line}"
            checked += 1
    assert checked > 40


def test_every_settings_file_in_the_documentation_is_accepted(tmp_path: Path) -> None:
    checked = 0
    for page, body in blocks("toml"):
        if "source = [" not in body:
            continue
        file = tmp_path / "s.toml"
        file.write_text(body, encoding="utf-8")
        config = load({"config": str(file)}, {})
        try:
            build(
                config.zone, config.line, config.rule, record_on=config.record_on,
                snapshot_on=config.snapshot_on, labels=None, cameras=[],
            )  # fmt: skip
        except Exception as error:
            pytest.fail(f"{page}: {error}")
        checked += 1
    assert checked >= 3


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" in target or target.startswith("mailto:"):
                continue
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_what_a_page_starts_from_is_there() -> None:
    for page, body in blocks("sh"):
        for name in re.findall(r"\b(?:models|examples|scripts)/[\w./-]+", re.sub(r"#.*", "", body)):
            assert (ROOT / name).exists(), f"{page}: {name}"
