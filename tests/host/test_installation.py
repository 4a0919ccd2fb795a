"""The commands that hints name work on the installation they are named on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from edgecam.host.installation import RECORD, Installation, here, missing_package

PACKAGE = Path(__file__).resolve().parents[2] / "edgecam"
SITE = Path("/env/lib/python3.11/site-packages/edgecam")


@pytest.mark.parametrize(
    ("found", "kind", "extra"),
    [
        (
            Installation(PACKAGE, Path("/v")),
            "checkout",
            f"/v/bin/python -m pip install -e '{PACKAGE.parent}[ui]'",
        ),
        (Installation(SITE, Path("/env")), "environment", "/env/bin/python -m pip install 'edgecam[ui]'"),
        (
            Installation(SITE, Path("/opt/edgecam"), {"by": "script"}, writable=False),
            "script",
            "sudo /opt/edgecam/bin/python -m pip install 'edgecam[ui]'",
        ),
        (
            Installation(SITE, Path("/usr/lib/edgecam"), {"by": "debian"}, writable=False),
            "debian",
            "sudo apt-get install python3-pip && sudo python3 -m pip --python /usr/lib/edgecam/bin/python "
            "install --prefix /var/lib/edgecam/extras 'edgecam[ui]'",
        ),
        (
            Installation(SITE, Path("/usr"), in_venv=False, managed=True, writable=False),
            "system",
            "sudo /usr/bin/python3 -m pip install --break-system-packages 'edgecam[ui]'",
        ),
        (
            Installation(SITE, Path("/env"), has_pip=False, has_uv=True),
            "environment",
            "uv pip install --python /env/bin/python 'edgecam[ui]'",
        ),
    ],
)
def test_each_installation_has_its_own_command(found: Installation, kind: str, extra: str) -> None:
    assert found.kind == kind
    assert found.extra("ui") == extra
    assert found.words and "\n" not in found.mend()


def test_a_headless_installation_gets_a_window_with_the_systems_packages_for_it() -> None:
    record = {"by": "script", "mode": "headless"}
    found = Installation(Path("/x/edgecam"), Path("/opt/edgecam"), record, writable=False)
    assert found.extra("ui") == "sudo /opt/edgecam/bin/edgecam-install --window"
    assert "-m pip install 'edgecam[train]'" in found.extra("train")


def test_a_missing_package_names_its_extra() -> None:
    error = ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert missing_package(error).endswith(here().extra("train"))
    assert here().mend() in missing_package(ModuleNotFoundError("", name="edgecam.gone"))


def test_no_message_of_the_program_names_a_command_of_its_own() -> None:
    """``pip install edgecam`` helps nobody: no index has it, and it would go into some other Python."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name in ("installation.py", "supervision.py"):  # the latter is for authors of programs
            continue
        found = re.search(r"^[^#\n]*\b(?<!-m )pip (un)?install\b(?! \S*\.\*).*", path.read_text(), re.M)
        assert found is None or "re.search" in found[0], f"{path}: {found[0]}"  # the doctor reads the hints


@pytest.mark.timeout(600)  # an environment and pip, three times: minutes on a busy machine
def test_pip_reads_extras_from_the_edgecam_that_is_installed(tmp_path: Path) -> None:
    """The command is run where no index is asked: edgecam is there, its extra is a wheel."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    site = Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        ).strip()
    )
    (site / "edgecam").mkdir()
    (site / "edgecam/__init__.py").touch()
    (site / "edgecam-1.0.dist-info").mkdir()
    (site / "edgecam-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: edgecam\nVersion: 1.0\n"
        "Provides-Extra: ui\nRequires-Dist: little; extra == 'ui'\n"
    )
    (site / "edgecam-1.0.dist-info/RECORD").touch()
    _wheel(tmp_path / "wheels", "little")
    (tmp_path / "env" / "pip.conf").write_text(
        f"[install]\nno-index = true\nfind-links = {tmp_path}/wheels\n"
    )
    (tmp_path / "env" / RECORD).write_text(json.dumps({"by": "script"}))
    told = Installation(site / "edgecam", tmp_path / "env", {"by": "script"}).extra("ui")
    own = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    done = subprocess.run(["sh", "-c", told], capture_output=True, text=True, check=False, env=own)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([python, "-c", "import little"], check=False).returncode == 0
    assert sys.prefix not in told


def test_root_is_told_a_command_that_its_path_has(tmp_path: Path) -> None:
    """sudo looks in the system's folders; the documents that messages name are installed."""

    def told(prefix: str, **record: str) -> Installation:
        return Installation(SITE, Path(prefix), record)

    words = "service install --kiosk"
    assert told("/usr/lib/edgecam", by="debian").as_root(words) == f"sudo edgecam {words}"
    assert told("/opt/edgecam", by="script", mode="kiosk").as_root(words) == f"sudo edgecam {words}"
    own = told("/home/pi/.local/lib/edgecam", by="script", mode="user")
    assert own.as_root(words) == f"sudo /home/pi/.local/lib/edgecam/bin/python -m edgecam {words}"
    assert (
        own.for_all() == "sudo /home/pi/.local/lib/edgecam/bin/edgecam-install --window --prefix /opt/edgecam"
    )
    assert told("/env").as_root(words) == f"sudo /env/bin/python -m edgecam {words}"
    assert Path(here().document("foreign-models.md")).is_file()
    assert told("/env").document("plugins.md") == str(SITE / "_docs/plugins.md")


def _wheel(folder: Path, name: str) -> None:
    import zipfile

    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(
            f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{name}-1.dist-info/RECORD", f"{name}.py,,\n")
