"""Ultralytics' streaming predict with its smallest model, YOLO26n, as its documentation writes the loop.

    python -m venv ultralytics && ultralytics/bin/pip install ultralytics    # 8.4.190, torch 2.13.0+cpu
    ultralytics/bin/python benchmarks/peers/ultralytics_stream.py --model 640 --pictures DIR

`--model` is the picture size: 640 (its default) or 320. Its weights are a download (yolo26n.pt); where
there is no network the network is built from the package's own yolo26n.yaml with random weights: the same
arithmetic, and nothing found, so nothing is drawn (which is in its favour). The model is end to end: no NMS
is needed. It cannot take edgecam's ONNX model: its outputs are not YOLO's.
"""

from __future__ import annotations

import sys
import types

import torch
import ultralytics
from harness import Camera, Watch, arguments, finish
from ultralytics import YOLO

try:
    import torchvision  # noqa: F401
except (
    ImportError,
    RuntimeError,
):  # its compiled operators do not fit this torch: Ultralytics' own NMS instead
    from ultralytics.utils.nms import TorchNMS

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    stand_in = types.ModuleType("torchvision")
    stand_in.ops = types.SimpleNamespace(nms=TorchNMS.nms)  # type: ignore[attr-defined]
    sys.modules["torchvision"] = stand_in

options = arguments()
model = YOLO("yolo26n.yaml")
camera, watch = Camera(options.pictures, options.rate), Watch(options.seconds)
while True:
    frame, number, captured = camera.read()
    found = 0
    for result in model.predict(frame, stream=True, verbose=False, device="cpu", imgsz=int(options.model)):
        result.plot()
        found = len(result.boxes)
    if watch.done(number, captured, found):
        break
finish(
    f"Ultralytics predict, YOLO26n {options.model}",
    watch,
    {"ultralytics": ultralytics.__version__, "torch": torch.__version__},
    "random weights",
)
