"""int8: what is quantised, what stays float, what the card says, and what the sensitivity report finds."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="index,no-any-return,operator"

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from torch import nn  # noqa: E402

from edgecam.cli.quantize import main  # noqa: E402
from edgecam.core.errors import ConfigError, ModelError  # noqa: E402
from edgecam.inference.models.card import Card  # noqa: E402
from edgecam.nn.export.card_writer import read_card  # noqa: E402
from edgecam.nn.export.onnx import ClassifierForExport, UintInput, export_onnx, run_onnx  # noqa: E402
from edgecam.nn.export.onnx_graph import layers  # noqa: E402
from edgecam.nn.export.quantize import pictures_in, quantize_file, quantize_graph  # noqa: E402
from edgecam.nn.export.sensitivity import compare, report_text, sensitivity  # noqa: E402

pytestmark = pytest.mark.torch

WH = (48, 40)


class Net(nn.Module):
    """A small residual network; ``wild`` gets one useless channel far larger than the rest."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU6())
        self.steady = nn.Conv2d(16, 16, 3, 1, 1)
        self.wild = nn.Conv2d(16, 16, 1)
        self.head = nn.Linear(16, 4)
        with torch.no_grad():
            self.steady.bias[0] += 300.0
            self.wild.weight[:, 0] = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.steady(x)
        x = self.wild(x)
        return self.head(x.mean((2, 3)))


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 5, 6, 3), dtype=np.uint8)
    return [cv2.resize(c, WH, interpolation=cv2.INTER_CUBIC) for c in coarse]


@pytest.fixture(scope="module")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quantize") / "net.onnx"
    card = Card(
        name="net", task="classification", architecture="test", labels=("a", "b", "c", "d"), resolution=WH,
        metrics={"top1": 99.0},
    )  # fmt: skip
    export_onnx(ClassifierForExport(Net()), card, path, sample=pictures(2))
    return path


def quantised_layers(model: object) -> set[str]:
    """Layers whose weights come through a DequantizeLinear."""
    restored = {n.output[0] for n in model.graph.node if n.op_type == "DequantizeLinear"}  # type: ignore[attr-defined]
    return {
        n.name
        for n in model.graph.node  # type: ignore[attr-defined]
        if n.op_type in ("Conv", "Gemm") and n.input[1] in restored
    }


def test_the_ends_stay_float_and_the_rest_is_int8_per_channel(float_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "net-int8.onnx"
    report = quantize_file(float_file, target, pictures(16), runs=2)
    model = onnx.load(target)
    names = [n.name for n in layers(onnx.load(float_file))]
    assert quantised_layers(model) == set(names[1:-1])
    assert set(report.kept_float) == {names[0], names[-1]}
    weights = {t.name: t for t in model.graph.initializer}
    scales = [
        onnx.numpy_helper.to_array(weights[n.input[1]])
        for n in model.graph.node
        if n.op_type == "DequantizeLinear" and "weight" in n.input[0]
    ]
    assert scales
    assert all(s.shape == (16,) for s in scales)
    for image in pictures(5, seed=9):
        (a,), (b,) = run_onnx(target, image[None]), run_onnx(float_file, image[None])
        assert np.abs(a - b).max() < 0.1


def test_the_card_says_int8_and_what_it_cost(float_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "net-int8.onnx"
    figures = iter([{"top1": 91.0, "pictures": 10.0}, {"top1": 90.25, "pictures": 10.0}])
    report = quantize_file(float_file, target, pictures(8), evaluate=lambda _path: next(figures), runs=2)
    card = read_card(target)
    assert card == report.card
    assert (card.precision, card.name) == ("int8", "net-int8")
    assert card.metrics == {"top1": 90.25, "pictures": 10.0}
    assert card.extra["int8"]["delta"] == {"top1": -0.75}
    assert card.extra["speed"]["ratio"] == pytest.approx(
        report.speed.fp32_ms / report.speed.int8_ms, abs=0.01
    )
    assert card.weights_sha256 != read_card(float_file).weights_sha256


def test_a_float_files_figures_are_not_claimed_for_int8(float_file: Path, tmp_path: Path) -> None:
    report = quantize_file(float_file, tmp_path / "x.onnx", pictures(8), runs=2)
    assert report.card.metrics == {}
    assert report.delta == {}


def test_named_layers_stay_float(float_file: Path) -> None:
    model = onnx.load(float_file)
    quantised, kept = quantize_graph(model, pictures(8), keep_float=["*wild*"])
    assert any("wild" in name for name in kept)
    assert not any("wild" in name for name in quantised_layers(quantised))
    everything, kept = quantize_graph(model, pictures(8), ends_float="none")
    assert kept == ()
    assert quantised_layers(everything) == {n.name for n in layers(model)}


def test_a_layer_that_is_not_there_is_named(float_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"no layer is called 'logits\.wyld', did you mean"):
        quantize_graph(onnx.load(float_file), pictures(2), keep_float=["logits.wyld"])


def test_an_int8_file_is_not_quantised_again(float_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "q.onnx"
    quantize_file(float_file, target, pictures(4), runs=2)
    with pytest.raises(ModelError, match="quantised already"):
        quantize_file(target, tmp_path / "qq.onnx", pictures(4))
    assert not (tmp_path / "qq.onnx").exists()


def test_sensitivity_finds_the_layer_that_suffers(float_file: Path) -> None:
    model = onnx.load(float_file)
    found = sensitivity(model, pictures(12))
    assert {d.name for d in found} == {n.name for n in layers(model)}
    assert [d.snr_db for d in found] == sorted(d.snr_db for d in found)
    assert found[0].name.endswith("wild")
    assert found[0].snr_db < found[1].snr_db - 6
    assert "| layer |" in report_text(found, "net")


def test_compare_is_exact_for_the_same_file(float_file: Path) -> None:
    model = onnx.load(float_file)
    snr_db, changed = compare(model, model, pictures(3))
    assert snr_db > 200
    assert changed == 0.0


def test_pictures_in_a_folder(tmp_path: Path) -> None:
    for number, image in enumerate(pictures(6)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "torn.jpg").write_bytes(b"no picture either")
    found = pictures_in(tmp_path, 100, (32, 24))
    assert [f.shape for f in found] == [(24, 32, 3)] * 6
    assert len(pictures_in(tmp_path, 3, (32, 24))) <= 3
    with pytest.raises(ConfigError, match="holds no pictures"):
        pictures_in(tmp_path / "empty", 3, (32, 24))


def test_many_pictures_are_counted_some_at_a_time(float_file: Path) -> None:
    seen: list[int] = []

    def progress(what: str, done: int, total: int | None) -> None:
        if what == "calibrating":
            assert total == 39  # three times thirteen: not all 41 in memory together
            seen.append(done)

    model = onnx.load(float_file)
    many, _ = quantize_graph(model, pictures(41), method="percentile", correct=False, progress=progress)
    assert seen == list(range(1, 40))
    few, _ = quantize_graph(model, pictures(20), method="percentile", correct=False)

    def scales(made: object) -> dict[str, float]:
        return {
            t.name: float(onnx.numpy_helper.to_array(t))
            for t in made.graph.initializer  # type: ignore[attr-defined]
            if t.name.endswith("_scale") and onnx.numpy_helper.to_array(t).ndim == 0
        }

    one, other = scales(few), scales(many)
    assert one
    assert one.keys() == other.keys()
    assert all(abs(other[name] / one[name] - 1) < 0.25 for name in one)


def test_the_command_prints_what_it_did(
    float_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    for label in "abcd":
        (folder / label).mkdir(parents=True)
        for number, image in enumerate(pictures(2, seed=ord(label))):
            cv2.imwrite(str(folder / label / f"{number}.png"), image)
    target, sheet = tmp_path / "out.onnx", tmp_path / "report.md"
    arguments = [str(float_file), "--calibration", str(folder), "-o", str(target)]
    assert main([*arguments, "--data", str(folder), "--sensitivity", str(sheet)]) == 0
    shown = capsys.readouterr().out
    assert "top1" in shown
    assert "times as fast" in shown
    assert sheet.read_text().count("\n| ") == 1 + len(layers(onnx.load(float_file)))
    assert main(arguments) == 0
    assert "against float on 8 pictures" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="is the model itself"):
        main([str(float_file), "--calibration", str(folder), "-o", str(float_file)])
    with pytest.raises(ConfigError, match="none of minmax"):
        main([*arguments, "--method", "magic"])


class Detector(nn.Module):
    """Boxes and scores from two wide last layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.entry = UintInput()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU6())
        self.boxes, self.classes = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 2, 1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.stem(self.entry(image))
        boxes = torch.sigmoid(self.boxes(x)).permute(0, 2, 3, 1).reshape(1, -1, 4)
        return boxes, torch.sigmoid(self.classes(x).permute(0, 2, 3, 1).reshape(1, -1, 2))


def test_a_detectors_last_layers_are_quantised_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    card = Card(name="d", task="detection", architecture="test", labels=("a", "b"), resolution=WH)
    export_onnx(Detector(), card, path, sample=pictures(2))
    names = [n.name for n in layers(onnx.load(path))]
    assert quantize_file(path, tmp_path / "q.onnx", pictures(8), runs=2).kept_float == (names[0],)
    both = quantize_file(path, tmp_path / "b.onnx", pictures(8), ends_float="both", runs=2)
    assert set(both.kept_float) == {names[0], names[2], names[3]}


def test_quantising_needs_no_torch() -> None:
    """Boards have the extra 'models', not 'train'."""
    program = (
        "import sys\nsys.modules['torch'] = None\n"
        "import edgecam.nn.export.quantize, edgecam.nn.export.sensitivity\n"
        "import edgecam.nn.classification.false_names, edgecam.cli.quantize\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


class Uneven(nn.Module):
    """A depthwise layer with one channel a thousand times larger, between two plain ones."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU6(), nn.Conv2d(16, 16, 1), nn.ReLU6(),
            nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.ReLU6(), nn.Conv2d(16, 16, 1), nn.ReLU6(),
        )  # fmt: skip
        self.head = nn.Linear(16, 4)
        with torch.no_grad():
            self.body[4].weight[0] *= 1000.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))


def test_a_float_layer_stays_float_inside_onnx_runtime(tmp_path: Path) -> None:
    """Left alone, the runtime's own optimiser would give it 8-bit weights with one scale for all channels."""
    import onnxruntime as ort

    path = tmp_path / "uneven.onnx"
    card = Card(
        name="u", task="classification", architecture="test", labels=("a", "b", "c", "d"), resolution=WH
    )
    export_onnx(ClassifierForExport(Uneven()), card, path, sample=pictures(2))
    quantised, _ = quantize_graph(onnx.load(path), pictures(8), keep_float=["*body.4*"])

    def run(level: object) -> list[np.ndarray]:
        options = ort.SessionOptions()
        options.graph_optimization_level = level
        session = ort.InferenceSession(quantised.SerializeToString(), options)
        return [session.run(None, {"image": i[None]})[0] for i in pictures(6, seed=4)]

    plain = run(ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    for a, b in zip(run(ort.GraphOptimizationLevel.ORT_ENABLE_ALL), plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)  # 9e-4 without the shield
