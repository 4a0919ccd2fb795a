"""What a picture, or a box in it, shows, by an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam.core.errors import ModelError
from edgecam.core.types import Classification, Image
from edgecam.inference.model_input import CardedModel, Input
from edgecam.inference.models import foreign
from edgecam.inference.models.card import Card
from edgecam.inference.models.store import describe, find_model
from edgecam.inference.preprocess import use_one_opencv_thread
from edgecam.inference.runtime.session import open_session

#: Part of a box's size added on each side before it is cut out: objects are learnt with some surroundings.
CROP_MARGIN = 0.1


def crop_of(image: Image, xyxy: NDArray[np.float32] | Sequence[float], margin: float, square: bool) -> Image:
    """The box's part of ``image`` with a margin, as a view; square where the picture leaves room for it.

    A box outside the picture gives the nearest single pixel rather than an error.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(value) for value in xyxy)
    half_w, half_h = (x2 - x1) * (0.5 + margin), (y2 - y1) * (0.5 + margin)
    if square:
        half_w = half_h = max(half_w, half_h)
    centre_x, centre_y = (x1 + x2) / 2, (y1 + y2) / 2
    left = min(max(int(centre_x - half_w), 0), width - 1)
    top = min(max(int(centre_y - half_h), 0), height - 1)
    right = min(max(int(np.ceil(centre_x + half_w)), left + 1), width)
    bottom = min(max(int(np.ceil(centre_y + half_h)), top + 1), height)
    return image[top:bottom, left:right]


class OnnxClassifier(CardedModel):
    """Implements :class:`edgecam.core.ports.Classifier` with ONNX Runtime.

    path_or_name: a file, a model's name, or a role (``default``, ``small``). top_k: classes returned at most.
    score: classes below it are left out (0 keeps all of the ``top_k``).
    Other arguments, errors and threads as in :class:`edgecam.inference.detector.OnnxDetector`.
    """

    def __init__(
        self,
        path_or_name: str | Path = "default",
        *,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
        top_k: int = 3,
        score: float = 0.0,
        crop_margin: float = CROP_MARGIN,
        card: Card | None = None,
    ) -> None:
        path = find_model(path_or_name, "classification") if card is None else Path(path_or_name)
        self.card, sidecar = describe(path) if card is None else (card, None)
        self._top_k = max(1, min(top_k, len(self.card.labels)))
        self._score = score
        self._margin = crop_margin
        quantized = self.card.precision == "int8"
        self.session = open_session(path, threads, providers, quantized=quantized)
        self._input = Input(self.session, self.card, sidecar)
        self._size_wh = self._input.size_wh
        use_one_opencv_thread()
        self._sidecar = sidecar
        if sidecar is None:
            there = [spec.name for spec in self.session.outputs]
            if "probabilities" not in there:
                raise ModelError(
                    f"model {path} has no output 'probabilities' (it has {', '.join(there)}): "
                    "a classifier gives probabilities (1, C)"
                )
            names = ["probabilities"]
        else:
            names = foreign.output_names(sidecar.output, self.session.outputs, path)
        self._bound = self.session.bind(self._input.buffer, names)
        found = self._run().shape
        if found != (len(self.labels),):
            raise ModelError(
                f"model {path} gives {found[0]} classes, but its card has {len(self.labels)} labels"
            )

    def _run(self) -> NDArray[np.float32]:
        self._input.normalise()
        values: NDArray[np.float32] = self._bound.run()[0].reshape(-1)
        if self._sidecar is not None:
            output = self._sidecar.output
            values = foreign.activate(values.astype(np.float32), output.activation)
            if output.background is not None:
                values = np.delete(values, output.background)
        return values

    def classify(
        self, image: Image, xyxy: NDArray[np.float32] | Sequence[float] | None = None
    ) -> tuple[Classification, ...]:
        """The best classes of ``image`` (H, W, 3) uint8 BGR, or of its box ``xyxy`` (4,) pixels, best first.

        Raises ModelError if the runtime fails.
        """
        if xyxy is not None:
            image = crop_of(image, xyxy, self._margin, square=self.card.resize != "stretch")
        self._input.resizer.picture(image)
        values = self._run()
        best = np.argpartition(-values, self._top_k - 1)[: self._top_k]
        best = best[np.argsort(-values[best], kind="stable")]
        return tuple(
            Classification(self.labels[i], int(i), float(values[i])) for i in best if values[i] >= self._score
        )
