"""How often a classifier gives a name to something that is none of its classes."""

from __future__ import annotations

from pathlib import Path

from edgecam.core.progress import Progress, silent
from edgecam.nn.classification.data import load_pictures, read_outliers
from edgecam.nn.classification.evaluate import onnx_predictor

#: The app shows the class of a crop from this probability on (its ``--classify-score``).
SURE = 0.9
#: Crops of other objects on which a new classifier is tested.
STRANGE_CROPS = 400


def false_names(path: Path, data: Path, progress: Progress = silent) -> dict[str, float]:
    """The share of crops of none of the classes that get a name all the same: per cent, at :data:`SURE`.

    The crops come from ``val.json``, which is never trained on; the result is empty if there is no such file.
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
