"""MediaPipe's object detector in live-stream mode: `detect_async`, and a callback that annotates.

    python -m venv mediapipe && mediapipe/bin/pip install mediapipe    # 1.2.2
    mediapipe/bin/python benchmarks/peers/mediapipe_live.py --model ssd-mediapipe.tflite --pictures DIR

The published models (EfficientDet-Lite0, SSD MobileNetV2) are downloads. Here it runs edgecam's own network
as TFLite (`to_tflite.py`, then `mediapipe_metadata.py`), which takes the model out of the comparison. As in
its guide: the main loop reads, converts to RGB and calls `detect_async`; MediaPipe drops what it cannot
keep up with; the result's callback draws.
"""

from __future__ import annotations

import threading
import time
from importlib.metadata import version

import cv2
import mediapipe as mp
import numpy as np
from harness import LABELS_SHOWN, Camera, Watch, arguments, draw, finish
from mediapipe.tasks.python import BaseOptions, vision

options = arguments()
camera, watch = Camera(options.pictures, options.rate), Watch(options.seconds)
waiting: dict[int, tuple[np.ndarray, int, float]] = {}
over = threading.Event()


def annotate(result, _image, timestamp_ms: int) -> None:
    frame, number, captured = waiting.pop(timestamp_ms)
    for old in [key for key in waiting if key < timestamp_ms]:
        del waiting[old]  # those it dropped
    boxes = np.array(
        [
            (
                d.bounding_box.origin_x,
                d.bounding_box.origin_y,
                d.bounding_box.origin_x + d.bounding_box.width,
                d.bounding_box.origin_y + d.bounding_box.height,
            )
            for d in result.detections
        ],
        np.float32,
    ).reshape(-1, 4)
    draw(
        frame,
        boxes,
        np.array([d.categories[0].score for d in result.detections]),
        np.array([d.categories[0].category_name for d in result.detections]),
    )
    if watch.done(number, captured, len(boxes)):
        over.set()


settings = vision.ObjectDetectorOptions(
    base_options=BaseOptions(model_asset_path=options.model),
    running_mode=vision.RunningMode.LIVE_STREAM,
    score_threshold=LABELS_SHOWN,
    result_callback=annotate,
)
with vision.ObjectDetector.create_from_options(settings) as detector:
    started = time.monotonic()
    last = -1
    while not over.is_set():
        frame, number, captured = camera.read()
        stamp = max(last + 1, int((time.monotonic() - started) * 1e3))
        last = stamp
        waiting[stamp] = (frame, number, captured)
        rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        detector.detect_async(mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb), stamp)
finish("MediaPipe live stream", watch, {"mediapipe": version("mediapipe"), "opencv": cv2.__version__})
