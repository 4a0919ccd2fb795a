"""The graft, narrowing, other activations and what is lent: a PAN detector's start, without training."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type,assignment,attr-defined,index,list-item,operator,union-attr"

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgecam.core.errors import ConfigError  # noqa: E402
from edgecam.nn.detection.activations import exchange_activations  # noqa: E402
from edgecam.nn.detection.checkpoint import save_checkpoint  # noqa: E402
from edgecam.nn.detection.config import read_recipe  # noqa: E402
from edgecam.nn.detection.data import PixelCache  # noqa: E402
from edgecam.nn.detection.graft import narrow_backbone, solve_laterals, without_extra_level  # noqa: E402
from edgecam.nn.networks.pan_detector import PanConfig, PanDetector  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]

SHARED = Path(__file__).parents[4] / "shared/data"
TABLE = PanConfig(("blue", "red"), width=0.25, resolution=64, neck_width=16, head_depth=1, folded=True)


def test_least_squares_find_what_a_lender_gives_and_dead_channels_go_for_nothing() -> None:
    torch.manual_seed(0)
    model = PanDetector(TABLE).eval()
    for part in model.modules():  # fresh weights without biases fade away in so narrow a backbone
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.normal_(part.bias, 0.1, 0.3)
    rng = np.random.default_rng(0)
    drawn = [cv2.resize(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (64, 64)) for _ in range(8)]
    pictures = torch.from_numpy(np.stack(drawn))
    wanted = [torch.nn.Conv2d(trans.conv.in_channels, 16, 1) for trans in model.neck.trans]

    def lender(block: Any) -> Any:
        return [
            conv(m) for conv, m in zip(wanted, model.feature_maps(model.network_input(block)), strict=True)
        ]

    with torch.no_grad():
        assert max(solve_laterals(model, lender, pictures)) < 0.05
        dead = torch.arange(3, 8)
        stem = model.backbone.features[0].conv
        stem.weight[dead], stem.bias[dead] = 0.0, 0.0
        channels = [row.out_channels for row in model.backbone.features]
        narrow = narrow_backbone(model, [8, *channels[1:]], pictures)
        assert torch.equal(narrow(model.network_input(pictures))[0], model(model.network_input(pictures))[0])
        with pytest.raises(ConfigError, match="feeds the neck"):
            narrow_backbone(model, [*channels[:5], 16, *channels[6:]], pictures)
        last = model.backbone.features[-1].pw.conv
        last.weight[8:], last.bias[8:] = 0.0, 0.0
        narrow = narrow_backbone(model, [*channels[:-1], 16], pictures)
        x = model.network_input(pictures)
        assert narrow.config.channels[-1] == 16
        assert torch.allclose(narrow(x)[0], model(x)[0], atol=1e-2)


def test_a_neck_without_its_extra_level_gives_what_it_gave_for_the_others() -> None:
    torch.manual_seed(0)
    whole = PanDetector(TABLE).eval()
    bare = without_extra_level(whole, 64)
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(bare(x)[0], whole(x)[0][:, : len(bare.points)])
    assert sum(p.numel() for p in bare.parameters()) < sum(p.numel() for p in whole.parameters())


def test_the_command_line_asks_for_a_graft(tmp_path: Path) -> None:
    from edgecam.cli.train import _parser, recipe_of

    for name in ("backbone.npz", "lender.npz"):
        (tmp_path / name).touch()
    given = ["--data", "x", "--out", "y", "--from", str(tmp_path / "backbone.npz")]
    assert recipe_of(_parser().parse_args(given)).model.start == "google-ssd"
    model = recipe_of(_parser().parse_args([*given, "--graft", str(tmp_path / "lender.npz")])).model
    assert (model.strides, model.resolution) == ((8, 16, 32), 320)
    assert (model.start, model.head, model.lender) == (
        "graft",
        "pan",
        str((tmp_path / "lender.npz").resolve()),
    )
    with pytest.raises(ConfigError, match="there is no such file"):
        recipe_of(_parser().parse_args([*given, "--graft", str(tmp_path / "none.npz")]))


def test_a_start_brings_its_resolution_unless_the_recipe_or_the_command_says_another(tmp_path: Path) -> None:
    from edgecam.cli.train import _parser, recipe_of

    start = tmp_path / "start.pt"
    model = PanDetector(replace(TABLE, resolution=96))
    save_checkpoint(start, architecture=model.config.to_dict(), recipe={}, step=0, ema=model.state_dict())
    given = ["--data", "x", "--out", "y", "--from", str(start)]

    def px(*more: str) -> int:
        return recipe_of(_parser().parse_args([*given, *more])).model.resolution

    assert px() == 96 and px("--resolution", "128") == 128
    assert px("--recipe", "pan-mobilenet-v1-384") == 384


def test_hswish_is_exchanged_for_relu_with_little_loss() -> None:
    torch.manual_seed(0)
    model = PanDetector(replace(TABLE, act="hswish")).eval()
    for part in model.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.normal_(part.bias, 0.1, 0.3)
    rng = np.random.default_rng(0)
    drawn = [cv2.resize(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (64, 64)) for _ in range(24)]
    pictures = torch.from_numpy(np.stack(drawn))
    finest = exchange_activations(model, "hswish", "relu", pictures)
    acts = {name: type(m) for name, m in finest.named_modules() if name.endswith(".act")}
    assert acts["head.levels.0.0.dw.act"] is acts["neck.trans.0.act"] is torch.nn.ReLU
    assert acts["neck.top_down.1.final.act"] is torch.nn.ReLU
    assert acts["head.levels.1.0.dw.act"] is acts["neck.top_down.0.final.act"] is torch.nn.Hardswish
    whole = exchange_activations(model, "relu", "", pictures)
    assert not any(isinstance(m, torch.nn.Hardswish) for m in whole.modules())
    with torch.no_grad():
        x = model.network_input(pictures)
        wanted = model(x)[0]
        bare = PanDetector(replace(TABLE, act="relu")).eval()
        bare.load_state_dict(model.state_dict())
        off = [float((m(x)[0] - wanted).square().mean() / wanted.var()) for m in (bare, whole, finest)]
    assert off[2] <= off[1] < 0.3 * off[0]
    with pytest.raises(ConfigError, match="only h-swish can be exchanged"):
        exchange_activations(whole, "hswish", "", pictures)


@pytest.mark.skipif(not (SHARED / "weights/picodet_s_320_coco.npz").is_file(), reason="needs ../shared")
def test_the_published_teacher_sees_and_lends(tmp_path: Path) -> None:
    from edgecam.nn.detection.checkpoint import build_model
    from edgecam.nn.detection.data import load_set
    from edgecam.nn.detection.evaluation.evaluate import predict_set, score_detections
    from edgecam.nn.detection.setting_up import prepared_start
    from edgecam.nn.hub.picodet import load_picodet, save_picodet
    from edgecam.nn.labels.coco import COCO80

    val = load_set(SHARED / "val.json", labels=COCO80).subset(range(0, 510, 17))
    pixels = PixelCache(val, tmp_path)
    picodet = load_picodet(SHARED / "weights/picodet_s_320_coco.npz")

    def predict(block: Any) -> Any:
        with torch.no_grad():
            logits, sides, _ = picodet(torch.from_numpy(block))
            return (picodet.pixel_boxes(sides) / 320).numpy(), torch.sigmoid(logits).numpy()

    source = SHARED / "weights/picodet_s_320_coco.npz"
    with torch.no_grad():
        picodet.head.levels[0].get_submodule("pred").bias.add_(0.25)
    save_picodet(picodet, source, tmp_path / "tuned.npz")
    for (name, ours), theirs in zip(
        picodet.state_dict().items(), load_picodet(tmp_path / "tuned.npz").state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    picodet = load_picodet(source)
    found = predict_set(predict, val, pixels.__getitem__, (320, 320), batch=6)
    assert score_detections(found, val).figures["voc_AP50"] > 0.5

    recipe = read_recipe("pan-mobilenet-v1-320-wide")
    at = list(range(len(val.images)))
    made = build_model(recipe, COCO80, SHARED)
    joined = prepared_start(made, recipe, val, pixels, at, COCO80, SHARED, solve=True)
    assert (joined.config.act, joined.config.act_finest) == ("hswish", "")
    assert joined.config.channels == recipe.model.channels
    assert sum(p.numel() for p in joined.parameters()) < 1.9e6
