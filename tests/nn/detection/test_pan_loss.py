"""Assignment, soft targets and the loss of the anchor-free head."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="index,no-untyped-call,union-attr"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from edgecam.nn.detection.assignment import assign
from edgecam.nn.detection.gfl_loss import Answer, Labels, Weights, copy_loss, distribution_loss, gfl_loss
from edgecam.nn.detection.soft_targets import mend_scores, silence
from edgecam.nn.networks.gfl_head import decode_boxes, grid_points

pytestmark = pytest.mark.torch

POINTS, STRIDES = grid_points([(8, 8), (4, 4)], (8, 16))
BOXES = torch.tensor([[4.0, 4.0, 30.0, 30.0], [40.0, 40.0, 43.0, 43.0]])
KINDS = torch.tensor([0, 1])


def labels(**changes: Any) -> Labels:
    none, nobody = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
    fields = {
        "boxes": BOXES, "class_id": KINDS, "score": torch.ones(2), "quiet_boxes": none, "quiet_class": nobody,
        "people_boxes": BOXES, "people_class": KINDS, "exhaustive": torch.tensor([True, True]),
    }  # fmt: skip
    return Labels(**{**fields, **changes})


def sides_for(box: torch.Tensor) -> torch.Tensor:
    """Side logits (A, 32) whose expectation is ``box`` at every cell, where that is within reach."""
    distance = torch.cat([POINTS - box[:2], box[2:] - POINTS], dim=1) / STRIDES[:, None]
    distance = distance.clamp(0, 6.99)
    low = distance.floor().long()
    share = torch.zeros(len(POINTS), 4, 8)
    share.scatter_(2, low[..., None], (1 - (distance - low))[..., None])
    share.scatter_add_(2, (low + 1)[..., None], (distance - low)[..., None])
    return (share + 1e-9).log().flatten(1)


def test_every_box_gets_a_cell_and_cells_inside_only() -> None:
    scores, found = torch.full((80, 2), 0.01), torch.cat([POINTS - 6, POINTS + 6], dim=1)
    owner, overlap = assign(POINTS, STRIDES, scores, found, BOXES, KINDS)
    first = POINTS[owner == 0]
    assert len(first)
    assert ((first > 4) & (first < 30)).all()
    # the second holds no point: the nearest cell takes it
    assert POINTS[owner == 1].tolist() == [[44.0, 44.0]]
    assert (overlap[owner < 0] == 0).all()


def test_the_surest_and_best_fitting_cells_take_a_box() -> None:
    scores, found = torch.full((80, 2), 0.01), torch.cat([POINTS - 6, POINTS + 6], dim=1)
    best = int(((POINTS - 20.0).abs().sum(1) + (STRIDES - 8) * 100).argmin())
    found[best] = BOXES[0]
    scores[best, 0] = 0.9
    owner, overlap = assign(POINTS, STRIDES, scores, found, BOXES, KINDS)
    assert owner[best] == 0
    assert float(overlap[best]) == pytest.approx(1.0)
    assert int((owner == 0).sum()) <= 3
    assert assign(POINTS, STRIDES, scores, found, BOXES[:0], KINDS[:0])[0].eq(-1).all()


def test_soft_labels_lift_and_lower_what_a_teacher_says() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    scores = torch.tensor([[0.4, 0.0], [0.2, 0.0], [0.6, 0.0]])
    soft = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([0]), torch.tensor([0.6])
    out = mend_scores(scores, boxes, *soft)
    assert out[0, 0] == pytest.approx(0.6)
    assert out[1, 0] == pytest.approx(0.3)
    assert out[2, 0] == pytest.approx(0.3)  # nobody else saw it
    assert torch.equal(mend_scores(scores * 0.01, boxes, *soft), scores * 0.01)


def test_people_silence_a_teacher_where_they_boxed_everything() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    scores = torch.tensor([[0.5, 0.4], [0.5, 0.4]])
    out = silence(scores, boxes, boxes[:1], torch.tensor([0]), torch.tensor([True, False]))
    assert out.tolist() == [pytest.approx([0.5, 0.4]), pytest.approx([0.0, 0.4])]


def test_a_perfect_answer_has_next_to_no_slope_and_a_wrong_one_has() -> None:
    sides = sides_for(BOXES[0])[None]
    boxes = decode_boxes(sides, POINTS, STRIDES, 8)
    one = labels(boxes=BOXES[:1], class_id=KINDS[:1], score=torch.ones(1))
    scores = torch.full((1, 80, 2), 1e-4)
    owner, overlap = assign(POINTS, STRIDES, scores[0], boxes[0], one.boxes, one.class_id)
    scores[0, owner == 0, 0] = overlap[owner == 0].clamp(max=1 - 1e-4)
    slopes = []
    for probability in (scores, torch.full_like(scores, 0.3)):
        logits = torch.logit(probability).requires_grad_()
        gfl_loss(logits, sides, POINTS, STRIDES, [one], Weights())["total"].backward()
        slopes.append(float(logits.grad.abs().max()))
    assert slopes[0] < 1e-3
    assert slopes[1] > 10 * slopes[0]


def test_quiet_regions_teach_their_class_nothing() -> None:
    logits = torch.zeros(1, 80, 2, requires_grad=True)
    quiet = labels(
        boxes=BOXES[:0], class_id=KINDS[:0], score=torch.ones(0),
        quiet_boxes=torch.tensor([[0.0, 0.0, 64.0, 64.0]]), quiet_class=torch.tensor([1]),
    )  # fmt: skip
    gfl_loss(logits, sides_for(BOXES[0])[None], POINTS, STRIDES, [quiet], Weights())["total"].backward()
    assert (logits.grad[..., 1] == 0).all()
    assert (logits.grad[..., 0] > 0).all()


def test_a_teacher_is_followed_where_people_are_silent() -> None:
    torch.manual_seed(0)
    sides = sides_for(BOXES[0])[None]
    scores = torch.zeros(1, 80, 2)
    scores[0, 9, 1] = 0.8
    answer = Answer(scores, sides.clone(), decode_boxes(sides, POINTS, STRIDES, 8))
    nothing = labels(
        boxes=BOXES[:0], class_id=KINDS[:0], score=torch.ones(0),
        people_boxes=BOXES[:0], people_class=KINDS[:0], exhaustive=torch.tensor([True, False]),
    )  # fmt: skip
    logits = torch.full((1, 80, 2), -3.0, requires_grad=True)
    ours = torch.randn(1, 80, 32, requires_grad=True)
    losses = gfl_loss(logits, ours, POINTS, STRIDES, [nothing], Weights(), answer)
    losses["total"].backward()
    assert float(logits.grad[0, 9, 1]) < 0 < float(logits.grad[0, 9, 0])
    assert ours.grad[0, 9].abs().sum() > 0
    assert ours.grad[0, 10].abs().sum() == 0


def test_distributions() -> None:
    distance = torch.tensor([[0.0, 2.25, 5.0, 9.0]])
    at = torch.full((1, 4, 8), -30.0)
    for side, share in enumerate(({0: 1.0}, {2: 0.75, 3: 0.25}, {5: 1.0}, {6: 0.01, 7: 0.99})):
        for bin_, value in share.items():
            at[0, side, bin_] = torch.log(torch.tensor(value))
    best = float(distribution_loss(at.flatten(1), distance, 8))
    assert best < float(distribution_loss(torch.zeros(1, 32), distance, 8))
    assert float(copy_loss(at.flatten(1), at.flatten(1), 8)) == pytest.approx(0.0, abs=1e-6)
    assert float(copy_loss(torch.zeros(1, 32), at.flatten(1), 8)) > 1.0
