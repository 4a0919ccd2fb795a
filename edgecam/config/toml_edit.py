"""Changing single settings in a TOML file and leaving all the rest, comments too, as its owner wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from edgecam.core.errors import ConfigError
from edgecam.core.toml import parse_toml

_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]+\"|'[^']+')\s*=")
_HEADER = re.compile(r"\s*\[")
#: Bytes of a settings file; ours have one or two thousand.
MOST_BYTES = 256 * 1024


def parse(text: str) -> dict[str, Any]:
    """The file's values, by option name (``-`` in keys is ``_``). Raises ConfigError."""
    if len(text) > MOST_BYTES:
        raise ConfigError(f"the settings have {len(text)} characters; {MOST_BYTES} are the most")
    try:
        found = parse_toml(text.encode())
    except ValueError as error:
        raise ConfigError(f"not valid TOML: {error}") from None
    return {key.replace("-", "_"): value for key, value in found.items()}


def changed(text: str, values: Mapping[str, Any]) -> str:
    """``text`` with these settings set; None takes one out. Raises ConfigError if that cannot be done.

    What was a comment stays, also that beside a value. Lists of tables (``[[zone]]``) are written anew.
    """
    before = parse(text)
    lines = text.splitlines()
    try:
        for name, value in values.items():
            lines = _set(lines, name, value)
    except RecursionError:
        raise ConfigError("a value is nested too deeply for a settings file") from None
    made = "\n".join(lines).rstrip("\n") + "\n"
    wanted = {name: value for name, value in {**before, **values}.items() if value is not None}
    if parse(made) != _plain(wanted):
        raise ConfigError("the file is written in a way that cannot be changed here; edit it by hand")
    return made


def _set(lines: list[str], name: str, value: Any) -> list[str]:
    tables = isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value)
    lines, at = _without(lines, name)
    if value is None:
        return lines
    if tables:
        while lines and not lines[-1].strip():
            lines.pop()
        for item in value:
            if not isinstance(item, Mapping):
                raise ConfigError(f"'{name}' mixes words and tables; write all of them as [[{name}]] tables")
            lines += ["", f"[[{name}]]", *(f"{key} = {dump(one)}" for key, one in item.items())]
        return lines
    spelt, comment = (at[1], at[2]) if at is not None else (name, "")
    place = at[0] if at is not None else _end_of_top(lines)
    line = f"{spelt} = {dump(value)}{comment}"
    if at is None and place > 0 and lines[place - 1].strip():
        return [*lines[:place], line, *lines[place:]]
    return [*lines[:place], line, *lines[place:]]


def _end_of_top(lines: list[str]) -> int:
    """Before the first table: a key after it would belong to that table."""
    for number, line in enumerate(lines):
        if _HEADER.match(line):
            while number > 0 and (
                not lines[number - 1].strip() or lines[number - 1].lstrip().startswith("#")
            ):
                number -= 1
            return number
    return len(lines)


def _without(lines: list[str], name: str) -> tuple[list[str], tuple[int, str, str] | None]:
    """The lines without that setting; where it stood, how its key was spelt, and the comment beside it."""
    kept: list[str] = []
    at: tuple[int, str, str] | None = None
    number, top = 0, True
    while number < len(lines):
        line = lines[number]
        if _HEADER.match(line):
            header = line.strip().strip("[]").split("#")[0].strip().strip("[]").strip("\"'")
            top = False
            if header.replace("-", "_").split(".")[0] == name:
                number += 1
                while number < len(lines) and not _HEADER.match(lines[number]):
                    if lines[number].lstrip().startswith("#"):
                        kept.append(lines[number])
                    number += 1
                continue
        match = _KEY.match(line) if top else None
        if match is not None and match[1].strip("\"'").replace("-", "_") == name:
            end = _statement_end(lines, number)
            comment = _comment(lines[number]) if end == number + 1 else ""
            at = (len(kept), match[1], comment)
            number = end
            continue
        end = _statement_end(lines, number) if match is not None else number + 1
        kept += lines[number:end]
        number = end
    return kept, at


def _statement_end(lines: list[str], start: int) -> int:
    """The line after a ``key = value`` that may go over several."""
    for end in range(start + 1, min(len(lines), start + 400) + 1):
        try:
            parse("\n".join(lines[start:end]))
        except ConfigError:
            continue
        return end
    return start + 1


def _comment(line: str) -> str:
    """What stands behind a value, with the space before it."""
    for at, sign in enumerate(line):
        if sign == "#":
            try:
                parse(line[:at])
            except ConfigError:
                continue
            return line[len(line[:at].rstrip()) :]
    return ""


def dump(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {dump(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(dump(item) for item in value) + "]"
    raise ConfigError(f"'{value}' cannot be written as TOML")


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return {key: plain(value) for key, value in values.items()}
