"""Findings of findings.py about files: clips, their folder, their names, a model's sidecar."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from checkout import LIVE, QUIET, Checkout


def one(folder: Path, suffix: str = ".mp4") -> Path:
    return next(path for path in sorted(folder.glob(f"*{suffix}")) if not path.name.startswith("bad"))


def finding_1(of: Checkout) -> tuple[bool, str]:
    """One bad old file ends all recording and listing."""
    lines = ('{"detections":7}', '{"event":{"x":1}}', '{"clip":{"causes":3}}')
    said = []
    for n, bad in enumerate((*lines, "avc1", "name")):
        folder = of.clips(f"one{n}")
        good = one(folder)
        if bad == "name":
            shutil.copy(good, folder / os.fsdecode(b"caf\xe9.mp4"))
        else:
            data = good.read_bytes()
            (folder / "bad.mp4").write_bytes(data.replace(b"avc1", b"ivc1") if bad == "avc1" else data)
            sidecar = one(folder, ".jsonl").read_text()
            (folder / "bad.jsonl").write_text(sidecar if bad == "avc1" else f"{bad}\n{sidecar}")
        recorded = of.run(*LIVE, *QUIET, "--record", folder, "--frames", "10").status
        said.append((recorded, of.run("clips", "list", "--dir", folder).status))
    return all(pair == (0, 0) for pair in said), f"exits of recording and clips list: {said}"


def decoded(path: Path) -> int:
    """How many whole pictures FFmpeg decodes if it reads on after every error."""
    frames = 0
    with suppress(av.error.FFmpegError, IndexError), av.open(str(path), format="mp4") as clip:
        for packet in clip.demux(clip.streams.video[0]):
            with suppress(av.error.FFmpegError):
                frames += sum(not frame.is_corrupt for frame in packet.decode())
    return frames


def finding_4(of: Checkout) -> tuple[bool, str]:
    """Recovery destroys what FFmpeg decodes."""
    folder = of.folder / "four"
    program = of.start((*LIVE, *QUIET, "--record", folder, "--duration", "40"))
    limit = time.monotonic() + 60
    while time.monotonic() < limit and sum(p.stat().st_size for p in folder.glob(".*.mp4.part")) < 150_000:
        time.sleep(0.1)
    program.kill()
    program.communicate()
    (part,) = folder.glob(".*.mp4.part")
    data = bytearray(part.read_bytes())
    data[data.index(b"moof", len(data) // 4)] ^= 1
    part.write_bytes(data)
    before, size = decoded(part), len(data)
    of.run(*LIVE, *QUIET, "--record", folder, "--frames", "5")
    found = [path for path in folder.iterdir() if path.name.startswith((part.name[1:-9], part.name[:-9]))]
    after = max((decoded(path) for path in found if ".mp4" in path.name), default=0)
    return after >= before > 0, f"{before} frames of {size} bytes decoded before recovery, {after} after"


def finding_8(of: Checkout) -> tuple[bool, str]:
    """The clips folder is trusted."""
    folder = of.clips("eight")
    precious, target = of.folder / "precious.txt", of.folder / "target.txt"
    precious.write_text("mine")
    target.write_text("precious, and half a line")
    good = one(folder)
    of.run("clips", "list", "--dir", folder)
    (index,) = folder.glob(".edgecam*.sqlite")
    with sqlite3.connect(index) as db:
        files = json.dumps({"annotated": good.name, "sheet": "../precious.txt"})
        db.execute("UPDATE clips SET files = ?", (files,))
    db.close()
    of.run("clips", "delete", "--dir", folder, good.stem, "--yes")
    kept = precious.exists()
    (folder / ".x.jsonl.part").symlink_to(target)
    of.run(*LIVE, *QUIET, "--record", folder, "--frames", "5")
    whole = target.read_text() == "precious, and half a line"
    return kept and whole, f"a file outside kept: {kept}; a link's target whole: {whole}"


def finding_9(of: Checkout) -> tuple[bool, str]:
    """Terminal and log injection through names."""
    name = of.folder / "a\x1b[31mred\nforged: line.mp4"
    said = [of.run("--source", name, *QUIET).said]
    folder = of.clips("nine")
    shutil.copy(one(folder), folder / "\x1b]0;title\x07.mp4")
    said.append(of.run("clips", "list", "--dir", folder).said)
    said.append(of.run(*LIVE, "--detector", "/tmp/\x1b[2Jm.onnx", "--display", "none").said)
    raw = ["\x1b[31m" in said[0] or "\nforged" in said[0], "\x1b]0" in said[1], "\x1b[2J" in said[2]]
    return not any(raw), f"raw escapes of a source, a clip, a model: {raw}"


def finding_10(of: Checkout) -> tuple[bool, str]:
    """A model's sidecar reads any path."""
    secret = of.folder / "secret.txt"
    secret.write_text("root:secret1\ndaemon:secret2\n")
    place = of.folder / "models"
    place.mkdir()
    shutil.copy(model_without_card(of.folder / "tiny.onnx"), place / "m.onnx")
    card = f'task = "detection"\nlabels = "{secret}"\n'
    (place / "m.toml").write_text(card)
    said = of.run("models", "info", place / "m.onnx").said
    read = "secret1" in said or "daemon:secret2" in said
    return not read, f"its lines came back as labels: {read}"


def model_without_card(path: Path) -> Path:
    """Write a model without a card that takes a picture and outputs boxes and scores."""
    import onnx
    from onnx import TensorProto as T
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("Identity", ["b"], ["boxes"]),
        helper.make_node("Cast", ["image"], ["f"], to=T.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["m"], keepdims=0),
        helper.make_node("Mul", ["m", "s"], ["scores"]),
    ]
    constants = [
        numpy_helper.from_array(np.zeros((1, 4, 4), np.float32), "b"),
        numpy_helper.from_array(np.zeros((1, 4, 2), np.float32), "s"),
    ]
    inputs = [helper.make_tensor_value_info("image", T.UINT8, [1, 8, 8, 3])]
    outputs = [
        helper.make_tensor_value_info("boxes", T.FLOAT, [1, 4, 4]),
        helper.make_tensor_value_info("scores", T.FLOAT, [1, 4, 2]),
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    return path
