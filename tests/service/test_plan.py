from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.core.errors import EdgecamError
from edgecam.service.plan import Do, Plan, Remove, Write, execute


def test_execute_reports_missing_commands_and_status() -> None:
    assert execute(["/no/such/command"])[0] == 127
    assert execute(["sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\nerr")


def test_steps_describe_themselves(tmp_path: Path) -> None:
    file = tmp_path / "a"
    assert Write(file, "x").describe() == f"  + {file}"
    file.write_text("y")
    assert Write(file, "x").describe() == f"  ~ {file}"
    assert Write(file, "y").describe() == f"  = {file} (is so already)"
    assert Write(file, "x", keep=True).describe() == f"  = {file} (yours, stays)"
    assert Remove(tmp_path / "b").describe().endswith("(is not there)")
    plan = Plan("t", [Write(file, "new"), Remove(tmp_path), Do(("false",), "fails", optional=True)])
    assert plan.changes_files
    remarks = plan.apply()
    assert "failed with status 1" in remarks[0]
    assert file.read_text() == "new" and tmp_path.exists()  # a folder with something in it stays
    with pytest.raises(EdgecamError, match="failed with status 1"):
        Plan("t", [Write(file, "newer"), Do(("false",), "fails")]).apply()
    assert file.read_text() == "new"
