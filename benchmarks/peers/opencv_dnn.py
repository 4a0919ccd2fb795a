"""OpenCV's own DNN module on the same ONNX model: `cv2.dnn.readNetFromONNX`, `setInput`, `forward`.

    python -m venv plain && plain/bin/pip install opencv-python    # 5.0.0.93
    plain/bin/python benchmarks/peers/opencv_dnn.py --model models/X.onnx --pictures DIR

Threads are OpenCV's defaults. The input's size is edgecam's default detector's.
"""

from __future__ import annotations

import cv2
from harness import Camera, Watch, arguments, draw, finish, pick

options = arguments()
net = cv2.dnn.readNetFromONNX(options.model)
camera, watch = Camera(options.pictures, options.rate), Watch(options.seconds)
size = (320, 320)
while True:
    frame, number, captured = camera.read()
    net.setInput(cv2.resize(frame, size)[None], "image")
    boxes, scores = net.forward(["boxes", "scores"])
    found = pick(boxes[0], scores[0], (frame.shape[1], frame.shape[0]))
    draw(frame, *found)
    if watch.done(number, captured, len(found[0])):
        break
finish("OpenCV DNN", watch, {"opencv": cv2.__version__})
