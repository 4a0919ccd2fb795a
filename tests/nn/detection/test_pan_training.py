"""Soft labels and blends through the augmentation, teachers, and a small training that is cut and goes on."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type,assignment,attr-defined,index,list-item,operator,union-attr"

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgecam.core.errors import ConfigError  # noqa: E402
from edgecam.nn.detection.augment import AugmentConfig, sample  # noqa: E402
from edgecam.nn.detection.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from edgecam.nn.detection.config import Augment, Data, Model, Optimise, TrainConfig  # noqa: E402
from edgecam.nn.detection.data import PixelCache  # noqa: E402
from edgecam.nn.detection.graft import without_extra_level  # noqa: E402
from edgecam.nn.detection.loader import Loader  # noqa: E402
from edgecam.nn.detection.sources import training_set  # noqa: E402
from edgecam.nn.detection.teachers import Teacher, load_teacher  # noqa: E402
from edgecam.nn.detection.train import train  # noqa: E402
from edgecam.nn.networks.pan_detector import PanConfig, PanDetector  # noqa: E402
from edgecam.nn.training.host import Host  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]

LABELS = ("blue", "red")
TABLE = PanConfig(LABELS, width=0.25, resolution=64, neck_width=16, head_depth=1, folded=True)


def write(folder: Path, name: str, count: int, first: int) -> None:
    """Red and blue squares on grey, 64 px, as a COCO file; people boxed every red one."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(first)
    images, annotations = [], []
    for i in range(first, first + count):
        picture = np.full((64, 64, 3), 128, np.uint8)
        x, y = (int(v) for v in rng.integers(0, 40, 2))
        kind = i % 2
        picture[y : y + 24, x : x + 24] = (0, 0, 255) if kind else (255, 0, 0)
        cv2.imwrite(str(folder / f"images/{i}.png"), picture)
        images.append(
            {
                "id": i,
                "file_name": f"{i}.png",
                "width": 64,
                "height": 64,
                "source": name,
                "exhaustive": ["red"],
            }
        )
        annotations.append(
            {"id": i, "image_id": i, "category_id": kind + 1, "bbox": [x, y, 24, 24], "iscrowd": 0}
        )
    names = [{"id": k + 1, "name": x} for k, x in enumerate(LABELS)]
    content = {"images": images, "annotations": annotations, "categories": names}
    (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("pan")
    write(folder, "train", 12, 1)
    write(folder, "more", 6, 101)
    data = training_set(folder / "train.json", Data(more={"more.json": ""}))
    return data, PixelCache(data, folder / "cache"), folder


def teacher(folder: Path) -> Path:
    torch.manual_seed(5)
    model = PanDetector(TABLE)
    path = folder / "teacher.pt"
    save_checkpoint(
        path,
        architecture=model.config.to_dict(),
        recipe=TrainConfig().to_dict(),
        step=0,
        ema=model.state_dict(),
    )
    return path


def test_further_pictures_and_what_they_say_of_themselves(squares: Any) -> None:
    data, _, folder = squares
    assert len(data.images) == 18
    assert {i.source for i in data.images} == {"train", "more"}
    assert data.images[0].exhaustive == {"red"}
    config = TrainConfig(optimise=Optimise(batch=4))
    batch = Loader(
        data, PixelCache(data, folder / "cache"), list(range(18)), config, 64, first=0, last=1
    ).make(0)
    assert batch.targets[0].exhaustive.tolist() == [False, True]
    assert batch.targets[0].soft_boxes is None


def test_soft_labels_move_with_the_picture(tmp_path: Path) -> None:
    from edgecam.nn.detection.soft_labels import add_soft_labels
    from edgecam.nn.labels.coco import COCO80

    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), np.zeros((50, 100, 3), np.uint8))
    box = {"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 10, 40, 20], "iscrowd": 0}
    names = [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}]
    image = {"id": 7, "file_name": "a.png", "width": 100, "height": 50}
    (tmp_path / "train.json").write_text(
        json.dumps({"images": [image], "annotations": [box], "categories": names})
    )
    boxes = np.array([[10, 10, 50, 30]] * 3, np.float16)
    np.savez(
        tmp_path / "soft.npz", image_id=[7], start=[0, 3], box=boxes, score=np.array([0.5, 0.25, 0.9], "f2"),
        category_id=[1, 1 + COCO80.index("dog"), 1 + COCO80.index("cat")]
    )  # fmt: skip
    data = training_set(tmp_path / "train.json", Data(soft="soft.npz"))
    soft = data.images[0].soft
    assert soft.class_id.tolist() == [0, 1]  # the set has no cats
    assert soft.boxes[0].tolist() == pytest.approx([0.1, 0.2, 0.5, 0.6])
    loader = Loader(
        data,
        PixelCache(data, tmp_path / "c"),
        [0],
        TrainConfig(optimise=Optimise(batch=1)),
        64,
        first=0,
        last=1,
    )
    target = loader.make(0).targets[0]
    assert target.soft_score.tolist() == [0.5, 0.25]
    assert len(target.boxes) == 1
    assert torch.allclose(target.soft_boxes[0], target.boxes[0], atol=0.02)
    _, boxes, _ = sample(
        np.random.default_rng(1), loader._fetch, 0, np.array([0]), 64, AugmentConfig(mosaic=1.0, flip=1.0)
    )
    assert boxes.soft.sum() == 2 * (~boxes.soft).sum()
    with pytest.raises(ConfigError, match="holds no soft labels"):
        np.savez(tmp_path / "wrong.npz", a=[1])
        add_soft_labels(data, tmp_path / "wrong.npz")


def test_it_learns_from_boxes(squares: Any, tmp_path: Path) -> None:
    data, pixels, folder = squares
    config = TrainConfig(
        model=Model(head="pan", width=0.25, resolution=64, strides=(8, 16, 32), neck_width=16, head_depth=1),
        optimise=Optimise(epochs=20.0, batch=6, lr=3e-3, warmup=4, ema=0.9),
        seed=3,
    )
    losses = []
    train(config, data, pixels, tmp_path, folder=folder, host=Host(), on_step=lambda p: losses.append(p.loss))
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])


def test_a_resumed_training_with_a_teacher_is_the_same(squares: Any, tmp_path: Path) -> None:
    data, pixels, folder = squares
    first = tmp_path / "hswish.pt"
    torch.manual_seed(2)
    start = PanDetector(replace(TABLE, act="hswish"))
    save_checkpoint(first, architecture=start.config.to_dict(), recipe={}, step=0, ema=start.state_dict())
    config = TrainConfig(
        model=Model(
            head="pan", width=0.25, resolution=64, strides=(8, 16, 32), neck_width=16, head_depth=1,
            teacher=str(teacher(tmp_path)), start="checkpoint", weights=str(first), act_finest="relu",
        ),
        data=Data(dev=4),
        augment=Augment(sizes=(64, 128)),
        optimise=Optimise(
            epochs=5.0, batch=4, lr=3e-3, warmup=4, ema=0.9, mimic=0.1, backbone_lr=0.5, start_share=0.3
        ),
        seed=3,
    )  # fmt: skip
    whole = train(config, data, pixels, tmp_path / "whole", folder=folder, host=Host())
    train(config, data, pixels, tmp_path / "cut", folder=folder, host=Host(), stop_after=9)
    resumed = train(config, data, pixels, tmp_path / "cut", folder=folder, host=Host())
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    loaded, _ = load_checkpoint(tmp_path / "cut/final.pt")
    x = torch.rand(1, 3, 64, 64)
    assert torch.allclose(loaded(x)[0], whole.eval()(x)[0], atol=1e-5)
    assert (loaded.config.act, loaded.config.act_finest) == ("hswish", "relu")


def test_batches_of_several_sizes_teach_one_network(squares: Any, tmp_path: Path) -> None:
    data, pixels, folder = squares
    model = Model(head="pan", width=0.25, resolution=64, strides=(8, 16, 32), neck_width=16, head_depth=1)
    config = TrainConfig(
        model=model, augment=Augment(sizes=(64, 128)), optimise=Optimise(epochs=4.0, batch=6), seed=3
    )
    loader = Loader(data, pixels, list(range(18)), config, 64, first=0, last=12)
    assert {loader.make(step).pictures.shape[1] for step in range(12)} == {64, 128}
    made = train(config, data, pixels, tmp_path / "run", folder=folder, host=Host())
    assert made(torch.rand(1, 3, 64, 64))[0].shape[1] == len(made.points) == 8 * 8 + 4 * 4 + 2 * 2 + 1
    for head, sizes in (("pan", (64, 80)), ("ssd", (64,))):
        other = msgspec.structs.replace(
            config,
            model=msgspec.structs.replace(model, head=head, strides=(16, 32)),
            augment=Augment(sizes=sizes),
        )
        with pytest.raises(ConfigError, match=f"sizes = {re.escape(str(list(sizes)))}"):
            train(other, data, pixels, tmp_path / head, folder=folder, host=Host())


def test_blended_samples_have_no_labels_and_end_with_the_mosaics(squares: Any) -> None:
    data, pixels, _ = squares
    plain = TrainConfig(augment=Augment(mosaic=0.0, calm=0.5), optimise=Optimise(batch=6), seed=3)
    blended = msgspec.structs.replace(plain, augment=Augment(mosaic=0.0, calm=0.5, blend=0.5))
    without, mixed = (Loader(data, pixels, list(range(18)), c, 64, first=0, last=4) for c in (plain, blended))
    seen = {"blended": 0, "as it was": 0}
    for step in range(4):
        before, after = without.make(step), mixed.make(step)
        for i, target in enumerate(after.targets):
            picture, below = before.pictures[i].int(), before.pictures[(i + 1) % 6].int()
            if torch.equal(after.pictures[i], before.pictures[i]):
                assert torch.equal(target.boxes, before.targets[i].boxes)
                assert torch.equal(target.exhaustive, before.targets[i].exhaustive)
                seen["as it was"] += 1
                continue
            assert step < 2  # the calm half has none
            seen["blended"] += 1
            assert not len(target.boxes)
            assert not target.exhaustive.any()
            assert target.soft_boxes is None
            far = picture != below
            share = ((after.pictures[i].int() - below)[far] / (picture - below)[far]).median()
            assert 0.45 < share < 0.95
    assert min(seen.values()) > 3


def test_a_teacher_that_sees_twice_the_side_answers_for_a_small_student(squares: Any, tmp_path: Path) -> None:
    torch.manual_seed(4)
    large = PanDetector(replace(TABLE, resolution=128)).eval()
    student = without_extra_level(large, 64)
    with pytest.raises(ConfigError, match="other cells than its student"):
        Teacher(large, LABELS, PanDetector(TABLE), scale=2)
    pictures = torch.randint(0, 256, (2, 128, 128, 3), dtype=torch.uint8)
    answer, maps = Teacher(large, LABELS, student, scale=2)(pictures)
    _, sides, _ = large.answer(pictures)
    assert answer.scores.shape == (2, 8 * 8 + 4 * 4 + 2 * 2, 2)
    assert torch.equal(answer.boxes, large.pixel_boxes(sides)[:, 16 * 16 : 16 * 16 + 84] / 2)
    # the same distances, counted in strides, are the same boxes in the student's pixels
    assert torch.allclose(student.pixel_boxes(answer.sides), answer.boxes, atol=1e-4)
    assert not maps

    data, pixels, folder = squares
    path = teacher(tmp_path)
    config = TrainConfig(
        model=Model(
            head="pan", width=0.25, resolution=64, strides=(8, 16, 32), neck_width=16, head_depth=1,
            extra_level=False, teacher=str(path), teacher_scale=2,
        ),
        optimise=Optimise(epochs=4.0, batch=6, lr=3e-3, warmup=4, ema=0.9), seed=3,
    )  # fmt: skip
    made = train(config, data, pixels, tmp_path / "run", folder=folder, host=Host())
    assert isinstance(made, PanDetector)
    assert (made.strides, len(made.points)) == ((8, 16, 32), 84)
    alone = msgspec.structs.replace(config, model=msgspec.structs.replace(config.model, teacher=""))
    with pytest.raises(ConfigError, match="teacher_scale = 2: only a PAN detector with a teacher"):
        train(alone, data, pixels, tmp_path / "alone", folder=folder, host=Host())
    alone = msgspec.structs.replace(
        alone,
        model=msgspec.structs.replace(alone.model, teacher_scale=1),
        augment=Augment(blend=0.5),
    )
    with pytest.raises(ConfigError, match=r"blend = 0\.5: only a PAN detector with a teacher"):
        train(alone, data, pixels, tmp_path / "alone", folder=folder, host=Host())
    assert load_teacher(path, made, 2).scale == 2
