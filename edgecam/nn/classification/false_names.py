"""How often a classifier names what it was never taught."""

from __future__ import annotations

from pathlib import Path

from edgecam.core.progress import Progress, silent
from edgecam.nn.classification.data import load_pictures, read_outliers
from edgecam.nn.classification.evaluate import onnx_predictor

#: From this probability on the app shows the class of a crop (its ``--classify-score``).
SURE = 0.9
#: Crops of other things that a new classifier is tried on.
STRANGE_CROPS = 400


def false_names(path: Path, data: Path, progress: Progress = silent) -> dict[str, float]:
    """Of crops that show none of the classes, the share that gets a name: per cent, at :data:`SURE`.

    They come from ``val.json``, which nothing is trained on; empty where there is no such file.
    """
    annotations = data / "val.json"
    if not annotations.is_file():
        return {}
    crops = load_pictures(read_outliers(annotations, data / "images", STRANGE_CROPS))
    if not crops:
        return {}
    predict = onnx_predictor(path)[1]
    named = 0
    for number, crop in enumerate(crops):
        named += float(predict(crop).max()) >= SURE
        progress("crops of none of the classes", number + 1, len(crops))
    return {"false_names": round(100.0 * named / len(crops), 2)}
