"""The detector and classifier on graphs whose outputs are computed from the picture."""

# Private names are touched here, for that a buffer is reused shows nowhere else but in memory.

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import LABELS, QUARTERS, card, classifier_graph, detector_graph, save

from edgecam.core.errors import ConfigError, ModelError
from edgecam.core.ports import Classifier, Detector
from edgecam.core.types import Detections, Frame
from edgecam.inference.classifier import OnnxClassifier, crop_of
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.scripted import ScriptedDetector

BLUE, GREEN, RED = 0, 1, 2


def picture(width: int = 64, height: int = 48, **quarters: tuple[int, int]) -> np.ndarray:
    """Black, with the quarters tl, tr, bl, br painted: name=(channel, value)."""
    image = np.zeros((height, width, 3), np.uint8)
    for name, (channel, value) in quarters.items():
        rows = slice(0, height // 2) if name[0] == "t" else slice(height // 2, height)
        columns = slice(0, width // 2) if name[1] == "l" else slice(width // 2, width)
        image[rows, columns, channel] = value
    return image


def frame(image: np.ndarray, **more: Any) -> Frame:
    return Frame(image=image, index=0, captured_ns=0, source="test", **more)


def make(tmp_path: Path, graph: Any = None, given: Any = None, **options: Any) -> OnnxDetector:
    path = save(graph or detector_graph(), tmp_path / "net.onnx", given or card())
    return OnnxDetector(path, threads=1, **options)


def as_port(detector: Detector) -> Detector:
    return detector


def test_objects_are_where_they_are_and_best_first(tmp_path: Path) -> None:
    detector = as_port(make(tmp_path))
    found = detector.detect(frame(picture(tl=(RED, 204), br=(BLUE, 255))))
    assert [found.label(i) for i in range(len(found))] == ["blue", "red"]
    np.testing.assert_allclose(found.score, [1.0, 0.8], atol=0.02)
    np.testing.assert_allclose(found.xyxy, [[32, 24, 64, 48], [0, 0, 32, 24]])
    assert found.xyxy.dtype == np.float32
    assert detector.input_wh == (8, 8)
    assert detector.labels == LABELS


def test_nothing_there_gives_nothing(tmp_path: Path) -> None:
    found = make(tmp_path).detect(frame(picture()))
    assert len(found) == 0
    assert found.labels == LABELS


def test_results_do_not_change_when_the_next_frame_comes(tmp_path: Path) -> None:
    detector = make(tmp_path)
    first = detector.detect(frame(picture(tl=(RED, 255))))
    kept = first.xyxy.copy(), first.score.copy()
    detector.detect(frame(picture(br=(BLUE, 255))))
    np.testing.assert_array_equal(first.xyxy, kept[0])
    np.testing.assert_array_equal(first.score, kept[1])


def test_the_small_picture_of_the_camera_is_used_where_it_is_large_enough(tmp_path: Path) -> None:
    detector = make(tmp_path)
    black, red = picture(), picture(16, 8, tl=(RED, 255))
    found = detector.detect(frame(black, lores=red))
    np.testing.assert_allclose(found.xyxy, [[0, 0, 32, 24]])  # in pixels of the large one
    assert len(detector.detect(frame(black, lores=red[:4]))) == 0


def test_boxes_are_clipped_to_the_picture(tmp_path: Path) -> None:
    wide = QUARTERS + np.array([-0.2, -0.2, 0.2, 0.2], np.float32)
    found = make(tmp_path, detector_graph(boxes=wide)).detect(frame(picture(tl=(RED, 255), br=(RED, 255))))
    assert found.xyxy.min() == 0
    assert found.xyxy[:, 2].max() == 64
    assert found.xyxy[:, 3].max() == 48


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_boxes_that_are_no_boxes_are_dropped(tmp_path: Path, bad: float) -> None:
    boxes = QUARTERS.copy()
    boxes[0, 0, 2] = bad
    boxes[0, 1] = boxes[0, 1, [2, 1, 0, 3]]  # right of left
    found = make(tmp_path, detector_graph(boxes=boxes)).detect(
        frame(picture(tl=(RED, 255), tr=(RED, 255), bl=(RED, 255)))
    )
    np.testing.assert_allclose(found.xyxy, [[0, 24, 32, 48]])


def test_thresholds_come_from_the_card_by_class(tmp_path: Path) -> None:
    detector = make(tmp_path, given=card(score_threshold=0.5, thresholds={"red": 0.9}))
    shown = picture(tl=(RED, 200), br=(BLUE, 200))
    assert [detector.detect(frame(shown)).label(0)] == ["blue"]
    detector.set_score(0.7)
    assert len(detector.detect(frame(shown))) == 2
    assert detector.least_score == 0.7
    detector.set_score(None)
    assert len(detector.detect(frame(shown))) == 1
    detector.set_classes(["red"])
    assert detector.least_score == pytest.approx(0.9), "what a person raises begins where something is shown"
    detector.set_classes([])
    assert detector.least_score == 0.5, "the card's where nothing is looked for"


def test_classes_are_filtered_and_weak_ones_off_unless_asked_for(tmp_path: Path) -> None:
    detector = make(tmp_path, given=card(weak_labels=("red",)))
    shown = frame(picture(tl=(RED, 255), br=(BLUE, 255)))
    assert [detector.detect(shown).label(i) for i in range(1)] == ["blue"]
    detector.set_classes(["red", "green"])
    assert [detector.detect(shown).label(i) for i in range(1)] == ["red"]
    detector.set_classes(None)
    assert [detector.detect(shown).label(i) for i in range(1)] == ["blue"]


def test_wrong_scores_and_classes_say_so_and_change_nothing(tmp_path: Path) -> None:
    detector = make(tmp_path)
    with pytest.raises(ConfigError, match="'rad', did you mean 'red'"):
        detector.set_classes(["rad"])
    with pytest.raises(ConfigError, match=r"1\.5 is not between"):
        detector.set_score(1.5)
    assert len(detector.detect(frame(picture(tl=(RED, 255))))) == 1


def test_low_ratio_delivers_weaker_ones_too(tmp_path: Path) -> None:
    detector = make(tmp_path, low_ratio=0.5)
    found = detector.detect(frame(picture(tl=(RED, 255), br=(RED, 80))))
    assert len(found) == 2
    assert (found.score >= detector.thresholds[found.class_id]).tolist() == [True, False]


def test_the_window_may_change_settings_while_frames_run(tmp_path: Path) -> None:
    detector = make(tmp_path)
    shown = frame(picture(tl=(RED, 255), br=(BLUE, 255)))
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            detector.set_classes(["red"])
            detector.set_score(0.4)
            detector.set_classes(None)

    window = threading.Thread(target=turn)
    window.start()
    try:
        seen = {len(detector.detect(shown)) for _ in range(300)}
    finally:
        stop.set()
        window.join(5)
    assert seen <= {1, 2}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (card("classification"), "is for classification"),
        (card(labels=("one", "two")), r"expected float32 \(1, N, 4\) and \(1, N, 2\) for its 2 labels"),
        (card(resolution=(16, 16)), "its card says 16x16, but its input is"),
    ],
)
def test_a_model_that_breaks_its_card_is_refused(tmp_path: Path, given: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        make(tmp_path, given=given)
    assert "\n" not in str(caught.value)


def test_a_classifier_dressed_as_a_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no output 'boxes'"):
        make(tmp_path, classifier_graph())
    path = save(detector_graph(), tmp_path / "d.onnx", card("classification"))
    with pytest.raises(ModelError, match="has no output 'probabilities'"):
        OnnxClassifier(path, threads=1)


def test_letterbox_and_stretch_give_the_same_boxes(tmp_path: Path) -> None:
    stretched = make(tmp_path)
    boxed = make(tmp_path, given=card(resize="letterbox"), score=0.3)
    shown = frame(picture(64, 32, tl=(RED, 255)))
    np.testing.assert_allclose(stretched.detect(shown).xyxy, [[0, 0, 32, 16]])
    # the picture fills the middle half: the upper anchors cover its upper half and the bar above it
    np.testing.assert_allclose(boxed.detect(shown).xyxy[0], [0, 0, 32, 16])


def classifier(tmp_path: Path, **options: Any) -> OnnxClassifier:
    path = save(classifier_graph(), tmp_path / "c.onnx", card("classification", **options.pop("card", {})))
    return OnnxClassifier(path, threads=1, **options)


def test_a_picture_and_a_box_in_it_are_named(tmp_path: Path) -> None:
    namer: Classifier = classifier(tmp_path)
    image = picture(tl=(RED, 255), br=(BLUE, 255))
    image[:, :, GREEN] = 30
    assert namer.classify(image[:24, :32])[0].label == "red"
    found = namer.classify(image, np.array([36, 28, 60, 44], np.float32))
    assert [c.label for c in found] == ["blue", "green", "red"]
    assert found[0].class_id == BLUE
    assert sum(c.score for c in found) == pytest.approx(1, abs=1e-4)


def test_top_k_and_score_limit_the_list(tmp_path: Path) -> None:
    image = picture(tl=(RED, 255), br=(BLUE, 100))
    assert len(classifier(tmp_path, top_k=2).classify(image)) == 2
    assert [c.label for c in classifier(tmp_path, score=0.5).classify(image)] == ["red"]


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "center_crop"])
def test_every_fit_works_on_odd_boxes(tmp_path: Path, resize: str) -> None:
    namer = classifier(tmp_path, card={"resize": resize})
    image = picture(tl=(RED, 255))
    for box in ([0, 0, 1, 1], [-9, -9, 500, 500], [70, 60, 90, 99], [3.2, 3.2, 3.3, 3.3]):
        assert len(namer.classify(image, np.array(box, np.float32))) == 3


def test_crops_are_views_with_a_margin() -> None:
    image = picture(100, 80)
    crop = crop_of(image, np.array([40, 30, 60, 40], np.float32), 0.1, square=False)
    assert crop.shape == (12, 24, 3)
    assert np.shares_memory(crop, image)
    assert crop_of(image, np.array([40, 30, 60, 40], np.float32), 0.1, square=True).shape == (24, 24, 3)


def test_a_script_says_what_it_was_told(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text(
        '{"v": 1, "index": 0, "width": 32, "height": 24, "detections": ['
        '{"label": "dog", "class_id": 5, "score": 0.4, "xyxy": [0, 0, 16, 12], "track_id": 1},'
        '{"label": "cat", "class_id": 9, "score": 0.9, "xyxy": [16, 12, 32, 24]}]}\n'
        '{"v": 1, "index": 1, "detections": []}\n'
    )
    detector = as_port(ScriptedDetector.from_jsonl(file))
    found = detector.detect(frame(picture()))
    assert [found.label(i) for i in range(2)] == ["cat", "dog"]
    np.testing.assert_allclose(found.xyxy, [[32, 24, 64, 48], [0, 0, 32, 24]])
    assert len(detector.detect(Frame(picture(), 1, 0, "x"))) == 0
    assert len(detector.detect(Frame(picture(), 7, 0, "x"))) == 0
    file.write_text('{"index": 0, "detections": []}\nnot json\n')
    with pytest.raises(ModelError, match="line 2"):
        ScriptedDetector.from_jsonl(file)
    own = ScriptedDetector(lambda f: Detections.empty(("a",)), ("a",))
    assert len(own.detect(frame(picture()))) == 0


def test_boxes_of_one_frame_survive_the_network_running_on_the_next(tmp_path: Path) -> None:
    """Inputs and outputs have buffers of their own: what is under way is right although others go through."""
    detector = make(tmp_path)
    prepared = [detector.prepare(frame(p)) for p in (picture(tl=(RED, 255)), picture(br=(BLUE, 255)))]
    first, second = (p.run() for p in prepared)
    found = first()
    assert [found.label(i) for i in range(len(found))] == ["red"]
    np.testing.assert_allclose(found.xyxy, [[0, 0, 32, 24]])
    found = second()
    assert [found.label(i) for i in range(len(found))] == ["blue"]
    np.testing.assert_allclose(found.xyxy, [[32, 24, 64, 48]])


def test_the_buffers_of_a_frame_that_is_dropped_serve_the_next(tmp_path: Path) -> None:
    detector = make(tmp_path)
    dropped = detector.prepare(frame(picture(tl=(RED, 255))))
    dropped.drop()
    kept = detector.prepare(frame(picture(br=(BLUE, 255))))
    found = kept.run()()
    assert [found.label(i) for i in range(len(found))] == ["blue"]
    assert len(detector._free) == 1
