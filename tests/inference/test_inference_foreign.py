"""Foreign ONNX files, described by a sidecar: every format gives the same two boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from tiny_models import foreign_graph, save

from edgecam.core.errors import ModelError
from edgecam.core.types import Frame
from edgecam.inference.classifier import OnnxClassifier
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.models.foreign import ssd_decode
from edgecam.inference.models.sidecar import COCO80, InputSpec, OutputFormat, OutputSpec, read_sidecar
from edgecam.inference.preprocess import Normaliser

HEAD = 'name = "foreign"\nlabels = ["a", "b", "c"]\nscore_threshold = 0.5\n'
# In the 8x8 input: box 0 is class b with 0.9, box 1 class c with 0.6, box 2 nothing.
PIXELS = np.array([[0, 0, 4, 2], [4, 4, 8, 8], [1, 1, 2, 2]], np.float32)
SCORES = np.array([[0.1, 0.9, 0.0], [0.0, 0.2, 0.6], [0.1, 0.1, 0.1]], np.float32)
CENTRED = np.concatenate([(PIXELS[:, :2] + PIXELS[:, 2:]) / 2, PIXELS[:, 2:] - PIXELS[:, :2]], 1)
WANTED = np.array([[0, 0, 32, 12], [32, 24, 64, 48]], np.float32)  # in a 64x48 picture


def logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    logits: np.ndarray = np.log(p / (1 - p))
    return logits


def build(tmp_path: Path, outputs: dict[str, np.ndarray], toml: str, **graph: Any) -> OnnxDetector:
    path = save(foreign_graph(outputs, **graph), tmp_path / "foreign.onnx", None)
    path.with_suffix(".toml").write_text(HEAD + toml)
    return OnnxDetector(path, threads=1)


YOLO8 = np.concatenate([CENTRED, SCORES], 1).T[None]
YOLO5 = np.concatenate([CENTRED, np.full((3, 1), 0.5), np.minimum(SCORES * 2, 2)], 1)[None]
BACKGROUND = np.concatenate([np.zeros((3, 1)), SCORES], 1)
CASES: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "boxes_scores": ({"s": SCORES[None], "b": PIXELS[None] / 8}, 'boxes = "b"\nscores = "s"'),
    "pixels": ({"b": PIXELS[None], "s": SCORES[None]}, 'box_units = "pixels"'),
    "yxyx": ({"b": PIXELS[None][:, :, [1, 0, 3, 2]] / 8, "s": SCORES[None]}, 'box_format = "yxyx"'),
    "sigmoid": ({"b": PIXELS[None] / 8, "s": logit(SCORES)[None]}, 'activation = "sigmoid"'),
    "background": ({"b": PIXELS[None] / 8, "s": BACKGROUND[None]}, "background = 0"),
    "yolov8": ({"o": YOLO8}, 'format = "yolov8"'),
    "yolov5": ({"o": YOLO5}, 'format = "yolov5"'),
    "nms6": (
        {"o": np.concatenate([PIXELS, SCORES.max(1)[:, None], SCORES.argmax(1)[:, None]], 1)[None]},
        'format = "nms6"',
    ),
    "ssd_postprocessed": (
        {
            "b": PIXELS[None][:, :, [1, 0, 3, 2]] / 8,
            "k": SCORES.argmax(1)[None] + 1.0,
            "s": SCORES.max(1)[None],
        },
        'format = "ssd_postprocessed"\nclass_offset = 1',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_format_gives_the_same_objects(tmp_path: Path, case: str) -> None:
    outputs, toml = CASES[case]
    detector = build(tmp_path, outputs, f"[output]\n{toml}\n")
    found = detector.detect(Frame(np.zeros((48, 64, 3), np.uint8), 0, 0, "x"))
    assert [found.label(i) for i in range(len(found))] == ["b", "c"]
    np.testing.assert_allclose(found.score, [0.9, 0.6], atol=1e-3)
    np.testing.assert_allclose(found.xyxy, WANTED, atol=0.01)


def test_raw_ssd_offsets_and_anchors(tmp_path: Path) -> None:
    anchors = np.array([[0.3, 0.2, 0.4, 0.5], [0.6, 0.7, 0.5, 0.6], [0.5, 0.5, 0.2, 0.2]], np.float32)
    centred = CENTRED / 8
    offsets = np.concatenate(
        [
            (centred[:, :2] - anchors[:, :2]) / anchors[:, 2:] / 0.1,
            np.log(centred[:, 2:] / anchors[:, 2:]) / 0.2,
        ],
        1,
    )
    np.save(tmp_path / "a.npy", anchors[:, [1, 0, 3, 2]])
    detector = build(
        tmp_path,
        {"b": offsets[None][:, :, [1, 0, 3, 2]], "s": SCORES[None]},
        '[output]\nformat = "ssd_raw"\nbox_format = "cycxhw"\nanchors = "a.npy"\nanchor_format = "cycxhw"\n',
    )
    found = detector.detect(Frame(np.zeros((48, 64, 3), np.uint8), 0, 0, "x"))
    np.testing.assert_allclose(found.xyxy, WANTED, atol=0.01)


def test_ssd_decode_of_zero_is_the_anchor() -> None:
    anchors = np.array([[0.5, 0.5, 0.2, 0.4]], np.float32)
    decoded = ssd_decode(np.zeros((1, 4), np.float32), anchors, (0.1, 0.1, 0.2, 0.2))
    np.testing.assert_allclose(decoded, [[0.4, 0.3, 0.6, 0.7]], atol=1e-6)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("color", ["RGB", "BGR"])
def test_pixels_are_normalised_as_described(layout: str, color: str) -> None:
    source = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3)).astype(np.uint8)
    spec = InputSpec(layout=layout, color=color, mean=(10, 20, 30), std=(2, 4, 8))  # type: ignore[arg-type]
    normaliser = Normaliser(source, spec, np.dtype(np.float32))
    normaliser.run()
    picture = source[0, :, :, ::-1] if color == "RGB" else source[0]
    wanted = (picture.astype(np.float32) - (10, 20, 30)) / (2, 4, 8)
    wanted = wanted.transpose(2, 0, 1) if layout == "NCHW" else wanted
    np.testing.assert_allclose(normaliser.output[0], wanted, atol=1e-4)


def test_a_model_of_any_size_takes_it_from_the_sidecar(tmp_path: Path) -> None:
    outputs, toml = CASES["pixels"]
    with pytest.raises(ModelError, match=r"takes any size: give resolution"):
        build(tmp_path, outputs, f"[output]\n{toml}\n", shape=(1, 3, "h", "w"))
    detector = build(tmp_path, outputs, f"resolution = [8, 8]\n[output]\n{toml}\n", shape=(1, 3, "h", "w"))
    assert detector.input_wh == (8, 8)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("score_treshold = 1\n", r"unknown key 'score_treshold', did you mean 'score_threshold'"),
        ("[output]\nformat = 'yolo'\n", r"format"),
        ("[input]\nlayuot = 'NCHW'\n", r"layuot"),
        ("= 3\n", "not valid TOML"),
        ("[output]\nboxes = 'nix'\n", r"no output 'nix'.*it has b, s"),
        ("[output]\nformat = 'ssd_raw'\n", "needs anchors"),
        ("[output]\nformat = 'ssd_postprocessed'\n", "reads 3"),
        ("[input]\nlayout = 'NHWC'\n", "which is not NHWC"),
        ("resolution = [9, 9]\n", "takes 8x8, but its sidecar says 9x9"),
        ("task = 'classification'\n", "is for classification"),
    ],
)
def test_a_wrong_sidecar_is_explained(tmp_path: Path, toml: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        build(tmp_path, {"b": PIXELS[None] / 8, "s": SCORES[None]}, toml)
    assert "\n" not in str(caught.value)


def test_labels_must_match_what_the_model_gives(tmp_path: Path) -> None:
    path = save(foreign_graph({"b": PIXELS[None] / 8, "s": SCORES[None]}), tmp_path / "foreign.onnx", None)
    path.with_suffix(".toml").write_text('labels = "coco80"\n')
    with pytest.raises(ModelError, match="80 labels"):
        OnnxDetector(path, threads=1)
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    path.with_suffix(".toml").write_text('labels = "names.txt"\n')
    assert OnnxDetector(path, threads=1).labels == ("a", "b", "c")
    assert len(COCO80) == len(set(COCO80)) == 80


def test_the_example_in_the_docs_is_right(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "foreign-models.md").read_text()
    (tmp_path / "street.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    sidecar = read_sidecar(tmp_path / "street.onnx")
    assert sidecar is not None
    assert sidecar.output.format == "yolov8"
    assert sidecar.input.resize == sidecar.card.resize == "letterbox"
    assert sidecar.card.labels == COCO80
    for key in (*InputSpec.__struct_fields__, *OutputSpec.__struct_fields__):
        assert f"`{key}`" in text or f"{key} =" in text, f"{key} is not documented"
    for form in get_args(OutputFormat):
        assert f"| `{form}`" in text


def test_a_foreign_classifier(tmp_path: Path) -> None:
    path = save(foreign_graph({"logits": np.array([[9.0, 1.0, 3.0, 2.0]])}), tmp_path / "c.onnx", None)
    path.with_suffix(".toml").write_text(
        'task = "classification"\nlabels = ["a", "b", "c"]\n'
        '[output]\nactivation = "softmax"\nbackground = 0\n'
    )
    found = OnnxClassifier(path, threads=1).classify(np.zeros((20, 20, 3), np.uint8))
    assert [c.label for c in found] == ["b", "c", "a"]
