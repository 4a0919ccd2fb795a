"""A supervision-based loop: ONNX Runtime for the model, supervision for detections, NMS, annotation.

    python -m venv supervision && supervision/bin/pip install supervision onnxruntime    # 0.31.2, 1.31.1
    supervision/bin/python benchmarks/peers/supervision_loop.py --model models/X.onnx --pictures DIR

Takes the same ONNX model. Without tracking: supervision 0.31 no longer has ByteTrack (it moved to
`trackers`), so it does less than edgecam here.
"""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import onnxruntime as ort
import supervision as sv
from harness import LABELS_SHOWN, Camera, Watch, arguments, finish

options = arguments()
warnings.simplefilter("ignore")
session = ort.InferenceSession(options.model, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
height, width = session.get_inputs()[0].shape[1:3]
boxer, labeller = sv.BoxAnnotator(), sv.LabelAnnotator()
camera, watch = Camera(options.pictures, options.rate), Watch(options.seconds)
while True:
    frame, number, captured = camera.read()
    blob = cv2.resize(frame, (width, height))[None]
    boxes, scores = session.run(["boxes", "scores"], {name: blob})
    best = scores[0].argmax(axis=1)
    top = scores[0][np.arange(len(best)), best]
    keep = top > LABELS_SHOWN
    scale = np.array([frame.shape[1], frame.shape[0]] * 2, np.float32)
    found = sv.Detections(xyxy=boxes[0][keep] * scale, confidence=top[keep], class_id=best[keep])
    found = found.with_nms(0.5)
    frame = boxer.annotate(frame, found)
    labels = [f"{c} {s:.2f}" for c, s in zip(found.class_id, found.confidence, strict=True)]
    frame = labeller.annotate(frame, found, labels)
    if watch.done(number, captured, len(found)):
        break
finish(
    "supervision loop",
    watch,
    {"supervision": sv.__version__, "onnxruntime": ort.__version__, "opencv": cv2.__version__},
)
