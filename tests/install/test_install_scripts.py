"""The script that installs edgecam, and the look of them all; whole installations: tests/install/chroots."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scripts_kit import ROOT

pytestmark = pytest.mark.once

SCRIPTS = [
    ROOT / "scripts" / name for name in ("install", "bundle", "deb", "release", "setup.sh", "wheels.sh")
]
SCRIPTS += [ROOT / "tests/install/chroots", *sorted((ROOT / "debian-package").glob("p*"))]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_shellcheck_has_no_complaint() -> None:
    done = subprocess.run(["shellcheck", "-x", *map(str, SCRIPTS)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["scripts/install", "--kosk"], "unknown option --kosk"),
        (
            ["scripts/install", "--uninstall", "--prefix", "/nowhere/edgecam"],
            "there is no edgecam of this script's",
        ),
        (["scripts/install", "--source"], "--source needs a value"),
        (["scripts/bundle", "--arch", "armv7", "x"], "--arch must be aarch64 or x86-64"),
        (["scripts/bundle", "--arch", "aarch64", str(ROOT / "docs")], "is no bundle"),
        (["scripts/deb", "sid", "amd64", "x"], "one of bookworm, trixie"),
    ],
)
def test_wrong_words_are_named_and_change_nothing(words: list[str], says: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, stdin=subprocess.DEVNULL)
    if "sudo" in done.stderr:
        pytest.skip("asks for root before it looks")
    assert done.returncode != 0 and says in done.stderr
    assert (ROOT / "docs/cameras.md").is_file()


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env/precious").touch()
    command = ["scripts/install", "--user", "--prefix", str(tmp_path / "env"), "--no-packages"]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "EDGECAM_ROOT_IS_USER": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 1 and "is not this script's" in done.stderr
    assert (tmp_path / "env/precious").exists()


BOARDS = {
    "Raspberry Pi OS 12": ("bookworm", "aarch64", "", True),
    "Raspberry Pi OS 13": ("trixie", "aarch64", "", False),
    "Ubuntu 24.04": ("noble", "x86_64", "", False),
    "Ubuntu 22.04": ("jammy", "aarch64", "", False),
    "JetPack 6": ("jammy", "aarch64", "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0", False),
}


@pytest.mark.parametrize("board", BOARDS)
def test_what_would_be_done_on_a_board_that_is_not_here(board: str, tmp_path: Path) -> None:
    """`--dry-run` with another board's os-release, machine and device tree, without our packages."""
    codename, machine, compatible, pinned = BOARDS[board]
    (tmp_path / "os-release").write_text(f'PRETTY_NAME="{board}"\nVERSION_CODENAME={codename}\n')
    (tmp_path / "compatible").write_text(compatible)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dpkg-query").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin/dpkg-query").chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "EDGECAM_MACHINE": machine}
    env |= {"EDGECAM_OS_RELEASE": str(tmp_path / "os-release"), "EDGECAM_DEVICE_TREE": str(tmp_path)}
    env |= {"PYTHON": sys.executable, "EDGECAM_ETC": str(tmp_path)}
    prefix = str(tmp_path / "edgecam")

    def dry(*words: str) -> dict[str, str]:
        command = ["scripts/install", "--dry-run", "--prefix", prefix, *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
        assert done.returncode == 0, done.stderr
        return dict(line.split(": ", 1) for line in done.stdout.splitlines())

    kiosk, headless, window = dry("--kiosk", "--source", "csi:0"), dry("--headless"), dry()
    assert kiosk["system"].startswith(f"{board}, {machine}, Python 3.")
    assert {"cage", "seatd", "libxcb-cursor0", "python3-venv"} <= set(kiosk["packages"].split())
    assert kiosk["service"] == "edgecam service install --kiosk --yes --source csi:0"
    assert headless["packages"] == "procps python3 python3-venv", "nothing of a screen"
    assert headless["service"] == "edgecam service install --headless --yes"
    assert "service" not in window and "cage" not in window["packages"]
    assert window["pip"].endswith("edgecam[all]") and headless["pip"].endswith("edgecam[web,mqtt,metrics]")
    assert ("constraints/bookworm.txt" in window["pip"]) is pinned
    assert ("for the GPU" in window) is bool(compatible)
    assert not Path(prefix).exists()


def test_an_installations_own_script_knows_how_it_was_installed(tmp_path: Path) -> None:
    own = tmp_path / "edgecam/share/edgecam"
    own.mkdir(parents=True)
    for name in ("install", "setup.sh"):
        shutil.copy(ROOT / "scripts" / name, own)
    (tmp_path / "edgecam/edgecam-install.json").write_text(
        '{"by": "script", "mode": "headless", "slim": "yes", "from": "x"}\n'
    )
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHON": sys.executable}
    done = subprocess.run([own / "install", "--dry-run"], capture_output=True, text=True, env=env)
    assert f"-m venv {tmp_path}/edgecam\n" in done.stdout, done.stderr
    assert "service install --headless" in done.stdout


def test_uninstalling_takes_away_what_was_made_and_no_more(tmp_path: Path) -> None:
    home = tmp_path / "home"
    prefix, share = home / ".local/lib/edgecam", home / ".local/share"
    (prefix / "share/edgecam").mkdir(parents=True)
    (prefix / "bin").mkdir()
    for name in ("install", "setup.sh"):
        shutil.copy(ROOT / "scripts" / name, prefix / "share/edgecam")
    (prefix / "edgecam-install.json").write_text(
        '{"by": "script", "mode": "user", "slim": "yes", "from": "x"}\n'
    )
    (share / "man/man1").mkdir(parents=True)
    (share / "man/man1/edgecam.1").touch()
    (home / ".local/state/edgecam").mkdir(parents=True)
    # all but ~/.local/share and ~/.local/share/man, which were there before
    made = [home / ".local", home / ".local/lib", share / "man/man1", home / ".local/bin"]
    (prefix / "share/edgecam/folders").write_text("".join(f"{path}\n" for path in sorted(made)))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "EDGECAM_ROOT_IS_USER": "1"}
    command = [str(prefix / "share/edgecam/install"), "--uninstall", "--purge"]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert {str(path.relative_to(home)) for path in home.rglob("*")} == {
        ".local",
        ".local/share",
        ".local/share/man",
    }
