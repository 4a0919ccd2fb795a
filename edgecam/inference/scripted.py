"""A detector that says what a script says: for demonstrations, tests and replays. No model, no runtime.

Part of the product on purpose: with ``synthetic:`` or a recorded clip it shows what edgecam does with *known*
detections, so that a fault in the picture is not mistaken for a fault of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgecam.core.errors import ModelError
from edgecam.core.files import read_limited
from edgecam.core.types import Detections, Frame

#: Gives the objects of one frame.
Script = Callable[[Frame], Detections]

#: A script: a day of results at one a second has 40 MB.
SCRIPT_BYTES = 256 << 20


class _Seen(msgspec.Struct):
    label: str
    score: float
    xyxy: tuple[float, float, float, float]


class _Line(msgspec.Struct):
    """What is read of one line that ``--json`` wrote; other fields are ignored."""

    index: int
    detections: list[_Seen]
    width: int = 0
    height: int = 0


class ScriptedDetector:
    """Implements :class:`edgecam.core.ports.Detector` from a function or from recorded lines.

    ``ScriptedDetector(lambda frame: ..., labels)`` asks the function for each frame.
    ``ScriptedDetector.from_jsonl(path)`` replays what ``edgecam --json FILE`` wrote, by frame index.
    """

    def __init__(
        self,
        script: Script,
        labels: Sequence[str],
        *,
        name: str = "scripted",
        input_wh: tuple[int, int] = (0, 0),
    ) -> None:
        self._script = script
        self._labels = tuple(labels)
        self._name = name
        self._input_wh = input_wh

    @classmethod
    def from_jsonl(cls, path: Path | str) -> ScriptedDetector:
        """Replay a JSON-lines file; boxes are scaled if the picture has another size than when recorded.

        Raises ModelError if the file cannot be read or a line is not what ``--json`` writes.
        """
        path = Path(path)
        decoder = msgspec.json.Decoder(_Line)
        lines: dict[int, _Line] = {}
        number = 0
        try:
            for text in read_limited(path, SCRIPT_BYTES).splitlines():
                number += 1
                if text.strip():
                    line = decoder.decode(text)
                    lines[line.index] = line
        except OSError as error:
            raise ModelError(f"script {path} cannot be read: {error.strerror}") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ModelError(
                f"script {path}, line {number}: {error} (give a file that --json wrote)"
            ) from None
        labels = tuple(sorted({seen.label for line in lines.values() for seen in line.detections}))
        return cls(_replay(lines, labels), labels, name=path.stem)

    @property
    def name(self) -> str:
        """The script's name."""
        return self._name

    @property
    def labels(self) -> tuple[str, ...]:
        """By class id."""
        return self._labels

    @property
    def input_wh(self) -> tuple[int, int]:
        """(0, 0): a script sees no picture, unless it was given a size."""
        return self._input_wh

    def detect(self, frame: Frame) -> Detections:
        """The script's objects for ``frame``, best first."""
        found = self._script(frame)
        return found.select(np.argsort(-found.score, kind="stable"))


def _replay(lines: Mapping[int, _Line], labels: tuple[str, ...]) -> Script:
    ids = {label: i for i, label in enumerate(labels)}

    def script(frame: Frame) -> Detections:
        line = lines.get(frame.index)
        if line is None or not line.detections:
            return Detections.empty(labels)
        width, height = frame.size_wh
        scale = np.array((width / (line.width or width), height / (line.height or height)) * 2, np.float32)
        boxes: Any = [seen.xyxy for seen in line.detections]
        return Detections(
            np.asarray(boxes, np.float32) * scale,
            np.asarray([seen.score for seen in line.detections], np.float32),
            np.asarray([ids[seen.label] for seen in line.detections], np.int32),
            labels,
        )

    return script
