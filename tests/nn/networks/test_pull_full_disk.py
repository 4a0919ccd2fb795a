"""A disk that is really full: a small tmpfs holds the download, then the model folder."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from loopback import Loopback, serving

from edgecam.nn.hub.pull import pull
from edgecam.nn.hub.pull_download import DownloadError, fetch
from edgecam.nn.hub.registry import Official, official
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.importers import leaf_modules

pytestmark = pytest.mark.torch

PATH = "/models/tiny.pth"
MakeDisk = Callable[[Path, int], Path]


@pytest.fixture
def small_disk() -> Iterator[MakeDisk]:
    """Mounts a tmpfs of so many bytes on a folder; unmounted afterwards."""
    mounted: list[Path] = []

    def mount(folder: Path, size: int) -> Path:
        if os.geteuid() != 0 or not shutil.which("mount"):
            pytest.skip("a small disk can only be mounted by root")
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "edgecam-test", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving() as state:
        yield state


def test_the_disk_of_the_download_fills_up(server: Loopback, tmp_path: Path, small_disk: MakeDisk) -> None:
    disk = small_disk(tmp_path / "cache", 512 * 1024)
    (disk / "other").write_bytes(b"kept")
    before = _contents(disk)
    server.files[PATH] = body = os.urandom(2_000_000)
    seen: list[int] = []
    with pytest.raises(DownloadError, match=r"the disk with .*cache is full: free some space") as caught:
        fetch(server.url + PATH, disk / "tiny.pth", lambda done, total: seen.append(done))
    assert "\n" not in str(caught.value)
    assert 0 < seen[-1] < len(body), "it failed on the way, not before or after"
    assert _contents(disk) == before

    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)  # space was freed
    fetch(server.url + PATH, disk / "tiny.pth", lambda done, total: None)
    assert _contents(disk) == {**before, "tiny.pth": body}


@pytest.mark.slow
@pytest.mark.timeout(600)  # exporting takes a minute or more where others work on the same cores
def test_the_disk_of_the_models_is_full(
    server: Loopback, tmp_path: Path, small_disk: MakeDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    disk = small_disk(tmp_path / "models", 1024 * 1024)
    (disk / "tiny_v1.onnx").write_bytes(b"the model that was here before")
    before = _contents(disk)

    torch.manual_seed(0)
    net = build_backbone("mobilenet_v1", width=0.25)
    file = io.BytesIO()
    torch.save(_timm_names(net), file)
    server.files[PATH] = file.getvalue()
    entry: Official = replace(
        official("mobilenet_v1"),
        name="tiny_v1",
        url=server.url + PATH,
        sha256=hashlib.sha256(file.getvalue()).hexdigest(),
        width=0.25,
        resolution=64,
        parameters=470_072,
    )
    with pytest.raises(DownloadError, match=r"the disk with .*models is full: free some space") as caught:
        pull(entry, say=lambda text: None, progress=lambda done, total: None, folder=disk)
    assert "\n" not in str(caught.value)
    assert _contents(disk) == before

    subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True)  # space was freed
    asked = len(server.requests)
    pull(entry, say=lambda text: None, progress=lambda done, total: None, folder=disk)
    assert len(server.requests) == asked, "what was downloaded is still there"
    assert sorted(_contents(disk)) == ["tiny_v1.onnx"]
    assert _contents(disk) != before


def _timm_names(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """MobileNetV1's state dict as timm names it."""
    names = ["conv_stem", "bn1"]
    for block in range(13):
        names += [f"blocks.0.{block}.{part}" for part in ("conv_dw", "bn1", "conv_pw", "bn2")]
    return {
        f"{name}.{key}": value
        for name, module in zip([*names, "classifier"], leaf_modules(net), strict=True)
        for key, value in module.state_dict().items()
    }
