"""Thresholds at a precision, on made-up detections whose precision is known."""

from __future__ import annotations

import numpy as np
import pytest

from edgecam.inference.models.shown import ClassShown
from edgecam.nn.detection.evaluation.judged import Judged, Seen, elsewhere, judge, together, with_trained
from edgecam.nn.detection.evaluation.second_look import contradicted, never_right
from edgecam.nn.detection.evaluation.shown import (
    BOXES,
    HIGHEST,
    SURE,
    lowered,
    rows,
    scores,
    shape_limits,
)

LABELS = ("person", "dog", "cat", "cup")


def made(seed: int, count: int, right_from: float, source: str = "voc2012") -> Judged:
    """``count`` detections: from ``right_from`` on 97 % are right, below it 40 %; half of all boxes found."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.3, 0.9, count)
    right = rng.random(count) < np.where(scores >= right_from, 0.97, 0.4)
    one = Judged([(float(s), bool(r), source) for s, r in zip(scores, right, strict=True)])
    one.boxes[source] = 2 * int(right.sum())
    one.pictures[source] = [count, count]
    return one


def table(judged: list[Judged]) -> dict[str, ClassShown]:
    return rows(judged, LABELS, scores(judged, LABELS), scores(judged, LABELS, SURE), {})


def test_a_class_is_shown_from_where_it_is_right_often_enough() -> None:
    shown = table([made(0, 800, 0.5), made(1, 400, 0.6), made(2, 6, 0.5), Judged()])
    # below the step four in ten are right, which the many above it carry for a while
    assert 0.35 < shown["person"].show < 0.5 and 0.5 < shown["dog"].show < 0.62
    assert shown["person"].precision >= 0.8 and shown["person"].dependable
    assert shown["cat"].boxes < BOXES and not shown["cat"].dependable  # six detections prove nothing
    assert shown["cat"].show >= shown["dog"].show - 0.05  # it leans on its family, and has to be surer
    assert shown["cup"].show == HIGHEST and not shown["cup"].dependable  # nobody has judged any thing
    assert shown["person"].show < shown["person"].sure < shown["cup"].sure == 1.0


def test_one_collection_gathered_for_a_class_does_not_speak_for_scenes() -> None:
    scenes = table([made(0, 800, 0.5), made(1, 400, 0.45), Judged(), Judged()])
    portraits = table([made(0, 800, 0.5), made(1, 400, 0.45, "dogs only"), Judged(), Judged()])
    assert portraits["dog"].show > scenes["dog"].show + 0.02
    # nor for its family, whose other classes have false alarms in pictures without them
    cats = made(2, 400, 0.6)
    cats.astray = [score for score, right, _ in cats.looks if not right][::2]
    assert elsewhere([cats]) > 1.8 and elsewhere([made(2, 400, 0.6)]) == 1.0
    beside = table([made(0, 800, 0.5), made(1, 4000, 0.4, "dogs only"), cats, Judged()])
    among = table([made(0, 800, 0.5), made(1, 4000, 0.4), cats, Judged()])
    assert beside["cat"].show > among["cat"].show + 0.03 and beside["dog"].show > among["dog"].show + 0.03


def test_what_other_pictures_contradict_is_shown_from_where_they_agree() -> None:
    first = np.array([0.5, 0.5, 0.5, 0.5])
    wrong = [(0.7, True, "v"), (0.643, False, "v"), (0.53, True, "v")]
    few = [(0.58, False, "v")]
    good = [(0.6, True, "v")] * 4 + [(0.55, False, "v")]
    then, those = contradicted(first, [Judged(wrong), Judged(few), Judged(good), Judged()])
    assert then.tolist() == [0.645, 0.585, 0.5, 0.5] and those == {0, 1}
    assert first.tolist() == [0.5] * 4


def test_what_is_never_right_in_scenes_that_show_enough_of_it_is_named() -> None:
    show = np.array([0.5, 0.5, 0.5, 0.5])
    wrong = [(0.7, False, "voc2012"), (0.4, True, "voc2012")]
    unseen, once, few, elsewhere_only = (
        Judged(wrong, {"voc2012": 12}),
        Judged([*wrong, (0.6, True, "voc2012")], {"voc2012": 12}),
        Judged(wrong, {"voc2012": 11}),
        Judged(wrong, {"bottles": 200}),
    )
    assert never_right(show, [unseen, once, few, elsewhere_only]) == {0}


def test_only_classes_that_people_boxed_completely_are_judged_and_crowds_do_not_count() -> None:
    box = [10.0, 10.0, 50.0, 50.0]
    other = [100.0, 100.0, 150.0, 150.0]
    picture = Seen(
        "voc2012",
        np.array([box, box, other, other], np.float32),
        np.array([0.9, 0.8, 0.7, 0.6], np.float32),
        np.array([0, 0, 1, 3], np.int32),
        np.array([box, other], np.float32),
        np.array([0, 1], np.int64),
        np.array([False, True]),
        frozenset({0, 1}),
    )
    person, dog, cat, cup = judge([picture], 4)
    assert [(right, round(score, 3)) for score, right, _ in person.looks] == [(True, 0.9), (False, 0.8)]
    assert dog.looks == [] and dog.boxes == {"voc2012": 0} and cup.looks == cat.looks == []


def test_sizes_and_shapes_leave_room_around_what_people_drew() -> None:
    rng = np.random.default_rng(0)
    rows = [(float(w), float(2 * w), 0.5 * float(a)) for w, a in rng.uniform(0.05, 0.3, (200, 2))]
    (area, aspect) = shape_limits({0: rows, 1: rows[:5]})[0]
    assert area[0] < 0.05 * 0.1 / 2 and area[1] == pytest.approx(0.3 * 0.6 * 2.56, rel=0.1)
    assert aspect[0] < 0.03 and aspect[1] > 0.15
    assert 1 not in shape_limits({0: rows, 1: rows[:5]})


def test_a_rare_class_is_judged_on_pictures_that_were_trained_on_and_has_to_be_surer() -> None:
    held = [made(0, 800, 0.5), made(1, 20, 0.6), Judged(), Judged()]
    trained = [made(2, 800, 0.3), made(3, 400, 0.6), made(4, 400, 0.6), Judged()]
    both, few = with_trained(held, trained)
    assert few == {1, 2} and both[0] is held[0], "people were held out, nobody drew a cup"
    assert len(both[1].looks) == 420 and len(held[1].looks) == 20
    strict, plain = scores(both, LABELS, trained=few), scores(both, LABELS)
    assert (strict[1:3] > plain[1:3]).all() and strict[0] == plain[0]


def test_people_in_pictures_that_were_trained_on_lower_their_score_to_where_half_are_right() -> None:
    held = [made(0, 60, 0.5), made(1, 400, 0.6), Judged(), Judged()]
    trained = [made(seed, 800, 0.5, f"set {seed}") for seed in range(2, 6)]
    pooled = [*trained, *[Judged()] * 3]
    both = held
    for one in trained:
        both = together(both, [one, *pooled[1:4]], {0})
    assert both[1] is held[1] and len(both[0].looks) == 60 + 4 * 800 and len(held[0].looks) == 60
    first = scores(held, LABELS)
    then = lowered(first, both, {0})
    assert then[0] < first[0] and (then[1:] == first[1:]).all()
    # but never to where those at the score itself are mostly wrong, however sure the others are
    rng = np.random.default_rng(9)
    looks = [
        (float(s), bool(rng.random() < (0.02 if s < 0.6 else 0.99)), "voc2012")
        for s in rng.uniform(0.3, 0.9, 3000)
    ]
    surer = Judged(looks + [(0.85, True, "voc2012")] * 9000)
    surer.boxes["voc2012"] = 12_000
    surer.pictures["voc2012"] = [9, 9]
    assert lowered(np.full(4, 0.9), [surer, *held[1:]], {0})[0] > 0.5
