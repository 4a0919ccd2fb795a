"""Training: it learns, it resumes to the same weights, and its file carries its own figures."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="attr-defined"

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from edgecam.cli.evaluate import main as evaluate_main  # noqa: E402
from edgecam.cli.export import main as export_main  # noqa: E402
from edgecam.cli.train_classifier import main, recipe_path  # noqa: E402
from edgecam.core.errors import ConfigError, ModelError  # noqa: E402
from edgecam.nn.classification import train as classification_train  # noqa: E402
from edgecam.nn.classification.checkpoint import Recipe, load_run, read_recipe  # noqa: E402
from edgecam.nn.classification.evaluate import open_labelled  # noqa: E402
from edgecam.nn.classification.head import balance, soft_targets, temperature_of  # noqa: E402
from edgecam.nn.classification.run import export_run, read_data, train_classifier  # noqa: E402
from edgecam.nn.export.card_writer import read_card  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]

RECIPE = Recipe(
    architecture="mobilenet_v1", width=0.25, padding="symmetric", resolution=32, fold=False, head_rounds=1,
    head_steps=50,
    stages=((32, 40),), batch=16, learning_rate=5e-3, head_factor=1.0, held_out=0.25, outliers=0, amp=False,
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes across, stripes down, and dots: colours and phases vary, so only the shape tells."""
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:40, 0:40]
    for number in range(32):
        phase = rng.uniform(0, 6, 2)
        across, down = np.sin(y / 2.0 + phase[0]), np.sin(x / 2.0 + phase[1])
        for label, wave in (("across", across), ("down", down), ("dots", across * down)):
            light, dark = rng.integers(140, 256, 3), rng.integers(0, 110, 3)
            image = np.where((wave > 0)[..., None], light, dark).astype(np.uint8)
            (root / label).mkdir(exist_ok=True)
            cv2.imwrite(str(root / label / f"{number:02d}.png"), image)
    return root


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train_classifier(data, folder, RECIPE)
    return folder


def test_a_stopped_run_goes_on_to_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(Exception):
        pass

    def stop_at_step_five(what: str, done: int, of: int) -> None:
        if what.startswith("training") and done == 5:
            raise StoppedError

    recipe = replace(RECIPE, stages=((32, 2), (40, 1)))
    whole = train_classifier(data, tmp_path / "whole", recipe)
    real = classification_train.fine_tune
    monkeypatch.setattr(
        "edgecam.nn.classification.run.fine_tune", lambda *a, **k: real(*a, save_every_s=0.0, **k)
    )
    with pytest.raises(StoppedError):
        train_classifier(data, tmp_path / "cut", recipe, progress=stop_at_step_five)
    assert load_run(tmp_path / "cut" / "classifier.pt").step == 4
    again = train_classifier(data, tmp_path / "cut", recipe)
    assert again.step == whole.step == 12
    for name, value in whole.average.items():
        torch.testing.assert_close(again.average[name], value, atol=1e-5, rtol=1e-4)


def test_all_layers_move(finished: Path, data: Path) -> None:
    run = load_run(finished / "classifier.pt")
    torch.manual_seed(RECIPE.seed)
    fresh = classification_train.build_network(RECIPE, run.labels)
    moved = [n for n, p in fresh.named_parameters() if not torch.equal(p, run.average[n])]
    assert moved == [n for n, _ in fresh.named_parameters()]


def test_the_file_carries_its_own_figures(data: Path, finished: Path, tmp_path: Path) -> None:
    run = load_run(finished / "classifier.pt")
    path = tmp_path / "shapes.onnx"
    card, report = export_run(run, data, path)
    assert card == read_card(path)
    assert card.labels == ("across", "dots", "down")
    assert card.metrics["top1"] == report.top1
    assert report.top1 > 80  # chance is 33; the network starts from random weights
    assert report.pictures == len(read_data(data, RECIPE)[1]) == 24
    assert card.per_class.keys() == set(card.labels)
    assert (card.parameters or 0) > 200_000
    assert (card.macs or 0) > 500_000
    assert card.seed == RECIPE.seed
    assert card.extra["temperature"] == run.temperature


def test_another_recipe_does_not_overwrite_a_run(data: Path, finished: Path) -> None:
    with pytest.raises(ConfigError, match="another recipe"):
        train_classifier(data, finished, replace(RECIPE, seed=1))


def test_too_few_pictures_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fewer than one batch"):
        train_classifier(data, tmp_path, replace(RECIPE, batch=500))


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No checkpoint"):
        load_run(tmp_path / "classifier.pt")
    (tmp_path / "classifier.pt").write_bytes(b"torn")
    with pytest.raises(ModelError, match="not a classifier's checkpoint"):
        load_run(tmp_path / "classifier.pt")


def test_targets_of_nothing_are_even() -> None:
    soft = soft_targets(torch.tensor([1, -1]), 4, 0.2)
    torch.testing.assert_close(soft, torch.tensor([[0.05, 0.85, 0.05, 0.05], [0.25] * 4]))
    chances = balance(np.array([0] * 90 + [1] * 10 + [-1] * 50))
    assert chances.sum() == pytest.approx(1)
    assert chances[:90].sum() == pytest.approx(3 * chances[90:100].sum())  # square root of 90 / 10
    assert chances[100:].sum() == pytest.approx(0.1)


def test_temperature_makes_confidence_honest() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 6000)
    logits = (np.eye(3)[truth] + rng.gumbel(size=(6000, 3))).astype(np.float32)
    # Of a Gumbel-noisy argmax the true probabilities are the softmax of the signal: ten times too sure.
    shown = np.eye(3)[(logits).argmax(1)].astype(np.float32) * 10.0
    assert temperature_of(shown, truth) > 3.0


def test_recipes_that_ship_can_be_read() -> None:
    for name in ("classifier-default", "classifier-small"):
        recipe = read_recipe(recipe_path(name))
        assert recipe.resolution == 224
        assert recipe.weights.endswith(".npz")
    with pytest.raises(ConfigError, match="did you mean 'classifier-small'"):
        recipe_path("classifier-smal")


def test_the_command_trains_and_says_what_to_do_next(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        'architecture = "mobilenet_v1"\nwidth = 0.25\npadding = "symmetric"\nresolution = 32\n'
        "fold = false\nhead_rounds = 0\nhead_steps = 20\nbatch = 16\namp = false\nstages = [[32, 1]]\n"
    )
    arguments = ["--task", "classification", "--data", str(data), "--out", str(tmp_path / "run")]
    assert main([*arguments, "--recipe", str(recipe), "--seed", "4"]) == 0
    assert "edgecam export" in capsys.readouterr().out
    assert load_run(tmp_path / "run" / "classifier.pt").recipe.seed == 4
    with pytest.raises(ConfigError, match="not like 160x2"):
        main([*arguments, "--recipe", str(recipe), "--stages", "many"])
    recipe.write_text("learning_rat = 1.0\n")
    with pytest.raises(ConfigError, match="learning_rat"):
        main([*arguments, "--recipe", str(recipe)])
    recipe.write_text('architecture = "mobilenet_v1"\n')
    with pytest.raises(ConfigError, match="needs weights to start from"):
        main([*arguments, "--recipe", str(recipe), "--no-resume"])


def test_export_command_writes_the_recipes_card(
    data: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[card]\nname = "shapes"\nrole = "small"\nlicence = "CC0-1.0"\norigin = "drawn"\n')
    path = tmp_path / "shapes.onnx"
    arguments = [str(finished / "classifier.pt"), "-o", str(path), "--recipe", str(recipe)]
    with pytest.raises(ConfigError, match="--data FOLDER is missing"):
        export_main(arguments)
    assert export_main([*arguments, "--data", str(data), "--origin", "drawn by hand"]) == 0
    assert "top1" in capsys.readouterr().out
    card = read_card(path)
    assert (card.name, card.licence, card.origin) == ("shapes", "CC0-1.0", "drawn by hand")
    assert card.extra["role"] == "small"
    held = open_labelled(data, card)
    assert set(held.files) == set(read_data(data, RECIPE)[1].files)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(data: Path, tmp_path: Path) -> None:
    """torchrun: each takes half of every batch; with averaged gradients the weights are the same."""
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        'architecture = "mobilenet_v1"\nwidth = 0.25\npadding = "symmetric"\nresolution = 32\nfold = false\n'
        "head_rounds = 0\nhead_steps = 20\nbatch = 16\namp = false\nstages = [[32, 1]]\noutliers = 0\n"
        "weight_decay = 0.0\n"
    )
    # Batch norm over half a batch is another function, so it is taken out: its statistics stay frozen.
    program = (
        "import sys, torch\ntorch.set_num_threads(1)\n"
        "from edgecam.nn.classification import train as t\n"
        "real = t.Backbone.train\n"
        "def frozen(self, mode=True):\n    return real(self, False)\n"
        "t.Backbone.train = frozen\n"
        "from edgecam.cli.train_classifier import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    script = tmp_path / "run.py"
    script.write_text(program)
    root = Path(__file__).resolve().parents[3]
    runs = {}
    for name, launcher in (
        ("one", []),
        ("two", ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]),
    ):
        command = [sys.executable, *launcher, str(script), "--data", str(data)]
        command += ["--out", str(tmp_path / name), "--recipe", str(recipe), "--threads", "1"]
        done = subprocess.run(
            command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, timeout=500
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        runs[name] = load_run(tmp_path / name / "classifier.pt")
    assert runs["one"].step == runs["two"].step == 5
    for key, value in runs["one"].average.items():
        torch.testing.assert_close(runs["two"].average[key], value, atol=1e-4, rtol=1e-3)


def test_checkpoint_and_file_are_judged_alike(
    data: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shapes.onnx"
    export_run(load_run(finished / "classifier.pt"), data, path)
    shown = []
    for model in (finished / "classifier.pt", path):
        capsys.readouterr()
        assert evaluate_main([str(model), "--data", str(data), "--held-out"]) == 0
        shown.append(capsys.readouterr().out.replace(model.name, "MODEL"))
    assert shown[0] == shown[1]
    assert "top1" in shown[0]
    assert "on 24 pictures" in shown[0]  # the held-out quarter only
