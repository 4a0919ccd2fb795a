"""Data, augmentation, and a whole small training: it learns, and a resumed one equals an unbroken one."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type,index"

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgecam.core.errors import ConfigError, ModelError  # noqa: E402
from edgecam.nn.detection.augment import AugmentConfig, Boxes, sample  # noqa: E402
from edgecam.nn.detection.checkpoint import load_checkpoint, transfer  # noqa: E402
from edgecam.nn.detection.config import Augment, Data, Model, Optimise, TrainConfig, read_recipe  # noqa: E402
from edgecam.nn.detection.data import PixelCache, find_annotations, load_set  # noqa: E402
from edgecam.nn.detection.loader import Loader, split_dev  # noqa: E402
from edgecam.nn.detection.train import train  # noqa: E402
from edgecam.nn.training.host import Host  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]


def make_data(folder: Path, count: int = 24) -> Path:
    """Red and blue squares on grey, 96 px, as a COCO file."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(count):
        picture = np.full((96, 96, 3), 128, np.uint8)
        x, y = (int(v) for v in rng.integers(0, 60, 2))
        kind = i % 2
        picture[y : y + 36, x : x + 36] = (0, 0, 255) if kind else (255, 0, 0)
        cv2.imwrite(str(folder / f"images/{i}.png"), picture)
        images.append({"id": i + 1, "file_name": f"{i}.png", "width": 96, "height": 96})
        annotations.append(
            {"id": i + 1, "image_id": i + 1, "category_id": kind + 1, "bbox": [x, y, 36, 36], "iscrowd": 0}
        )
    annotations.append({"id": 99, "image_id": 1, "category_id": 1, "bbox": [1, 1, 20, 20], "iscrowd": 1})
    names = [{"id": 1, "name": "blue"}, {"id": 2, "name": "red"}]
    path = folder / "train.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": names}))
    return path


CONFIG = TrainConfig(
    model=Model(
        width=0.25,
        resolution=96,
        strides=(16,),
        extras=((16, 32),),
        predictor="pointwise",
        separable_extras=False,
    ),
    data=Data(dev=4),
    augment=Augment(mosaic=0.3),
    optimise=Optimise(epochs=6.0, batch=4, lr=3e-3, warmup=4, ema=0.9, distil=0.0),
    seed=3,
)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("squares")
    data = load_set(make_data(folder))
    return data, PixelCache(data, folder / "cache"), folder


def test_reading_coco(squares: Any) -> None:
    data, pixels, _ = squares
    assert data.labels == ("blue", "red")
    first = data.images[0]
    assert first.ignore.tolist() == [False, True]
    assert first.people.all()
    height, width = pixels[0].shape[:2]
    x1, y1, x2, y2 = (first.boxes[0] * [width, height, width, height]).round().astype(int)
    assert (pixels[0][y1:y2, x1:x2] == (255, 0, 0)).all()
    assert (
        len(load_set(find_annotations(first.path.parents[1], "train"), labels=["red"]).images[0].boxes) == 0
    )


def test_reading_voc(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/a.xml").write_text(
        "<annotation><filename>a.jpg</filename><size><width>100</width><height>50</height></size>"
        "<object><name>sofa</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>1</ymin>"
        "<xmax>50</xmax><ymax>50</ymax></bndbox></object></annotation>"
    )
    data = load_set(tmp_path)
    assert data.labels == ("couch",)
    assert data.images[0].boxes[0].tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0])
    assert data.images[0].ignore.tolist() == [True]


@pytest.mark.parametrize(
    ("content", "words"), [("{}", "not a COCO annotation file"), ("nonsense", "not a COCO annotation file")]
)
def test_bad_annotations_are_refused(tmp_path: Path, content: Any, words: Any) -> None:
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(ConfigError, match=words):
        load_set(tmp_path / "train.json")


def test_missing_picture_is_named(tmp_path: Path, squares: Any) -> None:
    data, _, folder = squares
    broken = load_set(folder / "train.json", images=tmp_path)
    with pytest.raises(ConfigError, match=r"cannot read the picture .*0\.png"):
        PixelCache(broken, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))
    assert data.images


def test_augmented_boxes_stay_on_their_objects(squares: Any) -> None:
    data, pixels, _ = squares

    def fetch(i: Any) -> Any:
        image = data.images[i]
        return pixels[i], Boxes(image.boxes, image.class_id, image.score, image.ignore, image.people)

    how = AugmentConfig(mosaic=0.4, crop=0.5, zoom_out=0.3, photometric=0.0)
    seen = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        picture, boxes, used = sample(rng, fetch, seed % 20 + 1, np.arange(1, 24), 96, how)
        assert picture.shape == (96, 96, 3)
        assert len(used) in (1, 4)
        assert boxes.xyxy.min(initial=0) >= 0
        assert boxes.xyxy.max(initial=0) <= 1.0001
        for box, class_id, ignore in zip(boxes.xyxy * 96, boxes.class_id, boxes.ignore, strict=True):
            if ignore:
                continue
            x1, y1, x2, y2 = box
            cx, cy = int((x1 + x2) / 2), int((y1 + y2) / 2)
            blue, _, red = picture[min(cy, 95), min(cx, 95)].astype(int)
            assert (red > blue) == (class_id == 1)
            seen += 1
    assert seen > 50


def test_batches_depend_on_seed_and_number_alone(squares: Any) -> None:
    data, pixels, _ = squares
    at = list(range(len(data.images)))
    one = Loader(data, pixels, at, CONFIG, 96, first=0, last=40)
    two = Loader(data, pixels, at, CONFIG, 96, first=7, last=40)
    a, b = one.make(9), two.make(9)
    assert torch.equal(a.pictures, b.pictures)
    assert not torch.equal(a.pictures, one.make(10).pictures)
    halves = [Loader(data, pixels, at, CONFIG, 96, first=0, last=40, rank=r, world=2).make(9) for r in (0, 1)]
    assert torch.equal(torch.stack([halves[0].pictures, halves[1].pictures], 1).flatten(0, 1), a.pictures)


def test_sources_are_drawn_by_weight(squares: Any) -> None:
    data, pixels, _ = squares
    config = TrainConfig(data=Data(weight={"": 2.0}), optimise=Optimise(batch=8))
    loader = Loader(data, pixels, list(range(24)), config, 96, first=0, last=1)
    assert loader.epoch == 48
    assert sorted(np.bincount(loader._order(0), minlength=24).tolist()) == [2] * 24


def test_held_out_pictures_are_not_trained_on(squares: Any) -> None:
    data, _, _ = squares
    train_set, dev, train_at, dev_at = split_dev(data, CONFIG)
    assert len(dev.images) == len(dev_at) == 4
    assert not set(train_at) & set(dev_at)
    assert len(train_set.images) + len(dev.images) == len(data.images)


def test_it_learns_and_a_resumed_training_is_the_same(squares: Any, tmp_path: Path) -> None:
    data, pixels, folder = squares
    losses = []
    host = Host()
    whole = train(
        CONFIG, data, pixels, tmp_path / "whole", folder=folder, host=host,
        on_step=lambda p: losses.append(p.loss),
    )  # fmt: skip
    assert len(losses) == 30
    assert max(losses[-5:]) < min(losses[:5])
    train(CONFIG, data, pixels, tmp_path / "cut", folder=folder, host=host, stop_after=17)
    resumed = train(CONFIG, data, pixels, tmp_path / "cut", folder=folder, host=host)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    loaded, content = load_checkpoint(tmp_path / "cut/last.pt")
    assert loaded.config == whole.config
    assert content["step"] == 30
    other = TrainConfig(seed=4)
    with pytest.raises(ConfigError, match="another recipe"):
        train(other, data, pixels, tmp_path / "cut", folder=folder, host=host)


def test_transfer_keeps_known_classes(squares: Any, tmp_path: Path) -> None:
    from edgecam.nn.networks.ssd import SSD, SSDConfig

    start = SSD(SSDConfig(labels=("a", "b"), width=0.25, resolution=96, extras=((16, 32),))).eval()
    made = transfer(start, ("b", "new")).eval()
    x = torch.randn(1, 3, 96, 96)
    before, after = start(x), made(x)
    assert torch.allclose(before[0][..., 1], after[0][..., 0], atol=1e-5)
    assert torch.allclose(before[1], after[1], atol=1e-5)
    assert float(torch.sigmoid(after[0][..., 1].detach()).max()) < 0.1


def test_recipes_are_readable_and_typos_named(tmp_path: Path) -> None:
    assert read_recipe("ssd-mobilenet-v1-300").model.start == "google-ssd"
    (tmp_path / "r.toml").write_text("[optimise]\nepoch_count = 3\n")
    with pytest.raises(ConfigError, match="epoch_count"):
        read_recipe(str(tmp_path / "r.toml"))
    with pytest.raises(ConfigError, match="custom"):
        read_recipe("nonsense")


def test_a_recipe_says_only_what_differs_from_its_base(tmp_path: Path) -> None:
    whole, derived = read_recipe("pan-mobilenet-v1-320-wide"), read_recipe("pan-mobilenet-v1-384")
    assert (derived.seed, derived.data, derived.model.head) == (whole.seed, whole.data, "pan")
    assert (derived.model.resolution, derived.optimise.copied) == (384, whole.optimise.copied)
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(f'base = "{two}"\n[data.weight]\nroom = 2.0\n')
    two.write_text("[data]\ndev = 7\n[data.weight]\nroom = 1.0\nstreet = 0.5\n")
    made = read_recipe(str(one)).data
    assert (made.dev, made.weight) == (7, {"room": 2.0, "street": 0.5})
    two.write_text("data = 3\n")
    assert read_recipe(str(one)).data.weight == {"room": 2.0}
    two.write_text(f'base = "{one}"\n')
    with pytest.raises(ConfigError, match="is based on itself"):
        read_recipe(str(one))
    two.write_text('base = "nonsense"\n')
    with pytest.raises(ConfigError, match="no recipe 'nonsense'"):
        read_recipe(str(one))
    two.write_text("base = 3\n")
    with pytest.raises(ConfigError, match="base is 3, not a recipe's name"):
        read_recipe(str(one))


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"no")
    with pytest.raises(ModelError, match="not a detection checkpoint"):
        load_checkpoint(tmp_path / "x.pt")


def test_rare_classes_are_drawn_oftener(squares: Any) -> None:
    from edgecam.nn.detection.loader import repeat_factors

    data, _, _ = squares
    rare = data.subset([0, 1, 3, 5, 7, 9])  # one blue, five red
    weights = np.ones(6)
    assert repeat_factors(rare, weights, 0.0, 5.0).tolist() == [1.0] * 6
    factors = repeat_factors(rare, weights, 0.5, 5.0)
    assert factors[0] == pytest.approx(np.sqrt(0.5 * 6))
    assert factors[1:].tolist() == [1.0] * 5
    assert repeat_factors(rare, weights, 0.5, 1.2)[0] == pytest.approx(1.2)


def test_another_resolution_keeps_the_anchors_size_in_pixels() -> None:
    from edgecam.nn.detection.checkpoint import resize
    from edgecam.nn.networks.ssd import SSD, SSDConfig

    start = SSD(SSDConfig(labels=("a",), width=0.25, resolution=160, extras=((16, 32), (16, 32))))
    made = resize(start, 96, 160 / 96, 1)
    assert made.config.resolution == 96
    assert torch.allclose(made.anchors[0, 2:] * 96, start.anchors[0, 2:] * 160)
    assert len(made.class_heads) == 3
    for key, value in made.state_dict().items():
        assert torch.equal(value, start.state_dict()[key])
    # the last map's in-between square is that of the whole table; the start has a fourth map, of 2x2 cells
    assert torch.allclose(made.anchors[-1, 2:] * 96, start.anchors[-1 - 6 * 4, 2:] * 160)


def test_the_result_is_blended_with_its_start(squares: Any, tmp_path: Path) -> None:
    import msgspec

    from edgecam.nn.detection.checkpoint import build_model

    data, pixels, folder = squares
    optimise = msgspec.structs.replace(CONFIG.optimise, epochs=0.6)
    plain = msgspec.structs.replace(CONFIG, optimise=optimise)
    blended = msgspec.structs.replace(plain, optimise=msgspec.structs.replace(optimise, start_share=0.25))
    a = train(plain, data, pixels, tmp_path / "a", folder=folder, host=Host()).state_dict()
    b = train(blended, data, pixels, tmp_path / "b", folder=folder, host=Host()).state_dict()
    start = build_model(plain, data.labels, folder).state_dict()
    for key in (k for k in a if a[k].is_floating_point()):
        assert torch.allclose(b[key], 0.75 * a[key] + 0.25 * start[key], atol=1e-6), key
    final = load_checkpoint(tmp_path / "b/final.pt")[0].state_dict()
    assert all(torch.equal(final[k], b[k]) for k in b)


def test_cooldown_cuts_the_schedule_short() -> None:
    from edgecam.nn.detection.train import learning_rate

    config = TrainConfig(optimise=Optimise(lr=1.0, warmup=10, final_lr=0.0, cooldown=(40, 60)))
    rates = [learning_rate(s, 100, config) for s in range(61)]
    assert rates[9] == pytest.approx(1.0)
    assert rates[40] == pytest.approx(rates[39])
    assert rates[50] == pytest.approx(rates[39] / 2)
    assert rates[60] == 0.0
