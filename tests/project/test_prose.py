"""Plain English: sentences of the hand-written pages and of the program's messages are short.

Words that say nothing, or that only we would know, are refused by codespell (``scripts/check``, with
``scripts/words.txt``).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
#: Logs, decisions and made pages have their own measure.
_NOT = re.compile(r"/(adr|reference|appendix|sensitivity)/|/(training[\w-]*|api|troubleshooting)\.md$")
PAGES = [ROOT / "README.md"] + [
    page for page in sorted((ROOT / "docs").rglob("*.md")) if not _NOT.search(page.as_posix())
]
#: Words: the longest sentence, and a page's mean.
LONGEST, MEAN = 42, 17.0


def sentences(text: str) -> list[list[str]]:
    """The words of each sentence; code counts as one word, tables and headings are left out."""
    text = re.sub(r"```.*?```|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*[|#].*$", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"\n\s*([-*]|\d+\.)\s", "\n\n", text)
    parts = re.split(r"(?<=[.!?:;])\s+|\n\s*\n", text)
    return [words for words in (part.split() for part in parts) if len(words) > 2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_sentences_are_short(page: Path) -> None:
    found = sentences(page.read_text(encoding="utf-8"))
    long = [f"{len(words)} words: {' '.join(words)}" for words in found if len(words) > LONGEST]
    assert not long, long
    assert sum(map(len, found)) / max(len(found), 1) <= MEAN


def test_messages_are_short() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^#### (.*)$", page, re.MULTILINE)
    assert len(messages) > 400
    long = [m for m in messages for part in re.split(r"[.:;,(]\s*", m) if len(part.split()) > 30]
    assert not long, long
