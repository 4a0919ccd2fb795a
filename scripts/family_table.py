"""Write the table of docs/models.md: cost, parity, size and latency of every architecture and width.

``nice python scripts/family_table.py [--only NAME]`` measures and writes the rows between the markers in
docs/models.md. The figures are stored in docs/models-table.json, so that a stopped run can be resumed.
``--keep FOLDER`` keeps the model files and does not time them; ``--keep FOLDER --times`` then times all of
them, at a quiet moment of a busy machine. Needs the extra ``train`` and, for parity, timm and torchvision;
takes about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "nn_family"))

import numpy as np
import torch
from public_packages import timm_scaled, torchvision_model

from edgecam.inference.models.card import Card
from edgecam.nn.export.onnx import ClassifierForExport, UintInput, export_onnx, find_stem
from edgecam.nn.export.quantize import quantize_file
from edgecam.nn.export.timing import machine_name, time_files
from edgecam.nn.hub.describe import describe
from edgecam.nn.hub.published import GIBI, PUBLISHED, Published
from edgecam.nn.networks.backbones import ARCHITECTURES, build_backbone
from edgecam.nn.networks.importers import import_state
from edgecam.nn.networks.ssdlite320 import NAME as SSDLITE
from edgecam.nn.networks.ssdlite320 import DeployedSSDLite, import_ssdlite320

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "models.md"
FIGURES = ROOT / "docs" / "models-table.json"
START, END = "<!-- family table: scripts/family_table.py -->", "<!-- end of family table -->"

#: The minimalistic V3-Small has no published multiply-adds to compare with (see published.py).
EXTRA = Published("mobilenet_v3_small_minimalistic", 1.0, 224, 0, "", 2_044_736)

Row = dict[str, float | str | None]


def _classifier(line: Published) -> tuple[torch.nn.Module, Row]:
    name, width, side = line.architecture, line.width, line.resolution
    public = timm_scaled(name, width, min(side, 224))
    net = build_backbone(name, width=width, bn_eps=1e-5).eval()
    import_state(net, public.state_dict(), "timm")
    x = torch.randn(1, 3, min(side, 224), min(side, 224), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        difference = float((public(x) - net(x)).abs().max())
    cost = describe(name, width=width, resolution=side)
    row: Row = {"parameters": cost.parameters, "macs": cost.macs, "standard": cost.standard_macs}
    return ClassifierForExport(net), {**row, "parity": difference, "against": "timm"}


def _ssdlite() -> tuple[torch.nn.Module, Row]:
    public = torchvision_model(SSDLITE, 320, weights_backbone=None)
    model = import_ssdlite320(public.state_dict())
    x = torch.randn(1, 3, 320, 320, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        theirs = public.head(list(public.backbone(x).values()))["cls_logits"]
        # the in-between square is a cell's last anchor here, its second in torchvision
        expected = theirs.unflatten(1, (-1, 6))[:, :, [0, 2, 3, 4, 5, 1]].flatten(1, 2)
        difference = float((model(x)[0] - expected).abs().max())
    from edgecam.nn.networks.count import multiply_adds

    row: Row = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "macs": multiply_adds(model, x),
        "standard": None,
        "parity": difference,
        "against": "torchvision",
    }
    return DeployedSSDLite(model, UintInput(stem=find_stem(model))), row


def measure(line: Published, keep: Path, runs: int) -> Row:
    detector = line.architecture == SSDLITE
    module, row = _ssdlite() if detector else _classifier(line)
    side = line.resolution
    images = list(np.random.default_rng(0).integers(0, 256, (4, side, side, 3), dtype=np.uint8))
    card = Card(
        name=line.architecture,
        task="detection" if detector else "classification",
        architecture=line.architecture,
        labels=tuple(map(str, range(80 if detector else 1000))),
        resolution=(side, side),
    )
    file, quantised = _files(line, keep)
    export_onnx(module, card, file, sample=images[:1])
    report = quantize_file(file, quantised, images, threads=1, runs=runs)
    row["mb"], row["mb_int8"] = file.stat().st_size / 1e6, quantised.stat().st_size / 1e6
    row["fp32_ms"], row["int8_ms"] = report.speed.fp32_ms, report.speed.int8_ms
    row["machine"] = machine_name()
    return row


def _files(line: Published, keep: Path) -> tuple[Path, Path]:
    stem = f"{line.architecture}-{line.width:g}-{line.resolution}"
    return keep / f"{stem}.onnx", keep / f"{stem}-int8.onnx"


def time_again(figures: dict[str, Row], keep: Path) -> None:
    for line in _lines():
        files = _files(line, keep)
        if _key(line) in figures and all(file.exists() for file in files):
            image = np.random.default_rng(0).integers(0, 256, (line.resolution, line.resolution, 3), np.uint8)
            row = figures[_key(line)]
            row["fp32_ms"], row["int8_ms"] = time_files(files, [image, image], threads=1, runs=41)


def _key(line: Published) -> str:
    return f"{line.architecture} {line.width:g} {line.resolution}"


def _lines() -> list[Published]:
    """One line per architecture and width, at its first published resolution."""
    chosen: dict[tuple[str, float], Published] = {}
    for line in (*PUBLISHED, EXTRA):
        chosen.setdefault((line.architecture, line.width), line)
    # torchvision's metadata gives 0.583 G for the whole detector
    ssdlite = Published(SSDLITE, 1.0, 320, 583, "torchvision's weights meta `_ops`", 3_440_060)
    order = list(ARCHITECTURES)
    return [*sorted(chosen.values(), key=lambda line: order.index(line.architecture)), ssdlite]


def _published(line: Published) -> str:
    if not line.macs:
        return "–"
    return f"{line.macs:.{line.decimals}f} × 2³⁰" if line.unit == GIBI else f"{line.macs:g} M"


def _difference(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def table(figures: dict[str, Row]) -> str:
    head = "architecture | width | px | parameters | M mult-adds | published | standard conv. | parity "
    head += "| MB fp32 / int8 | fp32 ms | int8 ms"
    text = f"| {head} |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    for line in _lines():
        row = figures.get(_key(line))
        if row is None:
            continue
        standard = f"{float(row['standard']) / float(row['macs']):.1f}×" if row["standard"] else "–"
        cells = [
            f"`{line.architecture}`", f"{line.width:g}", str(line.resolution), f"{row['parameters']:,}",
            f"{float(row['macs']) / 1e6:.1f}", _published(line), standard,
            f"{_difference(float(row['parity']))} ({row['against']})",
            f"{row['mb']:.1f} / {row['mb_int8']:.1f}",
            f"{row['fp32_ms']:.1f}", f"{row['int8_ms']:.1f}",
        ]  # fmt: skip
        text += "| " + " | ".join(cells) + " |\n"
    machines = sorted({str(row["machine"]) for row in figures.values()})
    text += f"\nTimes: one thread, {', '.join(machines)}; both files in turn, median of their runs.\n"
    return text


def write_page(figures: dict[str, Row]) -> None:
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{START}\n\n{table(figures)}\n{END}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="measure only architectures whose name contains this")
    parser.add_argument("--again", action="store_true", help="also those that were measured before")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the model files here")
    parser.add_argument("--times", action="store_true", help="only time the kept files again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Row] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        keep = arguments.keep or Path(temporary)
        keep.mkdir(parents=True, exist_ok=True)
        if arguments.times:
            time_again(figures, keep)
            FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        for line in _lines():
            known = (_key(line) in figures and not arguments.again) or arguments.times
            if known or (arguments.only and arguments.only not in line.architecture):
                continue
            sys.stderr.write(f"{_key(line)}\n")
            figures[_key(line)] = measure(line, keep, 1 if arguments.keep else 25)
            FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
            write_page(figures)
    write_page(figures)
    sys.stdout.write(table(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
