"""Prediction by a torch model or by an ONNX file (fp32 or int8), behind the same function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgecam.core.errors import ModelError
from edgecam.inference.models.card import METADATA_KEY, Card, card_from_json
from edgecam.inference.models.external import check_external
from edgecam.nn.detection.evaluation.evaluate import Predict
from edgecam.nn.export.onnx import UintInput
from edgecam.nn.networks.detector import DetectionNetwork
from edgecam.nn.networks.gfl_head import DecodingHead
from edgecam.nn.networks.ssd import SSD, fold_batch_norm


class Deployed(nn.Module):
    """A detector as it is exported, with everything but NMS inside: it takes uint8 BGR and returns ``boxes``
    and ``scores``. It takes over the model that it is given and changes its first layer."""

    def __init__(self, model: DetectionNetwork) -> None:
        super().__init__()
        if isinstance(model, SSD):
            stem = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
            self.entry: nn.Module = UintInput(stem=stem)
        else:
            fold_batch_norm(model)
            model.neck.deploy()
            self.entry = model.entry()
            self.head = DecodingHead(model.head, model.points, model.cell_strides, model.config.resolution)
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Turn an image (1, S, S, 3) uint8 into boxes (1, N, 4), relative xyxy, and scores (1, N, C)."""
        x = self.entry(image)
        if isinstance(self.model, SSD):
            return self.model.predictions(x)
        boxes, scores = self.head(self.model.neck(self.model.feature_maps(x)))
        return boxes, scores


def torch_predict(model: DetectionNetwork, device: str = "cpu") -> Predict:
    """Prediction by a torch model in float32. The model is left in evaluation mode."""
    model = model.to(device).eval()

    def predict(block: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.inference_mode():
            boxes, scores = model.predictions(model.network_input(torch.from_numpy(block).to(device)))
            return boxes.cpu().numpy(), scores.cpu().numpy()

    return predict


def onnx_predict(path: Path, threads: int = 1) -> tuple[Predict, Card]:
    """Prediction by an ONNX file that edgecam exported, and the file's card. Pictures are run one at a time.

    Raises :class:`ModelError` if the file does not run here, has no card, or is not a detector.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    check_external(path)
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"'{path}' is not an ONNX model that runs here ({error})") from error
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if not text:
        raise ModelError(f"'{path}' has no model card: export it with edgecam, or give a sidecar MODEL.toml")
    card = card_from_json(text)
    if card.task != "detection":
        raise ModelError(f"'{path}' is a {card.task} model, not a detector")

    def predict(block: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pairs = [session.run(["boxes", "scores"], {"image": one[None]}) for one in block]
        return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])

    return predict, card
