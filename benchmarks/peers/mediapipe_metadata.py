"""Puts into a TFLite file what MediaPipe's tasks want to read there: normalisation, output meanings, labels.

    litert/bin/python benchmarks/peers/mediapipe_metadata.py ssd.tflite ssd-mediapipe.tflite LABELS.txt

TFLite's metadata schema (metadata_schema.fbs, "M001") written field by field: the field numbers below are
its own. MediaPipe gives RGB; the network takes BGR less a mean, so the first convolution's input channels
are turned round.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl

IMAGE, BOXES, FEATURE = 2, 3, 1  # ContentProperties
VALUE_LABELS = 3  # AssociatedFileType
NORMALISE = 1  # ProcessUnitOptions


class Meta:
    """flatbuffers tables by field number."""

    def __init__(self) -> None:
        self.b = flatbuffers.Builder(1 << 14)

    def vector(self, offsets: list[int]) -> int:
        self.b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.b.PrependUOffsetTRelative(offset)
        return self.b.EndVector()

    def floats(self, values: list[float]) -> int:
        return self.b.CreateNumpyVector(np.array(values, np.float32))

    def uints(self, values: list[int]) -> int:
        return self.b.CreateNumpyVector(np.array(values, np.uint32))

    def text(self, value: str) -> int:
        return self.b.CreateString(value)

    def table(self, fields: int, offsets: dict[int, int], bytes_: dict[int, int] | None = None) -> int:
        self.b.StartObject(fields)
        for number, offset in offsets.items():
            self.b.PrependUOffsetTRelativeSlot(number, offset, 0)
        for number, value in (bytes_ or {}).items():
            self.b.PrependInt8Slot(number, value, 0)
        return self.b.EndObject()

    def tensor(self, name: str, kind: int, value: int, more: dict[int, int] | None = None) -> int:
        content = self.table(3, {1: value}, {0: kind})
        return self.table(7, {0: self.text(name), 3: content, **(more or {})})


def metadata(mean: list[float]) -> bytes:
    m = Meta()
    unit = m.table(2, {1: m.table(2, {0: m.floats(mean), 1: m.floats([1.0] * 3)})}, {0: NORMALISE})
    stats = m.table(2, {0: m.floats([255.0] * 3), 1: m.floats([-255.0] * 3)})
    image = m.tensor("image", IMAGE, m.table(2, {}, {0: 1}), {4: m.vector([unit]), 5: stats})
    boxes = m.tensor("location", BOXES, m.table(3, {0: m.uints([1, 0, 3, 2])}, {1: 1}))
    labels = m.table(5, {0: m.text("labels.txt")}, {2: VALUE_LABELS})
    classes = m.tensor("category", FEATURE, m.table(0, {}), {6: m.vector([labels])})
    scores = m.tensor("score", FEATURE, m.table(0, {}))
    count = m.tensor("number of detections", FEATURE, m.table(0, {}))
    names = m.vector([m.text(name) for name in ("location", "category", "score")])
    group = m.table(2, {0: m.text("detection_result"), 1: names})
    graph = m.table(
        10, {2: m.vector([image]), 3: m.vector([boxes, classes, scores, count]), 8: m.vector([group])}
    )
    root = m.table(8, {0: m.text("ssd"), 3: m.vector([graph]), 7: m.text("1.2.0")})
    m.b.Finish(root, b"M001")
    return bytes(m.b.Output())


def main() -> None:
    source, target, labels = (Path(text) for text in sys.argv[1:4])
    model = tfl.ModelT.InitFromObj(tfl.Model.GetRootAs(source.read_bytes()))
    graph = model.subgraphs[0]
    first = graph.operators[0]
    tensor = graph.tensors[first.inputs[1]]
    weights = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32).reshape(tensor.shape)
    turned = np.ascontiguousarray(weights[..., ::-1])
    model.buffers[tensor.buffer].data = np.frombuffer(turned.tobytes(), np.uint8)
    mean = np.load(source.with_suffix(".mean.npy"))[::-1].tolist()
    buffer = tfl.BufferT()
    buffer.data = np.frombuffer(metadata(mean), np.uint8)
    entry = tfl.MetadataT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(1 << 24)
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(bytes(builder.Output()))
    with zipfile.ZipFile(target, "a") as archive:  # associated files are a zip at the file's end
        archive.writestr("labels.txt", labels.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
