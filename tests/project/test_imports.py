"""What may be imported when: heavy packages late, optional ones never without need."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
"""


def python(
    code: str, *, blocked: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    program = BLOCK.format(blocked=set(blocked)) + code
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=110, env=env
    )


def test_import_without_optional_packages() -> None:
    done = python("import edgecam, edgecam.app.app", blocked=("torch", "PyQt6", "picamera2", "onnx"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_heavy(argument: str) -> None:
    done = python(
        f"from edgecam.cli.main import main\nmain(['{argument}'])",
        blocked=("cv2", "onnxruntime", "PyQt6", "av", "numpy", "rich"),
    )
    assert done.returncode == 0, done.stderr
    assert "edgecam" in done.stdout


def test_a_headless_run_without_optional_packages() -> None:
    code = (
        "from edgecam.cli.main import main\n"
        "sys.exit(main(['--source', 'synthetic:?frames=20', '--display', 'none', '--json', '-']))"
    )
    done = python(code, blocked=("torch", "PyQt6", "picamera2", "onnx"))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20


def test_a_headless_start_imports_nothing_that_it_does_not_need() -> None:
    """Half a second on a slow card if nobody looks: each of these was at the top of some module once."""
    slow = (
        "email importlib.metadata importlib.resources statistics sqlite3 ssl http asyncio xml zipfile av rich"
    )
    code = (
        "from edgecam.cli.main import main\n"
        "main(['--source', 'synthetic:?frames=3', '--display', 'none', '--classify', 'off'])\n"
        f"print(*(set({slow.split()}) & set(sys.modules)))\n"
        "rooms = [m for n, m in sys.modules.items() if n.startswith('edgecam')]\n"
        "classes = {c for m in rooms for c in vars(m).values() if isinstance(c, type)}\n"
        "print(*sorted({c.__module__ for c in classes if '__dataclass_fields__' in vars(c)}))"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    packages, dataclasses = done.stdout.split("\n")[:2]
    assert packages.split() == []
    # docs/adr/0013: each costs three million instructions, so only what a user of the library may `replace`
    public = {
        "edgecam.capture.options",
        "edgecam.core.detections",
        "edgecam.core.events",
        "edgecam.core.types",
    }
    assert len(set(dataclasses.split()) - public) <= 4, dataclasses


@pytest.mark.parametrize("wish", ["", "0"])
def test_onnxruntime_does_not_report_to_its_maker_unless_asked_to(tmp_path: Path, wish: str) -> None:
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY")}
    env |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    if wish:
        env["ORT_DISABLE_TELEMETRY"] = wish
    done = python("import edgecam, onnxruntime, os\nprint(os.environ['ORT_DISABLE_TELEMETRY'])", env=env)
    assert done.stdout.strip() == (wish or "1"), done.stderr
    if not wish:
        assert list(tmp_path.iterdir()) == [], "a device number, or a cache of reports"


def test_the_map_names_every_room() -> None:
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "ARCHITECTURE.md").read_text()
    rooms = {path.parent.name for path in (root / "edgecam").glob("*/__init__.py")}
    told = set(re.findall(r"^\| \d \| `(\w+)` \|", page, re.MULTILINE))
    assert told == rooms
    for room in rooms:
        doc = (root / "edgecam" / room / "__init__.py").read_text().split('"""')[1]
        assert len(doc.split()) > 4 and "See docs" not in doc, room
