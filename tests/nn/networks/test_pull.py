"""``edgecam models pull`` from a server to a model file that answers, and every way it can fail."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="attr-defined"

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from loopback import Loopback, serving

from edgecam.cli import models as cli_models
from edgecam.core.errors import EdgecamError
from edgecam.inference.models.store import load_card
from edgecam.nn.hub import pull
from edgecam.nn.hub.describe import describe
from edgecam.nn.hub.registry import OFFICIAL, Official, official
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.importers import leaf_modules

pytestmark = pytest.mark.torch

PATH = "/models/mobilenet_v2_035.pth"


def _torchvision_keys() -> list[str]:
    """The module names of torchvision's MobileNetV2, in forward order."""
    names = ["features.0.0", "features.0.1"]
    for block in range(1, 18):
        convs = 2 if block == 1 else 3
        for part in range(convs - 1):
            names += [f"features.{block}.conv.{part}.0", f"features.{block}.conv.{part}.1"]
        names += [f"features.{block}.conv.{convs - 1}", f"features.{block}.conv.{convs}"]
    return [*names, "features.18.0", "features.18.1", "classifier.1"]


def _state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    net = build_backbone("mobilenet_v2", width=0.35)
    modules = leaf_modules(net)
    names = _torchvision_keys()
    assert len(names) == len(modules)
    return {
        f"{name}.{key}": value
        for name, module in zip(names, modules, strict=True)
        for key, value in module.state_dict().items()
    }


@pytest.fixture(scope="module")
def weights() -> bytes:
    file = io.BytesIO()
    torch.save(_state(), file)
    return file.getvalue()


@pytest.fixture
def server(
    weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Loopback, Official]]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with serving() as state:
        state.files[PATH] = weights
        entry = replace(
            official("mobilenet_v2"),
            name="tiny_v2",
            url=state.url + PATH,
            sha256=hashlib.sha256(weights).hexdigest()[:8],
            width=0.35,
            resolution=64,
            parameters=1_677_128,
        )
        monkeypatch.setattr("edgecam.nn.hub.registry.OFFICIAL", (*OFFICIAL, entry))
        monkeypatch.setattr(cli_models, "OFFICIAL", (*OFFICIAL, entry))
        yield state, entry


def _folder(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "data").rglob("*") if p.is_file())


@pytest.mark.slow
@pytest.mark.timeout(600)  # exporting takes a minute or more where others work on the same cores
def test_pull_list_info_verify_rm(
    server: tuple[Loopback, Official], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_models.main(["pull", "tiny_v2"]) == 0
    out = capsys.readouterr().out
    assert "--classifier tiny_v2" in out
    path = tmp_path / "data" / "edgecam" / "models" / "tiny_v2.onnx"
    card = load_card(path)
    assert card.labels[217] == "English springer"
    assert len(card.labels) == 1000
    assert card.licence == "BSD-3-Clause"
    assert card.metrics == {"published top-1": 72.154}
    assert card.macs == describe("mobilenet_v2", width=0.35, resolution=64).macs
    assert card.parameters == 1_677_128
    assert not list((tmp_path / "cache").rglob("*.pth")), "the download is not kept"

    net = build_backbone("mobilenet_v2", width=0.35).eval()
    pull.import_state(net, _state(), "torchvision")
    image = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    x = torch.from_numpy(image[..., ::-1].copy()).permute(0, 3, 1, 2) / 255.0
    x = (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    with torch.inference_mode():
        expected = net(x).softmax(-1).numpy()
    from edgecam.nn.export.onnx import run_onnx

    np.testing.assert_allclose(run_onnx(path, image)[0], expected, atol=1e-5)

    assert cli_models.main(["list"]) == 0
    assert "tiny_v2" in capsys.readouterr().out
    assert cli_models.main(["info", "tiny_v2"]) == 0
    shown = capsys.readouterr().out
    assert "tench, goldfish" in shown
    assert "top-1 72.154" in shown
    assert cli_models.main(["verify", "tiny_v2"]) == 0
    assert "good" in capsys.readouterr().out
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    assert cli_models.main(["verify", "tiny_v2"]) == 4
    assert "DAMAGED" in capsys.readouterr().out
    assert cli_models.main(["rm", "tiny_v2"]) == 0
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.timeout(600)  # exporting takes a minute or more where others work on the same cores
def test_from_file_and_safetensors(server: tuple[Loopback, Official], tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    entry = replace(server[1], sha256="", hash_url=server[0].url + "/raw")
    file = tmp_path / "model.safetensors"
    state = {key: value for key, value in _state().items() if not key.endswith("num_batches_tracked")}
    safetensors.save_file(state, file)
    said: list[str] = []
    path = pull.pull(entry, say=said.append, progress=lambda done, total: None, source=file)
    assert load_card(path).name == "tiny_v2"
    assert any("taken as it is" in text for text in said)
    assert server[0].requests == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("hash", "00000000 was published"),
        ("gone", "answers 404"),
        ("half", "broke after"),
        ("pickle", "not a plain file of tensors"),
        ("text", "not a plain file of tensors"),
        ("cut", "cannot be read as weights"),
        ("other", "layers"),
        ("nested", "not a state dict of tensors"),
    ],
)
def test_each_failure_is_one_sentence_and_leaves_the_folder_alone(
    server: tuple[Loopback, Official], tmp_path: Path, fault: str, says: str
) -> None:
    loopback, entry = server
    body = loopback.files[PATH]
    if fault == "hash":
        entry = replace(entry, sha256="00000000")
    elif fault == "gone":
        loopback.files.clear()
    elif fault == "half":
        loopback.cut[PATH] = 10_000
    else:
        bad = io.BytesIO()
        if fault == "pickle":
            torch.save({"weight": Path("would run code")}, bad)
        elif fault == "cut":
            bad.write(body[: len(body) // 2])
        elif fault == "text":
            bad.write(b"<html>not found</html>")
        elif fault == "nested":
            torch.save({"epoch": 3, "model": [1, 2]}, bad)
        else:
            torch.save({"features.0.0.weight": torch.zeros(16, 3, 3, 3)}, bad)
        body = bad.getvalue()
        loopback.files[PATH] = body
        entry = replace(entry, sha256=hashlib.sha256(body).hexdigest()[:8])
    with pytest.raises(EdgecamError, match=says) as caught:
        pull.pull(entry, say=lambda text: None, progress=lambda done, total: None)
    assert "\n" not in str(caught.value)
    assert _folder(tmp_path) == []


def test_nothing_is_executed_from_a_file(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (marker,))

    torch.save({"weight": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(EdgecamError, match="not opened"):
        pull.read_state(tmp_path / "bomb.pth")
    assert not marker.exists()
