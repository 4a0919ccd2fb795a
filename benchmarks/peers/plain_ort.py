"""The plain OpenCV + ONNX Runtime loop of the tutorials: read, resize, run, threshold and NMS, draw; one
thread.

    python -m venv plain && plain/bin/pip install opencv-python onnxruntime    # 5.0.0.93, 1.31.1
    plain/bin/python benchmarks/peers/plain_ort.py --model models/X.onnx --pictures DIR

Takes the same ONNX model as edgecam. Session options are ONNX Runtime's defaults, as in every tutorial.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import onnxruntime as ort
from harness import Camera, Watch, arguments, draw, finish, pick

options = arguments()
session = ort.InferenceSession(options.model, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
height, width = session.get_inputs()[0].shape[1:3]
camera, watch = Camera(options.pictures, options.rate), Watch(options.seconds)
while True:
    frame, number, captured = camera.read()
    blob = cv2.resize(frame, (width, height))[None]
    boxes, scores = session.run(["boxes", "scores"], {name: blob})
    found = pick(boxes[0], scores[0], (frame.shape[1], frame.shape[0]))
    draw(frame, *found)
    if watch.done(number, captured, len(found[0])):
        break
versions = {"opencv": cv2.__version__, "onnxruntime": ort.__version__}
finish("OpenCV + ONNX Runtime loop", watch, versions, Path(options.model).name)
