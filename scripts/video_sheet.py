"""Contact sheets of a detector on videos: ``python scripts/video_sheet.py VIDEO... -o FOLDER [--model
NAME]``.

Each sheet shows evenly spaced frames of one video at the card's thresholds; the frames between them are
tracked as well. The sheets are for inspection, not for a commit: the pictures are not ours.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from edgecam.app.models import LOW_RATIO
from edgecam.capture.open import open_source
from edgecam.core.types import Detections, Frame
from edgecam.inference.detector import OnnxDetector
from edgecam.nn.detection.evaluation.evaluate import PictureDetections
from edgecam.nn.detection.evaluation.pictures import TILE, draw
from edgecam.tracking.identities import SortTracker


def tile(frame: Frame, shown: Detections) -> np.ndarray:
    height, width = frame.image.shape[:2]
    relative = shown.xyxy / np.array([width, height, width, height], np.float32)
    one = PictureDetections(relative, shown.score, shown.class_id.astype(np.int64))
    return draw(frame.image, one, shown.labels, np.zeros(len(shown.labels), np.float32))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--frames", type=int, default=16)
    options = parser.parse_args()
    detector = OnnxDetector(options.model, threads=1, low_ratio=LOW_RATIO)
    options.output.mkdir(parents=True, exist_ok=True)
    for video in options.videos:
        with open_source(str(video)) as source:
            tracker = SortTracker(lambda: detector.thresholds, size_wh=source.size_wh)
            tiles = [tile(f, tracker.update(detector.detect(f), f.media_ns or 0)) for f in source]
        chosen = [tiles[i] for i in np.linspace(0, len(tiles) - 1, options.frames).round().astype(int)]
        chosen += [np.zeros((TILE[1], TILE[0], 3), np.uint8)] * (-len(chosen) % 4)
        sheet = np.vstack([np.hstack(chosen[i : i + 4]) for i in range(0, len(chosen), 4)])
        path = options.output / f"{video.stem}-{detector.name}.jpg"
        cv2.imwrite(str(path), sheet)
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
