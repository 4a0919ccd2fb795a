"""Screenshots of the window at several sizes, with one source and with five, at each level of the overlay.

    QT_QPA_PLATFORM=offscreen PYTHONPATH=. python scripts/screenshots.py FOLDER [PICTURE ...]

The default detector finds the objects in `demo:` and in the pictures given; the rates are made up. Each
window is the program's own; nothing is drawn by hand. `sheet-WIDTHxHEIGHT.png` shows all screenshots of one
size, for inspection.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication

from edgecam.capture.generated.demo import DemoSource
from edgecam.core.clock import now_ns
from edgecam.core.control import Changes
from edgecam.core.state import ModelState, RecorderState, SourceState, State
from edgecam.core.types import BoardHealth, Frame, Latency, PowerReading, Result, Stats
from edgecam.inference.detector import OnnxDetector
from edgecam.overlay.style import LEVELS, Style
from edgecam.ui.controller import WindowOptions
from edgecam.ui.window import CameraWindow

SIZES = ((320, 240), (480, 320), (800, 480), (1280, 800), (3840, 2160))
LOST = "camera lost, retrying in 4 s"
#: Widths of a sheet and of one picture on it, in pixels.
SHEET, TILE = 1920, 960
STATS = Stats(
    capture_fps=29.9, inference_fps=14.6, display_fps=29.8, frame_age=Latency(48.0, 71.0),
    display_age=Latency(61.0, 88.0), inference=Latency(38.0, 44.0), model="pan-mobilenet-v1-320-int8",
    power=PowerReading(5.42, "estimated", "Raspberry Pi 5", 0), mj_per_frame=247.0,
    health=BoardHealth(temperature_c=61.0, frequency_mhz=2400.0, cpu_percent=74.0),
)  # fmt: skip


class Canned:
    """Takes the place of the program, with results that never change."""

    def __init__(self, results: list[Result], level: str, wrong: tuple[str, ...], labels: tuple[str, ...]):
        self.kept, self.level, self.wrong, self.labels = tuple(results), level, wrong, labels

    def results(self) -> tuple[Result | None, ...]:
        return self.kept

    def state(self) -> State:
        names = [r.frame.source for r in self.kept]
        return State(
            0,
            stats=STATS,
            sources=tuple(
                SourceState(n, notice=w, stats=STATS) for n, w in zip(names, self.wrong, strict=False)
            ),
            recorders=(RecorderState("0", True, days_left=12.0),),
            models=(
                ModelState("detection", "m", labels=self.labels, enabled=frozenset(self.labels), score=0.5),
            ),
            settings={"overlay": self.level},
        )

    def change(self, **settings: object) -> Changes:
        return Changes(settings)

    def displayed(self, result: Result, at_ns: int) -> None:
        pass

    def finished(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return lambda *_: ""


def bgr(picture: QImage) -> np.ndarray[Any, Any]:
    flat = picture.convertToFormat(QImage.Format.Format_RGB32)
    bits = flat.constBits()
    assert bits is not None
    bits.setsize(flat.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(flat.height(), flat.bytesPerLine() // 4, 4)  # type: ignore[call-overload]
    return np.ascontiguousarray(rows[:, : flat.width(), :3])


def found_in(pictures: list[Path]) -> tuple[list[Result], Style, tuple[str, ...]]:
    detector = OnnxDetector("default")
    frames = []
    with DemoSource() as source:
        style = Style(keep_clear=((source.name, source.keep_clear),) if source.keep_clear else ())
        for _ in range(375):  # Grace Hopper, in the middle of her scene
            frame = source.read(1.0)
        assert frame is not None
        frames.append(frame)
    for path in pictures:
        picture = cv2.imread(str(path))
        assert picture is not None, path
        frames.append(Frame(picture, 0, now_ns(), path.stem))
    made = []
    for frame in frames:
        found = detector.detect(frame)
        made.append(Result(frame, found, completed_ns=frame.captured_ns + 40_000_000))
    return made, style, detector.labels


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", nargs="*", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    application = QApplication([sys.argv[0]])
    results, style, labels = found_in(options.pictures)
    five = (results * 5)[:5]
    for width, height in SIZES:
        tiles = []
        for shown, wrong in ((results[:1], ("",)), (five, ("", "", "", LOST, "ended"))):
            for level in (*LEVELS, "help", "touched"):
                canned = Canned(shown, level if level in LEVELS else "simple", wrong, labels)
                names = tuple(r.frame.source for r in shown)
                window = CameraWindow(
                    canned, WindowOptions(refresh_hz=10.0, style=style, sources=names, picture_wh=(1280, 720))
                )
                window.resize(width, height)
                window.show()
                window.tick()
                if level == "help":
                    window.toggle_help()
                elif level == "touched":
                    window._bar.wake()
                for _ in range(3):
                    application.processEvents()
                    window.tick()
                picture = bgr(window.grab().toImage())
                cv2.imwrite(str(options.folder / f"{width}x{height}-{len(shown)}-{level}.png"), picture)
                tiles.append(picture)
                window.close()
        scale = min(1.0, TILE / width)
        small = [cv2.resize(t, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for t in tiles]
        columns = max(1, SHEET // small[0].shape[1])
        small += [np.zeros_like(small[0])] * (-len(small) % columns)
        rows = [np.hstack(small[i : i + columns]) for i in range(0, len(small), columns)]
        cv2.imwrite(str(options.folder / f"sheet-{width}x{height}.png"), np.vstack(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
