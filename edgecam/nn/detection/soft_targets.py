"""Turn a dense teacher's answer into targets, corrected by fused soft labels and by people's boxes.

A teacher with the same cells as the student answers for every cell. Two sources are more reliable: soft
labels that were fused from several teachers, towards which the teacher's scores are moved; and people, who
for some classes of a picture boxed every object, so that there is nothing else.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgecam.nn.networks.anchors import pairwise_iou

#: Scores of the teacher below this count as nothing.
_FLOOR = 0.05
#: From the first overlap (IoU) on, a cell's box and a soft label are the same object; from the second on, a
#: person's box supports the cell.
_SAME, _NEAR = 0.6, 0.3
#: The least and the greatest factor by which a soft label changes a score, and the factor of a score that no
#: soft label supports.
_LEAST, _MOST, _UNSEEN = 0.4, 2.0, 0.5


@torch.no_grad()
def mend_scores(
    scores: Tensor, boxes: Tensor, soft_boxes: Tensor, soft_class: Tensor, soft_score: Tensor
) -> Tensor:
    """The teacher's scores (A, C), moved towards those of the fused soft labels. boxes (A, 4) and soft_boxes
    (n, 4) are in the same unit.

    Each soft label raises or lowers all cells of its class that box the same object, by the factor that
    brings the best of them to its score.
    """
    live = (scores.amax(dim=1) > _FLOOR).nonzero().flatten()
    if not len(live):
        return scores
    part = scores[live]
    factor = torch.where(part > 0.2, _UNSEEN, 1.0)
    if len(soft_boxes):
        overlap = pairwise_iou(boxes[live], soft_boxes)
        same = overlap > _SAME
        own = part[:, soft_class] * same
        wanted = (soft_score / own.amax(dim=0).clamp(min=1e-3)).clamp(_LEAST, _MOST)
        weight = overlap.pow(8) * same
        total = torch.zeros_like(part).index_add_(1, soft_class, weight)
        mean = torch.zeros_like(part).index_add_(1, soft_class, weight * wanted)
        near = torch.zeros_like(part).index_add_(1, soft_class, (overlap > 0.4).to(part.dtype))
        factor = torch.where(near > 0, 1.0, factor)
        factor = torch.where(total > 0, mean / total.clamp(min=1e-12), factor)
    out = scores.clone()
    out[live] = (part * factor).clamp(max=0.97)
    return out


@torch.no_grad()
def silence(scores: Tensor, boxes: Tensor, labelled: Tensor, class_id: Tensor, exhaustive: Tensor) -> Tensor:
    """The teacher's scores (A, C), set to 0 where people's labels say that there is nothing.

    labelled (n, 4) and class_id (n,): people's boxes, including ignored ones. exhaustive (C,) bool: classes
    of which they boxed every object. A cell keeps its score of such a class only if its box overlaps one of
    their boxes of that class.
    """
    live = (scores.amax(dim=1) > _FLOOR).nonzero().flatten()
    if not len(live) or not bool(exhaustive.any()):
        return scores
    near = torch.zeros(len(live), scores.shape[1], dtype=scores.dtype, device=scores.device)
    if len(labelled):
        overlap = (pairwise_iou(boxes[live], labelled) > _NEAR).to(scores.dtype)
        near.index_add_(1, class_id, overlap)
    out = scores.clone()
    out[live] = torch.where(exhaustive[None, :] & (near == 0), 0.0, scores[live])
    return out
