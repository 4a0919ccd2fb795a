"""Window, SIGHUP and Control change live settings at once: for a test, and for ``benchmarks/changes.py``."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from edgecam.app.app import App
from edgecam.app.controls import Controls
from edgecam.config import Config, load
from edgecam.config.live import LIVE
from edgecam.inference.detector import OnnxDetector

ENDLESS = "synthetic:?size=320x240&live=1"
THREADS = 3
LIMIT_S = 600.0


def config(**settings: object) -> Config:
    return load({"source": [ENDLESS], "classify": "off", "threads": 1, **settings}, environment={})


def everybody_changes(app: App, window: Controls, folder: Path, changes: int) -> None:
    """``changes`` by three threads, each in an order of its own; raises what went wrong in one."""
    assert app.models.detector is not None
    labels = [label for label in app.models.detector.labels if label != "???"][:20]
    problems: list[BaseException] = []

    def change(seed: int) -> None:
        random = np.random.default_rng(seed)
        file = folder / f"{seed}.toml"
        try:
            for _ in range(changes // THREADS):
                which, value = random.integers(5), float(random.integers(1, 95)) / 100
                names = sorted({*random.choice(labels, 3).tolist()})
                if which == 0:
                    assert not window.change(score=value).refused
                elif which == 1:
                    assert not window.change(classes=tuple(names)).refused
                elif which == 2:
                    assert not app.control.change(score=value, classes=names, max_watts=value * 10).refused
                elif which == 3:
                    assert app.control.change(score=7).refused
                else:
                    file.write_text(f"score = {value}\nmax_temp = {40 + 50 * value}\n")
                    app.control.reload(config(config=str(file)), set(LIVE))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=change, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    if problems:
        raise problems[0]


def agree(app: App, window: Controls) -> None:
    """What the settings say, the state tells, the window shows and the detector does is one thing."""
    settings, state, detector = app.config, window.state(), app.models.detector
    assert isinstance(detector, OnnxDetector) and state.detector is not None
    lowest = float(detector.thresholds.min())
    score = (
        settings.score
        if settings.score is not None
        else lowest
        if lowest < 2
        else detector.card.score_threshold
    )
    assert score == state.detector.score == detector.least_score
    on = {label for label, least in zip(detector.labels, detector.thresholds, strict=True) if least < 2}
    assert on == state.detector.enabled
    assert on == set(settings.classes) or not settings.classes
    if settings.score is not None:
        assert {float(t) for t in detector.thresholds if t < 2} == {float(np.float32(score))}
    assert {name: getattr(settings, name) for name in LIVE} == dict(state.settings)
