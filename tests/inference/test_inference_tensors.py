"""The digest of a card needs no ``onnx``, whichever way a tensor keeps its numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgecam.inference.models.checking import check_file, check_models
from edgecam.inference.models.store import shipped_folder
from edgecam.inference.models.tensors import tensor_bytes

onnx = pytest.importorskip("onnx")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("FLOAT", [0.5, -1.25, 3e9]),
        ("DOUBLE", [0.1, -7.0]),
        ("INT8", [-128, -1, 0, 127]),
        ("UINT8", [0, 255]),
        ("INT32", [-(2**31), -1, 2**31 - 1]),
        ("INT64", [-(2**63), -1, 2**63 - 1]),
        ("UINT64", [0, 2**64 - 1]),
        ("BOOL", [1, 0, 1]),
        ("FLOAT16", [0.5, -2.0]),
        ("FLOAT", []),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_bytes_agree_with_onnxs_own(kind: str, values: list[float], raw: bool) -> None:
    data_type = getattr(onnx.TensorProto, kind)
    given: object = values
    if raw:
        given = np.array(values, onnx.helper.tensor_dtype_to_np_dtype(data_type)).tobytes()
    tensor = onnx.helper.make_tensor("t", data_type, [len(values)], given, raw=raw)
    data = tensor.SerializeToString()
    assert tensor_bytes(data, 0, len(data)) == onnx.numpy_helper.to_array(tensor).tobytes()


def test_every_shipped_file_is_verified_without_onnx() -> None:
    found = {each.path.name: each for each in check_models() if each.path.parent == shipped_folder()}
    assert found and all(each.state == "good" for each in found.values())


def test_a_shipped_file_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation, as pip leaves it: the package, and beside it the record of its files."""
    from edgecam.inference.models import store

    models, info = tmp_path / "edgecam/_models", tmp_path / "edgecam-9.dist-info"
    models.mkdir(parents=True)
    info.mkdir()
    small = min(shipped_folder().glob("*.onnx"), key=lambda path: path.stat().st_size)
    shutil.copy(small, models)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edgecam\nVersion: 9\n")
    (info / "RECORD").write_text(f"edgecam/_models/{small.name},,\nedgecam/_models/lost-int8.onnx,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(store, "package_folder", lambda: tmp_path / "edgecam")
    found = {each.path.name: each for each in check_models() if each.path.parent == models}
    assert found.keys() == {small.name, "lost-int8.onnx"} and found[small.name].state == "good"
    assert found["lost-int8.onnx"].bad and "install edgecam anew" in found["lost-int8.onnx"].words


def test_one_changed_number_is_damage_and_says_what_to_do(tmp_path: Path) -> None:
    whole = sorted(shipped_folder().glob("*-int8.onnx"))[0]
    data = bytearray(whole.read_bytes())
    data[len(data) // 2] ^= 0x10
    (tmp_path / "other.onnx").write_bytes(data)
    found = check_file(tmp_path / "other.onnx")
    assert found.bad and "again" in found.words
    (tmp_path / "no.onnx").write_bytes(b"PK\x03\x04")
    assert check_file(tmp_path / "no.onnx").state == "broken"
