"""The pictures of the recipes: each runs the recipe's own commands on a film that may be copied."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import films
import numpy as np
from shots import (
    ROOT,
    answers,
    browser_page,
    edgecam,
    free_port,
    moment,
    running,
    save,
    screen,
    screen_shot,
    shot,
    terminal,
    until,
)
from stage import Picture, film, ground, put

#: A camera that sees nothing, so that no events but the film's are there.
NOTHING = "synthetic:?live=1&objects=0&size=640x360&rate=5"
QUIET = ("--display", "none", "--tune", "off")
DOOR = """\
[[zone]]
name = "door"
points = [[0.28, 0.45], [0.66, 0.45], [0.66, 0.98], [0.28, 0.98]]

[[rule]]
name = "someone-at-the-door"
on = ["person@door"]
loitering = 3
cooldown = 60
record = true
snapshot = true
"""
DRIVE = """\
[[zone]]
name = "drive"
points = [[0.3, 0.5], [0.9, 0.5], [0.9, 0.95], [0.3, 0.95]]

[[rule]]
name = "car-moves"
on = ["car@drive"]
stationary = "moving"
record = true
"""
SIDECAR = """\
labels = "coco80"
licence = "Apache-2.0"

[input]
layout = "NHWC"
color = "BGR"
mean = [0, 0, 0]
std = [1, 1, 1]
resize = "stretch"

[output]
format = "boxes_scores"
box_format = "xyxy"
box_units = "normalised"
"""


def _clip(folder: Path) -> Path:
    """The only clip there."""
    (found,) = folder.glob("*.mp4")
    return found


def _small(picture: Picture, width: int = 800) -> Picture:
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _page(
    folder: Path,
    source: str,
    place: str,
    *more: str,
    ready: str,
    script: str = "",
    after_s: float = 0.0,
    part: str = "",
) -> Picture:
    """A place of the page while edgecam runs, once ``ready`` (a CSS selector) is there."""
    port = free_port()
    home = f"http://127.0.0.1:{port}"
    with running(folder, "--source", source, *QUIET, "--web", str(port), *more):
        until("the page", lambda: answers(f"{home}/"))
        time.sleep(after_s)
        with browser_page(1180, 760) as page:
            page.goto(f"{home}/#/{place}")
            page.wait_for_selector(ready, timeout=120_000)
            if script:
                page.evaluate(script)
            page.wait_for_timeout(2500)
            return shot(page, part)


def doorbell(folder: Path) -> None:
    film(folder / "front.mp4", films.at_the_door, 15)
    (folder / "doorbell.toml").write_text(DOOR)
    settings = ("--config", "doorbell.toml", "--record", "clips")
    edgecam(folder, "--source", "front.mp4", *QUIET, *settings)
    told = edgecam(folder, "events", "list", "--dir", "clips", "--rule", "someone-at-the-door", "--json")
    place = f"events/{json.loads(told.splitlines()[0])['id']}"
    save("recipes/doorbell", _page(folder, NOTHING, place, *settings, ready="dialog", part="dialog"))


def bird_feeder(folder: Path) -> None:
    film(folder / "garden.mp4", films.at_the_feeder, 18)
    zone = ("--zone", "feeder=0.3,0.3 0.7,0.3 0.7,0.8 0.3,0.8")
    asked = ("--classes", "bird", *zone, "--record", "clips", "--record-on", "bird@feeder")
    edgecam(folder, "--source", "garden.mp4", *QUIET, *asked, "--pre", "3s", "--post", "5s")
    save("recipes/bird-feeder", _small(moment(_clip(folder / "clips"), 5.5)))


def people_counter(folder: Path) -> None:
    film(folder / "street.mp4", films.through_the_gate, 16)
    asked = ("--classes", "people", "--line", "gate=0.5,0.95 0.5,0.5", "--record", "clips")
    edgecam(folder, "--source", "street.mp4", *QUIET, *asked)
    save("recipes/people-counter", _small(moment(_clip(folder / "clips"), 13.0)))


def parked_car(folder: Path) -> None:
    film(folder / "front.mp4", films.parked_car, 18)
    (folder / "edgecam.toml").write_text(DRIVE)
    settings = ("--config", "edgecam.toml", "--record", "clips", "--loop")
    save("recipes/parked-car", _page(folder, "front.mp4", "zones", *settings, ready="path.shape", after_s=4))


def wall_screen(folder: Path) -> None:
    with screen(1280, 720) as display:
        asked = ("--source", "demo:?live=1", "--display", "fullscreen", "--overlay", "full", "--tune", "off")
        with running(folder, *asked, DISPLAY=display, WAYLAND_DISPLAY="", QT_QPA_PLATFORM="xcb"):
            until("the window", lambda: screen_shot(display).mean() > 5)
            time.sleep(9)
            save("recipes/wall-screen", _small(screen_shot(display)))


def night_recorder(folder: Path) -> None:
    film(folder / "yard.mp4", films.night, 40)
    # pieces of eight seconds instead of ten minutes, for a film of forty
    kept = ("--keep-days", "7", "--keep-free", "1", "--stamp", "--gate", "motion")
    asked = ("--record", "clips", "--record-view", "clean", "--segment", "8s", *kept)
    edgecam(folder, "--source", "yard.mp4", *QUIET, *asked)
    again = (*asked, "--segment", "10m", "--loop")
    clips = '[...document.querySelectorAll("button")].find(b => b.textContent.trim() == "Clips").click()'
    shown = _page(folder, "yard.mp4", "events", *again, ready=".page-head button", script=clips)
    save("recipes/night-recorder", shown)


def time_lapse(folder: Path) -> None:
    film(folder / "site.mp4", films.building_site, 12)
    asked = ("--detector", "off", "--record", "day", "--record-rate", "1")
    edgecam(folder, "--source", "site.mp4", *QUIET, *asked)
    sheet = cv2.imread(str(next((folder / "day").glob("*.jpg"))))
    assert sheet is not None
    save("recipes/time-lapse", _small(np.asarray(sheet, np.uint8)))


def own_model(folder: Path) -> None:
    import onnx

    model = onnx.load(str(ROOT / "models" / "pan-mobilenet-v1-320.onnx"))
    del model.metadata_props[:]
    onnx.save(model, str(folder / "mine.onnx"))
    photo = cv2.imread(str(ROOT / "edgecam/capture/generated/photographs/chelsea.jpg"))
    assert photo is not None
    cv2.imwrite(str(folder / "photo.jpg"), photo)
    refused = edgecam(folder, "try", "photo.jpg", "--detector", "mine.onnx", check=False)
    refused = refused.replace(f"{ROOT}/", "")  # wherever this checkout lies
    (folder / "mine.toml").write_text(SIDECAR)
    seen = edgecam(folder, "try", "photo.jpg", "--detector", "mine.onnx", "--terminal", "blocks")
    command = "edgecam try photo.jpg --detector mine.onnx"
    save("recipes/own-model", terminal((command, refused), ("cat mine.toml", SIDECAR), (command, seen)))


def _labelled(folder: Path, name: str, count: int, seed: int) -> None:
    """Pictures of a toy car among other things, with their boxes in COCO's format."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, object]] = []
    boxes: list[dict[str, object]] = []
    for number in range(count):
        floor = ("grass.jpg", "gravel.jpg")[number % 2]
        light = tuple(int(v) for v in rng.integers(70, 190, 3))
        stage = ground("brick.jpg", light, floor, light, int(rng.integers(60, 420)))
        for other in rng.choice(["blackbird.png", "lark.png", "walker.png", "sedan.png"], 2):
            put(stage, str(other), (rng.uniform(0, 1280), rng.uniform(300, 720)), int(rng.integers(120, 330)))
        height = int(rng.integers(90, 300))
        x, y = float(rng.uniform(200, 1080)), float(rng.uniform(height + 20, 700))
        put(stage, "beetle.png", (x, y), height, mirrored=bool(number % 3))
        half = height * 120 / 52 / 2
        cv2.imwrite(str(folder / "images" / f"{name}{number}.jpg"), cv2.resize(stage, (640, 360)))
        images.append({"id": number, "file_name": f"{name}{number}.jpg", "width": 640, "height": 360})
        box = [(x - half) / 2, (y - height) / 2, half, height / 2]
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": box, "iscrowd": 0,
                      "area": box[2] * box[3]})  # fmt: skip
    kinds = [{"id": 1, "name": "toy car"}]
    text = json.dumps({"images": images, "annotations": boxes, "categories": kinds})
    (folder / f"{name}.json").write_text(text)


def own_detector(folder: Path) -> None:
    _labelled(folder / "toys", "train", 120, 1)
    _labelled(folder / "toys", "val", 24, 2)
    start = ("--from", str(ROOT / "models/pan-mobilenet-v1-320.onnx"), "--resolution", "320")
    asked = ("--data", "toys", *start, "--out", "runs/toys", "--export", "toys.onnx")
    edgecam(folder, "train", *asked, "--epochs", "8", "--no-tensorboard")
    steps = sorted((folder / "runs/toys").glob("step-*.jpg"), key=lambda p: int(p.stem.split("-")[1]))
    pictures = [cv2.imread(str(steps[n])) for n in (0, -1)]
    row = [np.asarray(p, np.uint8)[: p.shape[0] // 4] for p in pictures if p is not None]
    save("recipes/own-detector", _small(np.vstack(row), 1200))


RECIPES: dict[str, Callable[[Path], None]] = {
    "doorbell": doorbell,
    "bird-feeder": bird_feeder,
    "people-counter": people_counter,
    "parked-car": parked_car,
    "wall-screen": wall_screen,
    "night-recorder": night_recorder,
    "time-lapse": time_lapse,
    "own-model": own_model,
    "own-detector": own_detector,
}
