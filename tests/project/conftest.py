"""An installation of the built wheel, and of the plug-in beside it, as users have them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def pip(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bin/`` of a fresh environment with the wheels of edgecam and of examples/plugin, installed by pip.

    What they depend on is taken from this Python's environment: only ours is tested, and nothing is fetched.
    """
    for tool in ("hatchling", "pip"):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"building the wheel needs {tool}: pip install -e '.[dev]'")
    wheels, home = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    offline = ("--no-deps", "--no-index")
    pip("wheel", *offline, "--no-build-isolation", "-w", wheels, ROOT, ROOT / "examples" / "plugin")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True, timeout=60)
    python = home / "bin" / "python"
    pip("--python", python, "install", *offline, *wheels.glob("*.whl"))
    site = next((home / "lib").glob("python*/site-packages"))
    # Plain lines are searched after the environment's own packages, and their .pth files are not read:
    # an editable install of edgecam there is not seen.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"
