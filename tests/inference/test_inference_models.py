"""Finding models, reading cards, and what a user reads when a file is not what was meant."""

# Private names are touched here, for a provider that fails to start is put in the place of the one that
# builds a session.

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import numpy_helper
from tiny_models import QUARTERS, card, classifier_graph, detector_graph, save

from edgecam.core.errors import ConfigError, ModelError
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.models import store
from edgecam.inference.models.file import read_metadata, weights_sha256
from edgecam.inference.runtime import providers
from edgecam.inference.runtime import session as session_module
from edgecam.inference.runtime.providers import choose_providers
from edgecam.inference.runtime.session import open_session


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    user, shipped = tmp_path / "user", tmp_path / "shipped"
    user.mkdir()
    shipped.mkdir()
    monkeypatch.setattr(store, "user_folder", lambda: user)
    monkeypatch.setattr(store, "shipped_folder", lambda: shipped)
    return user, shipped


def detector(path: Path, **changes: Any) -> Path:
    return save(detector_graph(), path, card(**changes))


def test_the_card_comes_back_out_of_the_file(tmp_path: Path) -> None:
    given = card(metrics={"AP50": 0.5}, thresholds={"red": 0.3})
    assert store.load_card(save(detector_graph(), tmp_path / "a.onnx", given)) == given


def test_metadata_agrees_with_onnx_itself(tmp_path: Path) -> None:
    path = detector(tmp_path / "a.onnx")
    wanted = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert wanted
    assert read_metadata(path) == wanted


def test_a_rewritten_file_is_read_again(tmp_path: Path) -> None:
    path = detector(tmp_path / "a.onnx", name="one")
    assert store.load_card(path).name == "one"
    detector(path, name="another")
    assert store.load_card(path).name == "another"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello, this is not a model\n" * 20, "not an ONNX file"),
        (bytes(range(256)) * 9, "not an ONNX file"),
        (b"\x00" * 300, "not an ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x18\x00\x00\x00TFL3rest", "TensorFlow Lite"),
    ],
)
def test_what_is_not_onnx_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        store.load_card(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_damaged_weights_are_found(tmp_path: Path) -> None:
    model = detector_graph()
    digest = hashlib.sha256(b"".join(numpy_helper.to_array(t).tobytes() for t in model.graph.initializer))
    path = save(model, tmp_path / "a.onnx", card(weights_sha256=digest.hexdigest()))
    assert weights_sha256(path) == digest.hexdigest()
    store.check_weights(path)
    data = bytearray(path.read_bytes())
    at = data.index(QUARTERS.tobytes())
    data[at + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        store.check_weights(path)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_model_is_refused(tmp_path: Path, part: float) -> None:
    path = detector(tmp_path / "x.onnx")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ModelError, match=r"cut short|no card"):
        store.load_card(path)
    with pytest.raises(ModelError):
        OnnxDetector(path, threads=1)


def test_missing_folder_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        store.load_card(tmp_path / "no.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ModelError, match="is a folder"):
        store.load_card(tmp_path / "folder.onnx")


def test_without_a_card_the_message_says_how_to_give_one(tmp_path: Path) -> None:
    path = save(detector_graph(), tmp_path / "x.onnx", None)
    with pytest.raises(ModelError, match=r"has no card.*x\.toml"):
        store.load_card(path)


def test_a_card_that_does_not_fit_is_named(tmp_path: Path) -> None:
    model = detector_graph()
    onnx.helper.set_model_props(model, {"edgecam_card": '{"name": 3}'})
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(ModelError, match=r"does not fit.*name"):
        store.load_card(tmp_path / "x.onnx")


def test_names_roles_and_files_find_models(folders: tuple[Path, Path]) -> None:
    user, shipped = folders
    one = detector(shipped / "one.onnx", name="first-net", extra={"role": "default"})
    two = detector(shipped / "two.onnx", name="second-net", extra={"role": "fast"})
    save(classifier_graph(), shipped / "names.onnx", card("classification", name="namer"))
    assert store.find_model("default", "detection") == one
    assert store.find_model("first-net", "detection") == one
    assert store.find_model("fast", "detection") == two
    assert store.find_model("two", "detection") == two
    assert store.find_model(str(two), "detection") == two
    assert store.find_model("default", "classification").name == "names.onnx"
    mine = detector(user / "one.onnx", name="mine", extra={"role": "default"})
    assert store.find_model("one", "detection") == mine
    assert [path.name for path, _ in store.list_models("detection")] == ["one.onnx", "two.onnx"]
    assert len(store.list_models()) == 3


def test_precision_chooses_among_the_files_of_one_model(folders: tuple[Path, Path]) -> None:
    _, shipped = folders
    full = detector(shipped / "net.onnx", name="net", extra={"role": "default"})
    small = detector(shipped / "net-int8.onnx", name="net-int8", precision="int8", extra={"role": "default"})
    assert store.find_model("default", "detection") == full
    assert store.find_model("net", "detection", "int8") == small
    assert store.find_model("net-int8", "detection") == small
    assert [path for path, _ in store.variants(full)] == [full, small]
    assert [path for path, _ in store.variants(small)] == [small, full]


def test_an_unknown_name_names_the_nearest_and_all(folders: tuple[Path, Path]) -> None:
    _, shipped = folders
    detector(shipped / "street-net.onnx", name="street-net", extra={"role": "default"})
    with pytest.raises(ModelError, match=r"'street-nat', did you mean 'street-net'\?.*default, street-net"):
        store.find_model("street-nat", "detection")


def test_a_misspelt_file_names_the_nearest(tmp_path: Path) -> None:
    detector(tmp_path / "street.onnx")
    with pytest.raises(ModelError, match=r"stret\.onnx does not exist, did you mean 'street\.onnx'\?"):
        store.find_model(tmp_path / "stret.onnx", "detection")


def test_nothing_installed_says_where_it_looked(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match=r"nor any other: give the path.*user"):
        store.find_model("default", "detection")


def test_a_model_of_the_wrong_task_says_which_option_takes_it(folders: tuple[Path, Path]) -> None:
    _, shipped = folders
    save(classifier_graph(), shipped / "namer.onnx", card("classification", name="namer"))
    for given in ("namer", str(shipped / "namer.onnx")):
        with pytest.raises(ModelError, match=r"is for classification.*--classifier"):
            store.find_model(given, "detection")


def test_broken_files_in_a_folder_are_no_obstacle(folders: tuple[Path, Path]) -> None:
    _, shipped = folders
    (shipped / "junk.onnx").write_bytes(b"junk")
    good = detector(shipped / "good.onnx")
    assert store.list_models() == [(good, card())]


def test_unknown_and_missing_providers() -> None:
    with pytest.raises(ConfigError, match="unknown provider 'cudo', did you mean 'cuda'"):
        choose_providers(["cudo"])
    names, notice = choose_providers(["acl"])  # never in the wheels of PyPI
    assert names == ("cpu",)
    assert "no acl" in notice
    assert choose_providers(["cpu"]) == (("cpu",), "")


def test_a_session_says_what_it_runs_on(tmp_path: Path) -> None:
    path = detector(tmp_path / "a.onnx")
    session = open_session(path, 1, ["cpu"])
    assert (session.provider, session.threads, session.notice) == ("cpu", 1, "")
    assert [spec.shape for spec in session.outputs] == [(1, 4, 4), (1, 4, 3)]
    with pytest.raises(ConfigError, match="threads = -1"):
        open_session(path, -1)


def test_a_graph_that_the_runtime_does_not_know_is_one_sentence(tmp_path: Path) -> None:
    model = detector_graph()
    model.graph.node[0].op_type = "Enchant"
    path = save(model, tmp_path / "x.onnx", card())
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot load model .*x\.onnx: .*Enchant") as caught:
        OnnxDetector(path, threads=1)
    assert "\n" not in str(caught.value)


def test_a_provider_that_fails_falls_back_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = detector(tmp_path / "a.onnx")
    build = session_module._build

    def broken(path: Path, names: Sequence[str], threads: int, quantized: bool) -> object:
        if names[0] != "cpu":
            raise RuntimeError("no such device\nat line 7")
        return build(path, names, threads, quantized)

    monkeypatch.setattr(session_module, "_build", broken)
    monkeypatch.setattr(providers, "available_providers", lambda: ("cuda", "cpu"))
    session = open_session(path, 1, ["cuda"])
    assert session.provider == "cpu"
    assert session.notice == "cuda failed (no such device): running on cpu"
    assert caplog.messages == [session.notice]
