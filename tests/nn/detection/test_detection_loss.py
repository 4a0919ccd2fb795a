"""Assignment, ignore regions and the loss."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgecam.nn.detection.loss import LossConfig, PictureTargets, assign, detection_loss  # noqa: E402
from edgecam.nn.networks.anchors import encode, make_anchors  # noqa: E402

pytestmark = pytest.mark.torch

ANCHORS = make_anchors([(4, 4)], [[(0.25, 0.25)]])
HOW = LossConfig()
CELL_5 = [0.25, 0.25, 0.5, 0.5]  # exactly anchor 5


def target(*rows: Any, exhaustive: Any = (True, True)) -> Any:
    """Rows of (xyxy, class, score, ignore, people)."""
    return PictureTargets(
        boxes=torch.tensor([r[0] for r in rows], dtype=torch.float32).reshape(-1, 4),
        class_id=torch.tensor([r[1] for r in rows], dtype=torch.long),
        score=torch.tensor([r[2] for r in rows], dtype=torch.float32),
        ignore=torch.tensor([r[3] for r in rows], dtype=torch.bool),
        people=torch.tensor([r[4] for r in rows], dtype=torch.bool),
        exhaustive=torch.tensor(exhaustive),
    )


def test_a_box_takes_its_anchor_with_its_weight() -> None:
    got = assign(ANCHORS, target((CELL_5, 1, 0.7, False, False)), 2, HOW)
    assert got.box.tolist() == [0 if i == 5 else -1 for i in range(16)]
    assert got.weight[5].tolist() == pytest.approx([1.0, 0.7])
    assert got.weight[0].tolist() == [1.0, 1.0]


def test_every_box_keeps_its_best_anchor_even_a_tiny_one() -> None:
    tiny = [0.30, 0.30, 0.34, 0.34]
    got = assign(ANCHORS, target((tiny, 0, 1.0, False, True), (CELL_5, 1, 1.0, False, True)), 2, HOW)
    assert got.box[5] == 0
    apart = [0.55, 0.05, 0.6, 0.1]
    got = assign(ANCHORS, target((apart, 0, 1.0, False, True), (CELL_5, 1, 1.0, False, True)), 2, HOW)
    assert got.box[2] == 0
    assert got.box[5] == 1


def test_peoples_ignored_box_silences_its_own_class_only() -> None:
    got = assign(ANCHORS, target((CELL_5, 1, 1.0, True, True)), 2, HOW)
    assert (got.box == -1).all()
    assert got.weight[5].tolist() == [1.0, 0.0]
    assert got.weight[0].tolist() == [1.0, 1.0]


def test_doubtful_teacher_box_silences_all_that_people_did_not_label() -> None:
    got = assign(ANCHORS, target((CELL_5, 1, 0.3, True, False), exhaustive=(True, False)), 2, HOW)
    assert got.weight[5].tolist() == [1.0, 0.0]
    got = assign(ANCHORS, target((CELL_5, 1, 0.3, True, False), exhaustive=(False, False)), 2, HOW)
    assert got.weight[5].tolist() == [0.0, 0.0]


def loss_of(logits: Any, targets: Any, teacher: Any = None, deltas: Any = None) -> Any:
    deltas = torch.zeros(len(targets), 16, 4) if deltas is None else deltas
    return detection_loss(logits, deltas, ANCHORS, targets, HOW, teacher)


def test_ignored_region_gives_no_gradient_either_way() -> None:
    logits = torch.zeros(1, 16, 2, requires_grad=True)
    loss_of(logits, [target((CELL_5, 1, 1.0, True, False), exhaustive=(False, False))])["total"].backward()
    assert (logits.grad[0, 5] == 0).all()
    assert (logits.grad[0, 0] > 0).all()  # elsewhere: background, pushed down


def test_perfect_answer_costs_nothing_and_a_wrong_one_does() -> None:
    labels = target((CELL_5, 1, 1.0, False, True))
    logits = torch.full((1, 16, 2), -12.0)
    logits[0, 5, 1] = 12.0
    deltas = torch.zeros(1, 16, 4)
    deltas[0] = encode(torch.tensor([CELL_5]).expand(16, 4), ANCHORS)
    assert float(loss_of(logits, [labels], deltas=deltas)["total"]) < 1e-4
    shifted = deltas + 2.0
    assert float(loss_of(logits, [labels], deltas=shifted)["box"]) > 0.1
    assert float(loss_of(-logits, [labels], deltas=deltas)["class"]) > 5.0


def test_second_teacher_speaks_only_where_people_did_not() -> None:
    logits = torch.full((1, 16, 2), -3.0, requires_grad=True)
    teacher = torch.full((1, 16, 2), 0.9)
    labels = target((CELL_5, 0, 1.0, False, True), exhaustive=(True, False))
    loss_of(logits, [labels], teacher)["total"].backward()
    assert logits.grad[0, 0, 1] < 0  # pulled up by the teacher
    assert logits.grad[0, 0, 0] > 0  # people say there is none of class 0


def test_picture_without_boxes() -> None:
    logits = torch.zeros(1, 16, 2, requires_grad=True)
    losses = loss_of(logits, [target()])
    assert float(losses["box"]) == 0.0
    losses["total"].backward()
    assert torch.isfinite(logits.grad).all()
