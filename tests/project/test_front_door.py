"""``import edgecam``: what it costs, what it gives, and the loop that is the whole pipeline."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgecam
from edgecam.core.errors import ConfigError, SourceOpenError

ROOT = Path(__file__).resolve().parents[2]


def test_importing_it_is_light() -> None:
    """Counted in modules, for a slow machine makes any number of milliseconds wrong."""
    code = "import sys; before = set(sys.modules); import edgecam; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    new = {name for name in done.stdout.split() if name.split(".")[0] not in sys.stdlib_module_names}
    assert new == {"edgecam", "edgecam.core", "edgecam.core.package"}
    assert not {"asyncio", "inspect", "email", "logging"} & set(done.stdout.split())


def test_every_name_is_where_type_checkers_are_told() -> None:
    tree = ast.parse((ROOT / "edgecam" / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }
    assert told.keys() == set(edgecam.__all__) - {"__version__"}
    for name, (module, inside) in told.items():
        assert getattr(edgecam, name) is getattr(sys.modules[str(module)], inside)
    assert set(edgecam.__all__) <= set(dir(edgecam))
    with pytest.raises(AttributeError, match="no attribute 'Camera'"):
        edgecam.Camera  # noqa: B018


def threads_of_a_run() -> set[str]:
    return {
        t.name for t in threading.enumerate() if t.name.startswith(("capture-", "vision-", "results", "heap"))
    }


def test_leaving_the_loop_stops_and_joins_everything(tmp_path: Path) -> None:
    clip = tmp_path / "seen.mp4"
    for result in edgecam.watch(
        "synthetic:?rate=200", detector="fast", classify="off", record=clip, record_view="clean"
    ):
        assert threads_of_a_run()
        if result.frame.index == 20:
            break
    assert not threads_of_a_run()
    with edgecam.open_source(str(clip)) as written:
        assert sum(1 for _ in written) >= 21

    with pytest.raises(ZeroDivisionError):
        for result in edgecam.watch("synthetic:?live=1&rate=100", detector="fast", classify="off"):
            _ = 1 // (result.frame.index * 0)
    assert not threads_of_a_run()

    results = edgecam.watch("synthetic:", classify="off", frames=3)
    assert not threads_of_a_run()  # nothing runs before the first result is asked for
    next(results)
    del results
    assert not threads_of_a_run()


def test_a_slow_loop_misses_no_frame_of_a_file() -> None:
    indices = []
    for result in edgecam.watch(
        "synthetic:?frames=40&size=320x240", detector="fast", classify="off", threads=2
    ):
        indices.append(result.frame.index)
        if len(indices) == 1:  # until the pipeline has filled every queue there is
            event = threading.Event()
            event.wait(0.5)
    assert indices == list(range(40))


def test_what_breaks_in_the_run_is_raised_in_the_loop(tmp_path: Path) -> None:
    with pytest.raises(SourceOpenError, match="does not exist"):
        next(edgecam.watch(tmp_path / "missing.mp4"))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(edgecam.EdgecamError, match=r"broken\.jpg"):
        list(edgecam.watch(broken, classify="off"))
    assert not threads_of_a_run()


@pytest.mark.parametrize(
    ("sources", "settings", "message"),
    [
        (("demo:",), {"clases": ["person"]}, "no setting 'clases', did you mean 'classes'"),
        ((), {}, "no source"),
        (("demo:",), {"source": "demo:"}, "takes its sources first"),
        (("demo:",), {"display": "window"}, "has no window"),
        (("demo:",), {"score": 2}, "--score: '2' must be 1.0 or less"),
        (("demo:",), {"size": (1, 1)}, "--size"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_starts(
    sources: tuple[str, ...], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        edgecam.watch(*sources, **settings)


def test_detections_are_iterated_and_indexed() -> None:
    found = edgecam.Detections(
        np.array([[1, 2, 3, 4], [5, 6, 7, 8.5]]), np.array([0.9, 0.25]), np.array([1, 0]), ("cat", "dog")
    )
    assert list(found) == [
        edgecam.Detection("dog", pytest.approx(0.9), (1.0, 2.0, 3.0, 4.0)),  # type: ignore[arg-type]
        edgecam.Detection("cat", 0.25, (5.0, 6.0, 7.0, 8.5)),
    ]
    assert found[-1] == found[1] and found[-1].label == "cat"
    assert [d.label for d in found[1:]] == ["cat"] and [d.label for d in found[found.score > 0.5]] == ["dog"]
    with pytest.raises(IndexError):
        found[2]
    tracked = found.select(np.array([1, 0]))
    tracked = edgecam.Detections(
        tracked.xyxy, tracked.score, tracked.class_id, tracked.labels, np.array([7, 9])
    )
    assert [d.track_id for d in tracked] == [7, 9]
    assert list(edgecam.Detections.empty()) == []


def test_to_supervision_and_back() -> None:
    supervision = pytest.importorskip("supervision", reason="needs the package supervision")
    found = edgecam.Detections(
        np.array([[1, 2, 3, 4], [5, 6, 7, 8.5]], np.float32),
        np.array([0.9, 0.25], np.float32),
        np.array([1, 0]),
        ("cat", "dog"),
        np.array([7, 9]),
    )
    theirs = found.to_supervision()
    assert isinstance(theirs, supervision.Detections)
    assert theirs.data["class_name"].tolist() == ["dog", "cat"]
    zone = supervision.PolygonZone(np.array([[0, 0], [4, 0], [4, 5], [0, 5]]))
    assert zone.trigger(theirs).tolist() == [True, False]
    assert list(edgecam.Detections.from_supervision(theirs)) == list(found)
    assert [d.label for d in edgecam.Detections.from_supervision(theirs, ("a", "b"))] == ["b", "a"]
    assert len(edgecam.Detections.from_supervision(supervision.Detections.empty())) == 0


def test_supervision_is_imported_only_when_asked() -> None:
    code = (
        "import sys, edgecam\nsys.modules['supervision'] = None\nd = edgecam.Detections.empty()\n"
        "try: d.to_supervision()\nexcept ImportError as e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install supervision" in done.stdout


def test_annotate_draws_into_a_copy() -> None:
    frame = next(iter(edgecam.open_source("synthetic:?frames=1")))
    found = edgecam.Detections(
        np.array([[100, 100, 300, 300]]), np.array([0.9]), np.array([0]), ("person",), np.array([1])
    )
    before = frame.image.copy()
    drawn = edgecam.annotate(frame, found)
    assert np.array_equal(frame.image, before) and not np.array_equal(drawn, before)
    assert np.array_equal(drawn, edgecam.annotate(edgecam.Result(frame, found)))
    changed = np.argwhere((drawn != before).any(axis=2))
    assert changed[:, 0].min() > 50 and changed.max() < 340  # the box and its label, nothing else
    with pytest.raises(TypeError, match="no detections"):
        edgecam.annotate(frame)


def test_the_reference_in_docs_is_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "api_reference.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_examples_of_the_readme_are_those_that_are_tested() -> None:
    readme, examples = (ROOT / "README.md").read_text(), ROOT / "examples"
    for name in ("detect", "watch"):
        program = (examples / f"{name}.py").read_text().split("import edgecam\n")[1]
        program = re.sub(r'sys\.argv\[1\] if len\(sys\.argv\) > 1 else ("\S+")', r"\1", program)
        said = re.sub(r"\s+#.*", "", readme)
        assert re.sub(r"\s+", "", program) in re.sub(r"\s+", "", said), name


@pytest.mark.parametrize(
    ("load", "wish", "words"),
    [
        (edgecam.load_detector, {"score": "much"}, "score='much': give a number from 0 to 1"),
        (edgecam.load_detector, {"tune": "x"}, "tune='x': write one of"),
        (edgecam.load_classifier, {"top_k": 0}, "top_k=0: give a whole number"),
        (edgecam.load_classifier, {"score": 3}, "score=3: give a number from 0 to 1"),
    ],
)
def test_a_wish_that_no_model_can_grant(load: Any, wish: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(**wish)


def test_classes_may_be_one_text_and_a_picture_is_no_frame() -> None:
    with pytest.raises(ConfigError, match="'dgo'"):
        edgecam.load_detector(classes="person, dgo")
    detector = edgecam.load_detector(classes="person, dog")
    with pytest.raises(TypeError, match=r"takes a Frame, not ndarray; make one: edgecam.Frame"):
        detector.detect(np.zeros((48, 64, 3), np.uint8))  # type: ignore[arg-type]
