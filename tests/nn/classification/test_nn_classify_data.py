"""Classification data: reading, splitting, varying."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecam.core.errors import ConfigError
from edgecam.nn.classification.data import (
    NONE_OF_THEM,
    augment,
    class_counts,
    load_pictures,
    plain,
    read_coco_classes,
    read_folders,
    read_outliers,
    split,
)

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def draw(path: Path, value: int = 128) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((40, 60, 3), value, np.uint8))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for label, count in (("zebra", 10), ("ant", 7), ("bee", 1)):
        for number in range(count):
            draw(tmp_path / label / f"{number:02d}.png")
    (tmp_path / "ant" / "notes.txt").write_text("not a picture")
    return tmp_path


def test_a_folder_per_class(folders: Path) -> None:
    data = read_folders(folders)
    assert data.labels == ("ant", "bee", "zebra")
    assert class_counts(data) == {"ant": 7, "bee": 1, "zebra": 10}
    assert all(data.labels[t] == f.parent.name for f, t in zip(data.files, data.targets, strict=True))


def test_one_class_is_no_classifier(tmp_path: Path) -> None:
    draw(tmp_path / "only" / "1.png")
    with pytest.raises(ConfigError, match="a classifier needs two"):
        read_folders(tmp_path)


def test_the_split_is_disjoint_per_class_and_stable(folders: Path) -> None:
    data = read_folders(folders)
    train, held = split(data, 0.2, seed=0)
    assert not set(train.files) & set(held.files)
    assert set(train.files) | set(held.files) == set(data.files)
    assert class_counts(held) == {"ant": 1, "bee": 0, "zebra": 2}
    assert split(data, 0.2, seed=0)[1].files == held.files
    assert {split(data, 0.2, seed=s)[1].files for s in range(5)} != {held.files}
    for number in range(3):
        draw(folders / "ant" / f"new{number}.png")
    more = split(read_folders(folders), 0.2, seed=0)[1]
    assert {f for f in held.files if f.parent.name == "zebra"} <= set(more.files)


def test_coco_classes_are_joined_and_outliers_drawn(tmp_path: Path) -> None:
    images, annotations = [], []
    names = ["Faces", "Faces_easy", "BACKGROUND_Google", "water_lilly", None, None]
    for number, name in enumerate(names):
        draw(tmp_path / "images" / f"{number}.png", value=number)
        images.append({"id": number, "file_name": f"{number}.png"} | ({"class": name} if name else {}))
    box = {"image_id": 4, "category_id": 17, "bbox": [0, 0, 55, 40], "iscrowd": 0}
    annotations = [
        box | {"id": 0, "bbox": [0, 0, 50.5, 48.0]},
        box | {"id": 1, "bbox": [0, 0, 20, 20]},  # too small
        box | {"id": 2, "iscrowd": 1, "bbox": [0, 0, 50, 50]},
        box | {"id": 3, "category_id": 1, "bbox": [0, 0, 60, 60]},  # a portrait may be a face
        box | {"id": 4, "image_id": 0, "bbox": [0, 0, 50, 50]},  # on a labelled picture
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 17, "name": "cat"}]
    file = tmp_path / "train.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    data, outliers = read_coco_classes(file, tmp_path / "images", outliers=10)
    assert data.labels == ("face", "water lily")
    assert list(data.targets) == [0, 0, 1]
    assert list(outliers.targets) == [NONE_OF_THEM]
    assert outliers.boxes == ((0, 0, 51, 48),)
    alone = read_outliers(file, tmp_path / "images", 10)
    assert (alone.files, alone.boxes, alone.labels) == (outliers.files, outliers.boxes, ())
    (crop,) = load_pictures(outliers)
    assert crop.shape == (40, 51, 3)
    assert crop.mean() == 4


def test_a_torn_picture_is_named(folders: Path) -> None:
    (folders / "ant" / "00.png").write_bytes(b"torn")
    with pytest.raises(ConfigError, match=r"ant/00\.png"):
        load_pictures(read_folders(folders))


def test_variations_repeat_for_the_same_key_only() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    one = augment(image, 32, (0, 1, 2))
    assert one.shape == (32, 32, 3)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, augment(image, 32, (0, 1, 2)))
    assert any((one != augment(image, 32, key)).any() for key in ((1, 1, 2), (0, 2, 2), (0, 1, 3)))


def test_a_variation_keeps_what_the_picture_shows() -> None:
    """Mean colours stay near on average: nothing is swapped between the channels, nothing is blacked out."""
    image = np.zeros((60, 60, 3), np.uint8)
    image[...] = (200, 100, 30)
    mean = np.mean([augment(image, 24, (0, 0, i)).reshape(-1, 3).mean(0) for i in range(200)], axis=0)
    assert mean[0] > mean[1] + 30 > mean[2] + 60
    np.testing.assert_array_equal(plain(image, 24), np.broadcast_to(image[0, 0], (24, 24, 3)))


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_shared_data_has_the_classes_it_is_said_to_have() -> None:
    data, outliers = read_coco_classes(SHARED / "train.json", SHARED / "images", outliers=50)
    counts = class_counts(data)
    assert len(data) == 11_686
    assert counts["face"] == 199 + 223
    assert {"tench", "English springer", "parachute", "water lily"} <= counts.keys()
    assert not any("_" in label for label in data.labels)
    assert len(outliers) == 50
