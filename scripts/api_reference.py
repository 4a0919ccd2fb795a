"""Writes docs/api.md: every public name of ``import edgecam``, from its signature and docstring.

python scripts/api_reference.py           write it
python scripts/api_reference.py --check   exit with 1 if it is not current
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import textwrap
from collections.abc import Collection
from pathlib import Path
from typing import Any

import edgecam

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
HEAD = """\
# The Python API

<!-- Made from the docstrings by scripts/api_reference.py; do not edit. -->

See what a camera sees, in a program of your own:

```python
import edgecam

for result in edgecam.watch("/dev/video0"):
    print([(d.label, d.score, d.track_id) for d in result.detections])
```

`import edgecam` gives the names below, each imported when it is first used. Whole programs are in the
folder `examples/`.
"""
#: Names in the order of the page; all others follow under "Types" and "Errors".
FIRST = ("open_source", "load_detector", "load_classifier", "Tracker", "annotate", "watch", "App", "Config")


def prose(text: str, names: Collection[str] = ()) -> str:
    """Convert a docstring to Markdown: code in backticks, ``names`` (arguments, fields) as list items."""
    text = re.sub(r":\w+:`~?([^`]*?)`", lambda m: f"`{m[1].replace('edgecam.core.types.', '')}`", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    return "\n\n".join(paragraph(part, names) for part in text.split("\n\n"))


def paragraph(text: str, names: Collection[str]) -> str:
    """Convert a paragraph: an indented one is code; ``name: what it is`` begins an item of a list."""
    lines = text.splitlines()
    if all(line.startswith("    ") for line in lines):
        return "```python\n" + textwrap.dedent(text) + "\n```"
    if not names:
        return text
    one = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    start = re.compile(rf"(?:^|(?<=[.;:] )|(?<=\n))((?:{one})(?:, (?:{one}))*): ")
    pieces = start.split("\n".join(line.strip() for line in lines))
    parts = [pieces[0].strip()] if pieces[0].strip() else []
    items = []
    for name, meaning in zip(pieces[1::2], pieces[2::2], strict=True):
        meaning, raises, rest = meaning.partition("\nRaises ")
        items.append(f"- `{name}`: {' '.join(meaning.split())}")
        if raises:
            parts.append("Raises " + rest)
    return "\n\n".join(
        [*parts[: 1 if pieces[0].strip() else 0], "\n".join(items), *parts[1 if pieces[0].strip() else 0 :]]
    ).strip()


def shown(parameter: inspect.Parameter) -> str:
    """One parameter as it is written in the source."""
    star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = star + parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {parameter.annotation}"
    if parameter.default is not parameter.empty:
        value = parameter.default
        plain = isinstance(value, (str, int, float, tuple, type(None)))
        text += f" = {value!r}" if plain else " = …"
    return text


def signature(name: str, thing: Any) -> str:
    """The signature as Python code; a long one has one parameter per line."""
    told = inspect.signature(thing)
    parameters = [p for p in told.parameters.values() if p.name != "self"]
    returns = told.return_annotation
    tail = "" if returns in (inspect.Signature.empty, None, "None") else f" -> {returns}"
    written = [shown(p) for p in parameters]
    for i, p in enumerate(parameters):
        if p.kind is p.KEYWORD_ONLY:
            written.insert(i, "*")
            break
    short = f"{name}({', '.join(written)}){tail}"
    return (
        short
        if len(short) <= 100
        else "\n".join([f"{name}(", *(f"    {each}," for each in written), f"){tail}"])
    )


def members(thing: type) -> list[tuple[str, str, str]]:
    """(name, signature, docstring) of the public methods and properties that have a docstring."""
    found = []
    for name, value in inspect.getmembers(thing):
        owner = next((c for c in thing.__mro__ if name in vars(c)), object)
        if name.startswith("_") or not owner.__module__.startswith("edgecam"):
            continue
        raw = inspect.getattr_static(thing, name)
        doc = inspect.getdoc(value) or ""
        if isinstance(raw, property):
            found.append((name, name, doc))
        elif callable(value) and doc:
            found.append((name, signature(name, value), doc))
    return found


def entry(name: str) -> str:
    """The part of the page about one name."""
    thing = getattr(edgecam, name)
    doc = inspect.getdoc(thing) or ""
    parts = [f"### {name}", ""]
    if isinstance(thing, type) and issubclass(thing, Exception):
        bases = ", ".join(f"`{base.__name__}`" for base in thing.__bases__)
        return "\n".join([*parts, f"{prose(doc)} A {bases}.", ""])
    if name == "Config":
        from edgecam.config.options import options

        parts += [prose(doc), "", "| setting | meaning | default |", "|---|---|---|"]
        for option in options():
            default = "" if option.default in (None, ()) else f"`{option.default}`"
            meaning = option.description.replace("|", "\\|").replace("*", "\\*")
            parts.append(f"| `{option.name}` | {meaning} | {default} |")
        return "\n".join([*parts, ""])
    names = set(inspect.signature(thing).parameters)
    parts += ["```python", signature(name, thing), "```", "", prose(doc, names), ""]
    if isinstance(thing, type):
        fields = {f.name for f in dataclasses.fields(thing)} if dataclasses.is_dataclass(thing) else set()
        for member, how, text in members(thing):
            if member not in fields:
                parts += [f"- **`{how}`**: {' '.join(prose(text).split())}"]
        parts.append("")
    return "\n".join(parts)


def page() -> str:
    """The whole page as Markdown."""
    rest = [name for name in edgecam.__all__ if name not in (*FIRST, "__version__")]
    errors = [name for name in rest if issubclass(getattr(edgecam, name), Exception)]
    types = [name for name in rest if name not in errors]
    parts = [HEAD, "## Use", "", *map(entry, FIRST), "## Types", "", *map(entry, types), "## Errors", ""]
    parts += map(entry, errors)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def main() -> int:
    """Run the script; returns the exit code."""
    text = page()
    if "--check" in sys.argv[1:]:
        current = PAGE.exists() and PAGE.read_text() == text
        if not current:
            print(f"{PAGE} is not current: run python scripts/api_reference.py", file=sys.stderr)
        return not current
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
