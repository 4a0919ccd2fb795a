"""docs/security.md lists every limit that a room declares."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


def test_every_limit_is_in_the_table() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    table = page[page.index("## Limits") : page.index("## How it is tested")]
    missing = []
    for file in sorted((ROOT / "edgecam").glob("*/limits.py")):
        for node in ast.parse(file.read_text()).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                missing += [
                    f"{file.parent.name}: {name.id}"
                    for name in names
                    if isinstance(name, ast.Name)
                    and not name.id.startswith("_")
                    and f"`{name.id}`" not in table
                ]
    assert not missing, missing
