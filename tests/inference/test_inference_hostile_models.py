"""A model and its card come from anywhere: they read nothing else, and fill no memory."""

from __future__ import annotations

import io
import json
import os
import resource
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecam.core.errors import ModelError
from edgecam.core.files import check_archive
from edgecam.inference.models.card import CARD_BYTES, card_from_json
from edgecam.inference.models.file import read_metadata
from edgecam.inference.models.foreign import make_decoder
from edgecam.inference.models.shown import read_table
from edgecam.inference.models.sidecar import read_sidecar
from edgecam.inference.models.store import roles_of
from edgecam.inference.runtime.session import open_session


def card(folder: Path, toml: str) -> Path:
    (folder / "m.toml").write_text(toml)
    return folder / "m.onnx"


def test_labels_and_anchors_lie_beside_the_model(tmp_path: Path) -> None:
    """``labels = "/etc/shadow"`` came back as 28 labels, ``/dev/zero`` took 10.9 GB."""
    place = tmp_path / "models"
    place.mkdir()
    (tmp_path / "secret.txt").write_text("root\n")
    (place / "link.txt").symlink_to(tmp_path / "secret.txt")
    (place / "zero").symlink_to("/dev/zero")
    os.mkfifo(place / "fifo")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in (
        "/etc/passwd",
        "../secret.txt",
        "link.txt",
        "zero",
        "/dev/zero",
        "fifo",
        ".",
        "a\\u0000b",
        "",
    ):
        with pytest.raises(ModelError):
            read_sidecar(card(place, f'labels = "{name}"'))
        with pytest.raises(ModelError):
            read_sidecar(card(place, f'labels = ["a"]\n[output]\nformat = "ssd_raw"\nanchors = "{name}"'))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    (place / "names.txt").write_text("a\nb\n")
    found = read_sidecar(card(place, 'labels = "names.txt"'))
    assert found is not None and found.card.labels == ("a", "b")


def test_cards_that_are_endless_or_deep(tmp_path: Path) -> None:
    began = time.process_time()
    for text in (
        "[" * 50_000,
        "a." * 50_000 + "b = 1",
        "labels = " + "[" * 50_000,
        "resolution = [999999999, 1]",
    ):
        with pytest.raises(ModelError):
            read_sidecar(card(tmp_path, text))
    (tmp_path / "m.toml").unlink()
    (tmp_path / "m.toml").symlink_to("/dev/zero")
    with pytest.raises(ModelError):
        read_sidecar(tmp_path / "m.onnx")
    with pytest.raises(Exception, match="bytes"):
        card_from_json(" " * (CARD_BYTES + 1))
    assert time.process_time() - began < 5
    os.mkfifo(tmp_path / "f.onnx")
    with pytest.raises(ModelError, match="no regular file"):
        read_metadata(tmp_path / "f.onnx")


def test_a_zip_bomb_among_weights(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez_compressed(path, a=np.zeros(40_000_000, np.uint8))
    with pytest.raises(ValueError, match="would unpack"):
        check_archive(path)
    np.savez(path, a=np.random.default_rng(0).standard_normal(1000))
    check_archive(path)
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    path.write_bytes(raw.getvalue())
    with pytest.raises(ValueError, match="would unpack"):
        check_archive(path)


def test_what_a_card_says_it_is_for() -> None:
    """A role that is no name ended every look for every model."""
    for role, names in (([[1], {}, "fast"], ["fast"]), ({"a": 1}, []), (7, []), ("default", ["default"])):
        text = json.dumps({"role": role})
        card = card_from_json(
            '{"name": "m", "task": "detection", "architecture": "a", "labels": ["x"], "resolution": [8, 8],'
            f' "extra": {text}}}'
        )
        assert roles_of(card) == names


def test_a_table_beside_a_model_is_a_file(tmp_path: Path) -> None:
    card = card_from_json(
        '{"name": "m", "task": "detection", "architecture": "a", "labels": ["x"], "resolution": [8, 8]}'
    )
    (tmp_path / "m.shown.json").symlink_to("/dev/zero")
    assert read_table(tmp_path / "m.onnx", card) is None
    (tmp_path / "m.shown.json").unlink()
    os.mkfifo(tmp_path / "m.shown.json")
    assert read_table(tmp_path / "m.onnx", card) is None


def with_weights_in(path: Path, location: str, where: str = "initializer") -> None:
    """A model of one addition whose summand lies in another file, written without the package ``onnx``."""

    def varint(value: int) -> bytes:
        low = bytes((value & 0x7F | (0x80 if value > 0x7F else 0),))
        return low + varint(value >> 7) if value > 0x7F else low

    def part(number: int, data: bytes | int) -> bytes:
        if isinstance(data, int):
            return varint(number << 3) + varint(data)
        return varint(number << 3 | 2) + varint(len(data)) + data

    def text(number: int, words: str) -> bytes:
        return part(number, words.encode())

    def entry(key: str, value: str) -> bytes:
        return part(13, text(1, key) + text(2, value))

    tensor = (
        part(1, 12)
        + part(2, 2)
        + text(8, "w")
        + entry("location", location)
        + entry("length", "12")
        + part(14, 1)
    )
    about = part(2, part(1, part(1, 2) + part(2, part(1, part(1, 12)))))  # uint8, of 12
    node = text(1, "x") + text(1, "w") + text(2, "y") + text(4, "Add")
    inner = part(5, tensor)
    if where == "attribute":
        inner = part(
            1, text(4, "If") + part(5, text(1, "then_branch") + part(6, part(5, tensor)) + part(20, 5))
        )
    graph = (
        part(1, node) + text(2, "g") + inner + part(11, text(1, "x") + about) + part(12, text(1, "y") + about)
    )
    path.write_bytes(part(1, 9) + part(7, graph) + part(8, text(1, "") + part(2, 17)))


def test_weights_lie_beside_the_model(tmp_path: Path) -> None:
    """ONNX Runtime 1.23, the last for Python 3.10, read ``/etc/passwd`` into a model."""
    model = tmp_path / "models" / "m.onnx"
    model.parent.mkdir()
    (tmp_path / "secret").write_bytes(b"topsecret" * 9)
    (model.parent / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(model.parent / "fifo")
    for location in (
        "../secret",
        str(tmp_path / "secret"),
        "link",
        "/etc/passwd",
        "fifo",
        "none",
        "",
        ".",
        "a/../x",
    ):
        for where in ("initializer", "attribute"):
            with_weights_in(model, location, where)
            with pytest.raises(ModelError, match="no file beside it"):
                open_session(model, 1)
    (model.parent / "w.bin").write_bytes(bytes(range(12)))
    with_weights_in(model, "w.bin")
    session = open_session(model, 1)
    fed = np.ones(12, np.uint8)
    session.bind(fed)
    assert session.run()[0].tolist() == list(range(1, 13))


def test_numbers_without_sense(tmp_path: Path) -> None:
    """TOML writes nan and inf; ``pad = 300`` was an "unexpected OverflowError"."""
    for toml in (
        "score_threshold = nan", "score_threshold = 1e308", "nms_iou = inf", "thresholds = { a = nan }",
        "metrics = { a = nan }", "[input]\nstd = [0, 0, 0]", "[input]\nstd = [nan, 1, 1]",
        "[input]\npad = 300", "[input]\nmean = [inf, 0, 0]", "[input]\ncrop = nan",
        "[output]\nbackground = 1000000000",
        "[output]\nclass_offset = -99999999999", "[output]\nvariances = [nan, 1, 1, 1]",
        '[output]\nformat = "ssd_raw"\nanchors = "a.npy"',
    ):  # fmt: skip
        np.save(tmp_path / "a.npy", np.array([[np.nan, 1, 1, 1]]))
        with pytest.raises(ModelError):
            read_sidecar(card(tmp_path, f'labels = ["a"]\n{toml}'))
    found = read_sidecar(card(tmp_path, 'labels = ["a"]\n[output]\nformat = "nms6"'))
    assert found is not None
    with pytest.raises(ModelError, match="do not fit"):
        make_decoder(found, (8, 8))([np.zeros((1, 4, 4), np.float32)])
