"""Collect every message for users from the program's source: errors, the page's answers, the log.

:func:`collect` parses a package without importing it. A class counts as an error if it derives, directly or
indirectly, from ``EdgecamError``, or is one of the page's answers (:data:`ANSWERS`). Functions with the names
in :data:`REASONS` return the reasons that other messages contain: why something could not be done.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT_ERROR = "EdgecamError"
#: Exceptions that become answers of the page: (status, text).
ANSWERS = frozenset({"ApiError", "Refused"})
#: Functions that return a reason in words.
REASONS = frozenset({"reason", "tls_fault", "problems", "_explain", "_why", "_why_not"})
LOGGERS = frozenset({"log", "_log", "logger"})
LEVELS = frozenset({"warning", "error", "critical"})
#: A string with fewer letters is a part of a message, not a message.
LEAST_LETTERS = 8


@dataclass(frozen=True, order=True, slots=True)
class Message:
    """``folder``: the package's folder. ``kind``: the error's class, ``answer``, ``reason`` or ``log``."""

    folder: str
    kind: str
    text: str


def collect(package: Path) -> list[Message]:
    """All messages of the package in that folder, without duplicates, in order."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(package.rglob("*.py"))}
    errors = error_classes(trees.values())
    found: set[Message] = set()
    for file, tree in trees.items():
        parts = file.relative_to(package).parts
        folder = parts[0] if len(parts) > 1 else ""
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                found.update(Message(folder, kind, text) for kind, text in _of_call(node, errors))
            elif isinstance(node, ast.FunctionDef) and node.name in REASONS:
                found.update(Message(folder, "reason", text) for text in _reasons(node))
    return sorted(found)


def _reasons(function: ast.FunctionDef) -> Iterator[str]:
    """The texts that the function returns, or appends to its result."""
    for node in ast.walk(function):
        said = node.value if isinstance(node, ast.Return) else None
        if isinstance(node, ast.Call) and _name(node.func) == "append":
            said = node.args[0]
        for text in _texts(said) if said is not None else ():
            if len(re.sub(r"[^a-z]", "", text)) >= LEAST_LETTERS + 4:  # less is a list entry, no sentence
                yield " ".join(text.split())


def error_classes(trees: object) -> set[str]:
    """Names of all classes that derive from ``EdgecamError``."""
    bases: dict[str, set[str]] = {}
    for tree in trees:  # type: ignore[attr-defined]
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(_name(base) for base in node.bases)
    errors = {ROOT_ERROR}
    while more := {name for name, of in bases.items() if of & errors} - errors:
        errors |= more
    return errors


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _of_call(node: ast.Call, errors: set[str]) -> Iterator[tuple[str, str]]:
    name, arguments = _name(node.func), node.args
    if name in errors and arguments:
        kind, argument = name, arguments[0]
    elif name in ANSWERS and len(arguments) > 1:
        kind, argument = "answer", arguments[1]
    elif (
        name in LEVELS
        and arguments
        and isinstance(node.func, ast.Attribute)
        and _name(node.func.value) in LOGGERS
    ):
        kind, argument = "log", arguments[0]
    else:
        return
    for text in _texts(argument):
        if kind == "log":
            text = re.sub(r"%%|%[-+#0]*[\d.]*[a-z]", lambda m: "%" if m[0] == "%%" else "…", text)
        text = " ".join(text.split())
        if len(re.sub(r"[^a-z]", "", text)) >= LEAST_LETTERS:
            yield kind, text


def _texts(node: ast.expr) -> list[str]:
    """The possible texts of a string expression, with ``…`` in place of values; else empty."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _texts(node.left) or ["…"], _texts(node.right) or ["…"]
        return [a + b for a in left for b in right]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return []
