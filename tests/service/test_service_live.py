"""The units on a real systemd, in namespaces of this machine (scripts/service_box.sh). About three minutes.

SERVICE_BOX=1 python -m pytest tests/service/test_service_live.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent / "box"

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        os.environ.get("SERVICE_BOX") != "1", reason="boots a systemd; ask for it with SERVICE_BOX=1"
    ),
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare"),
]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the script in the box printed: the first word of each line, and the rest."""
    folder = tmp_path_factory.mktemp("box")
    for name in ("stand_in.py", "cage"):
        shutil.copy(HERE / name, folder / name)
    script = (
        (HERE / "inside.sh").read_text().replace("@PYTHON@", sys.executable).replace("@SOURCE@", str(ROOT))
    )
    (folder / "inside.sh").write_text(script)
    done = subprocess.run(
        [str(ROOT / "scripts/service_box.sh"), str(folder), "380"], timeout=390, check=False
    )
    log = (folder / "log").read_text() if (folder / "log").exists() else ""
    assert done.returncode == 0, log + (folder / "boot").read_text()[-2000:]
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in log.splitlines()}


@pytest.mark.parametrize("mode", ["headless", "kiosk"])
def test_starts_and_reloads_without_a_restart(box: dict[str, str], mode: str) -> None:
    assert box[f"{mode}-started"] == "active restarts=0 says=15 fps"
    assert box[f"{mode}-reloaded"] == "active restarts=0 says=reloaded"


@pytest.mark.parametrize("mode", ["headless", "kiosk"])
@pytest.mark.parametrize(("fault", "restarts"), [("killed", 1), ("hang", 2), ("frozen", 3)])
def test_comes_back_after_each_fault(box: dict[str, str], mode: str, fault: str, restarts: int) -> None:
    assert box[f"{mode}-{fault}"].startswith(f"active restarts={restarts} ")
    assert int(box[f"{mode}-{fault}-seconds"]) <= 15


@pytest.mark.parametrize("mode", ["headless", "kiosk"])
def test_stopping_lets_it_finish_its_clip(box: dict[str, str], mode: str) -> None:
    assert box[f"{mode}-clip"] == "1"


def test_it_is_not_root_and_cannot_write_the_system(box: dict[str, str]) -> None:
    uid = re.fullmatch(r"first result as uid (\d+)", box["journal"])
    assert uid is not None and int(uid[1]) > 0
    assert box["written"] == "0"


def test_a_hang_leaves_every_threads_stack_in_the_journal(box: dict[str, str]) -> None:
    assert int(box["stack"]) >= 2


def test_a_crash_loop_pauses_and_then_goes_on(box: dict[str, str]) -> None:
    assert box["crashing"].startswith("failed ")
    assert box["after-the-pause"] == "active restarts=0 says=15 fps"


def test_uninstall_leaves_nothing(box: dict[str, str]) -> None:
    assert box["left"] == "0"
