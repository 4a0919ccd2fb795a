"""`scripts/release`, up to the tag: everything but Debian packages and bundles, from a clean clone."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
VERSION = "98.7.6rc1"


def git(where: Path, *words: str) -> str:
    own = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        ["git", "-C", str(where), *words], check=True, capture_output=True, text=True, env=own
    ).stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this commit: the test leaves this checkout alone, changes in it and all."""
    for tool in ("build", "hatchling"):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"a release needs {tool} (extra dev)")
    if subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True).returncode:
        pytest.skip("not a git checkout")
    clone = tmp_path_factory.mktemp("release") / "edgecam"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    return clone


def release(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "PYTHON": sys.executable}
    command = [str(checkout / "scripts/release"), *words]
    return subprocess.run(command, capture_output=True, text=True, env=own, cwd=checkout)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_release_up_to_the_tag(checkout: Path, tmp_path: Path) -> None:
    done = release(checkout, VERSION, "--short", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert git(checkout, "status", "--porcelain") == "" and git(checkout, "tag") == "", (
        "the checkout stays as it is"
    )
    out = tmp_path / "out"
    names = {path.name for path in out.iterdir()}
    wheel, sdist = f"edgecam-{VERSION}-py3-none-any.whl", f"edgecam-{VERSION}.tar.gz"
    assert {wheel, sdist, f"CHANGES-{VERSION}.md", f"edgecam-{VERSION}.cdx.json", "release.bundle"} <= names
    for line in (out / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    with zipfile.ZipFile(out / wheel) as archive:
        assert f"Version: {VERSION}" in archive.read(f"edgecam-{VERSION}.dist-info/METADATA").decode()
    with tarfile.open(out / sdist) as archive:
        assert f"edgecam-{VERSION}/pyproject.toml" in archive.getnames()
    assert json.loads((out / f"edgecam-{VERSION}.cdx.json").read_text())["bomFormat"] == "CycloneDX"
    git(checkout, "fetch", "-q", str(out / "release.bundle"), f"v{VERSION}:refs/tags/v{VERSION}")
    assert f"## [{VERSION}] - " in git(checkout, "show", f"v{VERSION}:CHANGELOG.md")
    assert VERSION in git(checkout, "show", f"v{VERSION}:edgecam/core/package.py")
    assert git(checkout, "rev-parse", f"v{VERSION}^{{commit}}~1") == git(checkout, "rev-parse", "HEAD")
    again = release(checkout, VERSION, "--short")
    assert again.returncode == 1 and "is there already" in again.stderr


def test_what_is_no_release_is_refused(checkout: Path, tmp_path: Path) -> None:
    assert "is no version" in release(checkout, "one").stderr
    (tmp_path / "x").touch()
    assert "is not empty" in release(checkout, "1.2.3", "--out", str(tmp_path)).stderr
    path = checkout / "README.md"
    text = path.read_text()
    path.write_text(text + "\n")
    try:
        assert "not committed" in release(checkout, "1.2.3").stderr
    finally:
        path.write_text(text)
