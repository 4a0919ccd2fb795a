"""Batches for detection training, prepared in advance by a thread of their own.

The content of batch ``n`` depends on the seed and ``n`` alone, so a resumed training continues exactly.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecam.nn.detection.augment import AugmentConfig, Boxes, sample
from edgecam.nn.detection.config import TrainConfig
from edgecam.nn.detection.data import DetectionSet, PixelCache
from edgecam.nn.detection.loss import PictureTargets

#: Batches prepared in advance, and how long (s) one may take before the loader counts as stuck.
_AHEAD, _PATIENCE_S = 3, 120.0
#: The share of the upper picture in a blend.
_BLEND = (0.5, 0.9)


@dataclass(frozen=True)
class Batch:
    """``pictures`` (B, S, S, 3) uint8 BGR and one :class:`PictureTargets` each."""

    pictures: Tensor
    targets: list[PictureTargets]


def split_dev(
    data: DetectionSet, config: TrainConfig
) -> tuple[DetectionSet, DetectionSet, list[int], list[int]]:
    """(train, dev, train indices, dev indices): dev pictures are drawn from ``dev_sources``, by the seed."""
    wanted = set(config.data.dev_sources)
    able = [i for i, image in enumerate(data.images) if not wanted or image.source in wanted]
    count = min(config.data.dev, len(able) // 3)
    rng = np.random.default_rng([config.seed, 1])
    dev = sorted(rng.choice(np.array(able, np.int64), count, replace=False).tolist()) if count else []
    held = set(dev)
    train = [i for i in range(len(data.images)) if i not in held]
    return data.subset(train), data.subset(dev), train, dev


def exhaustive_classes(data: DetectionSet, config: TrainConfig) -> dict[str, Tensor]:
    """For each source a mask (C,) of the classes of which people boxed every object. It holds for pictures
    that say nothing about this themselves."""
    by_source: dict[str, bool] = {}
    for image in data.images:
        by_source[image.source] = by_source.get(image.source, True) and bool(image.people.all())
    masks = {}
    for source, people_only in by_source.items():
        named = config.data.exhaustive.get(source)
        masks[source] = torch.tensor(
            [people_only if named is None else label in named for label in data.labels], dtype=torch.bool
        )
    return masks


def repeat_factors(
    data: DetectionSet, weights: NDArray[np.float64], balance: float, limit: float
) -> NDArray[np.float64]:
    """How much more often each picture is drawn for its rarest class; 1 where ``balance`` is 0."""
    factors = np.ones(len(data.images))
    if balance <= 0:
        return factors
    present = np.zeros((len(data.images), len(data.labels)), bool)
    for row, image in enumerate(data.images):
        present[row, image.class_id[~image.ignore]] = True
    share = (weights[:, None] * present).sum(axis=0) / weights.sum()
    per_class = np.clip(np.sqrt(balance / np.maximum(share, 1e-9)), 1.0, limit)
    wanted: NDArray[np.float64] = np.where(present, per_class[None, :], 1.0).max(axis=1).astype(np.float64)
    return wanted


class Loader:
    """Batches ``first`` to ``last`` - 1; a context manager that owns its thread.

    indices: each picture's place in ``pixels``. rank, world: this process's share of a batch.
    """

    def __init__(
        self, data: DetectionSet, pixels: PixelCache, indices: list[int], config: TrainConfig, size: int,
        *, first: int, last: int, rank: int = 0, world: int = 1,
    ) -> None:  # fmt: skip
        self._data, self._pixels, self._indices, self._config = data, pixels, indices, config
        self._size, self._first, self._last, self._rank, self._world = size, first, last, rank, world
        weights = np.array([config.data.weight.get(i.source, 1.0) for i in data.images], np.float64)
        self.epoch = config.optimise.epoch or max(config.optimise.batch, round(float(weights.sum())))
        weights *= repeat_factors(data, weights, config.data.balance, config.data.balance_limit)
        self._weights = weights / weights.sum()
        self._masks = exhaustive_classes(data, config)
        self._queue: queue.Queue[Batch | BaseException] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="train-loader")

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one epoch."""
        return max(1, self.epoch // self._config.optimise.batch)

    def __enter__(self) -> Loader:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._thread.join(timeout=_PATIENCE_S)

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self._first, self._last):
            item = self._queue.get(timeout=_PATIENCE_S)
            if isinstance(item, BaseException):
                raise item
            yield item

    def _work(self) -> None:
        try:
            for step in range(self._first, self._last):
                batch: Batch | BaseException = self.make(step)
                if not self._offer(batch):
                    return
        except Exception as error:
            self._offer(error)

    def _offer(self, item: Batch | BaseException) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def _fetch(self, i: int) -> tuple[NDArray[np.uint8], Boxes]:
        image = self._data.images[i]
        boxes = Boxes(image.boxes, image.class_id, image.score, image.ignore, image.people)
        if image.soft is not None:
            count = len(image.soft.score)
            quiet, nobody = np.ones(count, bool), np.zeros(count, bool)
            soft = Boxes(image.soft.boxes, image.soft.class_id, image.soft.score, quiet, nobody, quiet)
            boxes = Boxes.join([boxes, soft])
        return self._pixels[self._indices[i]], boxes

    def _mask(self, i: int) -> Tensor:
        image = self._data.images[i]
        if image.exhaustive is None:
            return self._masks[image.source]
        return torch.tensor([label in image.exhaustive for label in self._data.labels], dtype=torch.bool)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Pictures of one epoch, shuffled: systematic (low-variance) sampling by their weights."""
        rng = np.random.default_rng([self._config.seed, 2, epoch])
        shuffled = rng.permutation(len(self._weights))
        marks = (np.arange(self.epoch) + rng.random()) / self.epoch
        drawn = shuffled[
            np.searchsorted(np.cumsum(self._weights[shuffled]), marks).clip(max=len(shuffled) - 1)
        ]
        return rng.permutation(drawn)

    def make(self, step: int) -> Batch:
        """Make batch number ``step`` (this process's share of it)."""
        epoch, within = divmod(step, self.steps_per_epoch)
        size = self._config.optimise.batch
        order = self._order(epoch)[within * size : (within + 1) * size]
        augment = self._config.augment
        calm = step >= (1.0 - augment.calm) * self._last
        how = AugmentConfig(
            mosaic=0.0 if calm else augment.mosaic, crop=augment.crop, zoom_out=augment.zoom_out,
            min_crop=augment.min_crop, max_zoom=augment.max_zoom, photometric=augment.photometric,
        )  # fmt: skip
        sizes = augment.sizes or (self._size,)
        side = sizes[int(np.random.default_rng([self._config.seed, 7, step]).integers(len(sizes)))]
        seen = side // self._config.model.teacher_scale
        pictures, targets = [], []
        for position in range(self._rank, len(order), self._world):
            rng = np.random.default_rng([self._config.seed, 3, step, position])
            index = int(order[position])
            picture, boxes, used = sample(rng, self._fetch, index, order, side, how, seen)
            pictures.append(picture)
            targets.append(self._target(used, boxes))
        if augment.blend and not calm:
            pictures, targets = self._blended(step, pictures, targets)
        return Batch(torch.from_numpy(np.stack(pictures)), targets)

    def _blended(
        self, step: int, pictures: list[NDArray[np.uint8]], targets: list[PictureTargets]
    ) -> tuple[list[NDArray[np.uint8]], list[PictureTargets]]:
        """Some samples, each laid over the next one, without labels: a dense teacher knows what is there."""
        rng = np.random.default_rng([self._config.seed, 9, step, self._rank])
        drawn = rng.random(len(pictures)) < self._config.augment.blend
        mixed, bare = list(pictures), list(targets)
        for i in np.flatnonzero(drawn):
            share = float(rng.uniform(*_BLEND))
            other = pictures[(i + 1) % len(pictures)]
            mixed[i] = cv2.addWeighted(pictures[i], share, other, 1.0 - share, 0.0).astype(
                np.uint8, copy=False
            )
            bare[i] = self._unlabelled()
        return mixed, bare

    def _unlabelled(self) -> PictureTargets:
        """Targets that say nothing, not even that nothing is there."""
        none = torch.zeros(0, dtype=torch.bool)
        return PictureTargets(
            boxes=torch.zeros(0, 4), class_id=torch.zeros(0, dtype=torch.long), score=torch.zeros(0),
            ignore=none, people=none, exhaustive=torch.zeros(len(self._data.labels), dtype=torch.bool),
            soft_boxes=None, soft_class=None, soft_score=None,
        )  # fmt: skip

    def _target(self, used: list[int], boxes: Boxes) -> PictureTargets:
        assert boxes.soft is not None
        soft, boxes = boxes.where(boxes.soft), boxes.where(~boxes.soft)
        # soft labels only if teachers saw every picture of a mosaic: none would mean "nothing there"
        known = all(self._data.images[i].soft is not None for i in used)
        return PictureTargets(
            boxes=torch.from_numpy(np.ascontiguousarray(boxes.xyxy, np.float32)),
            class_id=torch.from_numpy(boxes.class_id),
            score=torch.from_numpy(boxes.score),
            ignore=torch.from_numpy(boxes.ignore),
            people=torch.from_numpy(boxes.people),
            exhaustive=torch.stack([self._mask(i) for i in used]).all(dim=0),
            soft_boxes=torch.from_numpy(np.ascontiguousarray(soft.xyxy, np.float32)) if known else None,
            soft_class=torch.from_numpy(soft.class_id) if known else None,
            soft_score=torch.from_numpy(soft.score) if known else None,
        )
