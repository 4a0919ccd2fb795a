"""Text from outside on a terminal and in a log; and nothing else writes there."""

from __future__ import annotations

import ast
import io
import json
import logging
from pathlib import Path

import pytest
from rich.table import Table

from edgecam.core import console
from edgecam.core.text import decodable, escape, escape_lines, hide_passwords

PACKAGE = Path(console.__file__).parents[1]
#: May write to a terminal: the one module for it, and a program of its own that its parent reads.
WRITERS = {"core/console.py", "service/doctor/probe.py"}
NASTY = "a\x1b[31m\x07\r\nERROR forged\u202e\x9b2J\udce9\u2028z"


def test_escape() -> None:
    shown = escape(NASTY)
    assert shown == "a\\x1b[31m\\x07\\r\\nERROR forged\\u202e\\x9b2J\\xe9\\u2028z"
    assert escape("Küche 日本 👩‍🔬 100 %") == "Küche 日本 👩‍🔬 100 %"
    assert escape("x" * 5000).endswith("x…") and len(escape("x" * 5000)) == 2000
    assert escape_lines("a\tb\nc\x1b") == "a       b\nc\\x1b"
    assert decodable("caf\udce9\ud800") == "caf\\xe9\\ud800" and decodable("é") == "é"


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://joe:PW@h/x", "rtsp:/joe:PW@h", "rtsp//joe:PW@h", "ftp:joe:PW@h", "'rtsp://joe:PW@h/a'",
        "joe:PW@h", "rtsp://joe:a@PW@h/", "rtsp;//joe:PW@h", "rtsp:joe:P/PW@h",
        "see (http://joe:PW@h), please",
    ],
)  # fmt: skip
def test_no_message_shows_a_password(text: str) -> None:
    assert "PW" not in escape(text) and "@h" in escape(text)


def test_what_is_no_password_stays() -> None:
    for text in ("a@b.c", "/home/x@y/clip.mp4", "mail me@x: rtsp://h/", "10:30 @ noon", "/media/joe:x@y/z"):
        assert hide_passwords(text) == text


def test_logs_and_tables_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(console.PlainFormatter("%(levelname)s %(message)s"))
    handler.emit(logging.makeLogRecord({"msg": "%s is lost", "args": (NASTY,), "levelname": "WARNING"}))
    assert stream.getvalue().count("\n") == 1 and "\x1b" not in stream.getvalue()
    screen = console.console(width=200)
    table = Table("name", NASTY)
    table.add_row(NASTY, "[red]x")
    screen.print(table)
    screen.print(NASTY)
    console.out(f"{NASTY}\n")
    console.err(f"{NASTY}\n")
    said = capsys.readouterr()
    assert not set("\x1b\x07\r\x9b\u202e\u2028") & set(said.out + said.err)


@pytest.mark.once
def test_one_module_writes_to_the_terminal() -> None:
    """Everybody else goes through edgecam.core.console, which escapes."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if name in WRITERS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            end = getattr(node.func if isinstance(node, ast.Call) else node, "attr", None)
            if end not in ("print", "write") and not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            ):
                continue  # most of a file; writing each out in full would take seconds
            what = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if what in (
                "print",
                "Console",
                "rich.print",
                "sys.stdout.write",
                "sys.stderr.write",
                "sys.stdout.buffer.write",
            ):
                found.append(f"{name}:{node.lineno} {what}")  # type: ignore[attr-defined]
            if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                "sys.stdout.write",
                "sys.stderr.write",
            ):
                found.append(f"{name}:{node.lineno} passed on")
    assert not found, "use edgecam.core.console: " + "; ".join(found)


def test_json_is_ascii() -> None:
    assert "\x9b" not in json.dumps(NASTY) and "\u202e" not in json.dumps(NASTY)


def test_what_is_escaped_twice_stays_as_it_is() -> None:
    """Found by scripts/fuzz: a label of 198 characters, one of which takes four, was cut the second time."""
    for text in ("b\x7f" + "[" * 196, "\x1b" * 300, "[" * 201, "é\udcff" * 100):
        once = escape(text, 200)
        assert len(once) <= 200 and escape(once, 200) == once
        assert once.endswith("…")
