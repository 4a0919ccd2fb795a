"""The LiteRT/TFLite loop of the well-known Raspberry Pi tutorials (TFLite_detection_webcam.py and its kin).

    python -m venv litert && litert/bin/pip install ai-edge-litert onnx opencv-python    # 2.3.0, 5.0.0.93
    edgecam train --recipe ssd-mobilenet-v1-300 --data DATA --out ssd --export ssd.onnx    # none ships now
    litert/bin/python benchmarks/peers/to_tflite.py ssd.onnx ssd.tflite
    litert/bin/python benchmarks/peers/litert_tutorial.py --model ssd.tflite --pictures DIR

As there: a thread reads the camera for ever and keeps the newest frame; the main loop takes whatever that
is, so it may look at the same frame twice (`repeats_per_s`), converts to RGB, resizes, casts, invokes,
draws. Threads are the interpreter's default unless `--threads`. The model has edgecam's own weights;
`tflite-runtime` has no wheel for this Python, `ai-edge-litert` is its successor.
"""

from __future__ import annotations

import threading
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from harness import LABELS_SHOWN, Camera, Watch, arguments, draw, finish


class VideoStream:
    """The tutorials' own class: `update` on a thread, `read` gives what is there."""

    def __init__(self, camera: Camera) -> None:
        self.camera, self.stopped = camera, False
        self.latest = camera.read()
        self.thread = threading.Thread(target=self.update, daemon=True)
        self.thread.start()

    def update(self) -> None:
        while not self.stopped:
            self.latest = self.camera.read()

    def read(self) -> tuple[np.ndarray, int, float]:
        return self.latest


options = arguments()
interpreter = Interpreter(options.model, num_threads=options.threads or None)
interpreter.allocate_tensors()
taken = interpreter.get_input_details()[0]
given = interpreter.get_output_details()
height, width = taken["shape"][1:3]
mean = np.load(Path(options.model).with_suffix(".mean.npy"))
stream = VideoStream(Camera(options.pictures, options.rate))
watch = Watch(options.seconds)
while True:
    frame1, number, captured = stream.read()
    frame = frame1.copy()
    resized = cv2.resize(frame, (width, height))
    data = np.float32(np.expand_dims(resized, axis=0)) - mean
    interpreter.set_tensor(taken["index"], data)
    interpreter.invoke()
    boxes = interpreter.get_tensor(given[0]["index"])[0]
    classes = interpreter.get_tensor(given[1]["index"])[0]
    scores = interpreter.get_tensor(given[2]["index"])[0]
    keep = scores > LABELS_SHOWN
    size = np.array([frame.shape[0], frame.shape[1]] * 2)
    yxyx = (boxes[keep] * size).clip(0, size)
    draw(frame, yxyx[:, [1, 0, 3, 2]], scores[keep], classes[keep].astype(int))
    if watch.done(number, captured, int(keep.sum())):
        break
stream.stopped = True
stream.thread.join(2)
finish(
    "LiteRT tutorial loop", watch, {"ai-edge-litert": version("ai-edge-litert"), "opencv": cv2.__version__}
)
