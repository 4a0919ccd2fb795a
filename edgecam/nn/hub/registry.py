"""Official weights of the family: where they are, how they are verified, how their inputs are preprocessed.

Addresses, hashes, scores and preprocessing are those of torchvision's and timm's own source and model cards.
torchvision and timm's GitHub releases publish the first eight digits of the SHA-256 in the file name. The
Hugging Face hub publishes whole hashes. Those fixed here, with the revision they belong to, are recorded in
``utils/tools/mobilenet/checkpoints.json`` of github.com/D-Robotics/rdk_model_zoo (commit 7a0d389).
Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgecam.core.errors import ConfigError, suggest
from edgecam.inference.models.card import Interpolation

Rgb = tuple[float, float, float]

IMAGENET_MEAN: Rgb = (0.485, 0.456, 0.406)
IMAGENET_STD: Rgb = (0.229, 0.224, 0.225)
HALF: Rgb = (0.5, 0.5, 0.5)  # to -1 ... 1

_TORCHVISION = "https://download.pytorch.org/models/"
_GITHUB = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/"
_HUB = "https://huggingface.co/timm/"


@dataclass(frozen=True)
class Official:
    """One published set of weights.

    name: its name here, and afterwards for ``--detector`` or ``--classifier``.
    sha256: all 64 digits, or the eight that the file name publishes. Without any, ``hash_url`` gives the Git
        LFS pointer that the same server publishes for the file (its line ``oid sha256:...``), which detects a
        damaged download but not a file that was changed on the server.
    score: the published figure and its metric, for example ``("top-1", 72.154)``.
    mean, std: of RGB in 0 ... 1. crop: the share of the shorter side that the central crop keeps.
    url is empty where nobody has published weights for torch; ``note`` then says so.
    """

    name: str
    architecture: str
    origin: Literal["timm", "torchvision"]
    url: str
    licence: str
    score: tuple[str, float] | None
    resolution: int = 224
    sha256: str = ""
    hash_url: str = ""
    task: Literal["classification", "detection"] = "classification"
    width: float = 1.0
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD
    crop: float = 0.875
    interpolation: Interpolation = "bilinear"
    tensorflow: bool = False  # SAME padding and batch-norm epsilon of TensorFlow
    parameters: int = 0
    note: str = ""
    training_data: str = "ImageNet-1k"

    @property
    def file_name(self) -> str:
        """The file's name on its server."""
        return self.url.rsplit("/", 1)[-1]


def _torchvision(
    name: str, file: str, prefix: str, score: tuple[str, float], crop: float, parameters: int
) -> Official:
    return Official(
        name, name, "torchvision", f"{_TORCHVISION}{file}-{prefix}.pth", "BSD-3-Clause", score,
        sha256=prefix, crop=crop, parameters=parameters,
    )  # fmt: skip


def _hub(
    name: str,
    model: str,
    score: float,
    resolution: int,
    crop: float,
    parameters: int,
    *,
    revision: str = "main",
    sha256: str = "",
    half: bool = False,
) -> Official:
    """timm's ``model`` on the Hugging Face hub; a commit as ``revision`` is fixed, ``main`` may change."""
    return Official(
        name, name, "timm", f"{_HUB}{model}/resolve/{revision}/model.safetensors", "Apache-2.0",
        ("top-1", score), resolution, sha256=sha256,
        hash_url="" if sha256 else f"{_HUB}{model}/raw/{revision}/model.safetensors",
        crop=crop, interpolation="bicubic", parameters=parameters,
        mean=HALF if half else IMAGENET_MEAN, std=HALF if half else IMAGENET_STD,
    )  # fmt: skip


def _google(name: str, file: str, prefix: str, score: float, parameters: int) -> Official:
    """Google's TensorFlow weights, converted by timm."""
    return Official(
        name, name, "timm", f"{_GITHUB}{file}-{prefix}.pth", "Apache-2.0", ("top-1", score),
        sha256=prefix, mean=HALF, std=HALF, tensorflow=True, parameters=parameters,
        note="Google's weights, converted by timm; the score is Google's",
    )  # fmt: skip


OFFICIAL: tuple[Official, ...] = (
    _hub(
        "mobilenet_v1", "mobilenetv1_100.ra4_e3600_r224_in1k", 75.382, 224, 0.875, 4_231_976, half=True,
        revision="6e88b523abded44469eafcd52f7832d5e0300b1b",
        sha256="15c2f1411deb8e0533acbb41fe9523062f80d444d0393e7ad2b429f41378efc3",
    ),
    _torchvision("mobilenet_v2", "mobilenet_v2", "7ebf99e0", ("top-1", 72.154), 224 / 232, 3_504_872),
    _torchvision(
        "mobilenet_v3_large", "mobilenet_v3_large", "5c1a4163", ("top-1", 75.274), 224 / 232, 5_483_032
    ),
    _torchvision("mobilenet_v3_small", "mobilenet_v3_small", "047dcff4", ("top-1", 67.668), 0.875, 2_542_856),
    _google(
        "mobilenet_v3_large_minimalistic", "tf_mobilenetv3_large_minimal_100", "8596ae28", 72.3, 3_924_288
    ),
    _google(
        "mobilenet_v3_small_minimalistic", "tf_mobilenetv3_small_minimal_100", "922a7843", 61.9, 2_044_736
    ),
    Official(
        "mobilenet_edgetpu", "mobilenet_edgetpu", "timm", "", "Apache-2.0", None, parameters=4_091_432,
        note="nobody publishes torch weights of it (timm lists it as untrained); train it: `edgecam train`",
    ),
    _hub(
        "mobilenet_v4_conv_small", "mobilenetv4_conv_small.e2400_r224_in1k", 73.756, 224, 0.875, 3_774_024,
        revision="331fb803779522b685cf942e15f914fb6741c1eb",
        sha256="7a7102ec18f62bbfb555b6fe829bbb5af749516b84174926c29ffdfdfc03aec4",
    ),
    _hub(
        "mobilenet_v4_conv_medium", "mobilenetv4_conv_medium.e500_r256_in1k", 79.928, 256, 0.95, 9_715_512,
        revision="ad66898c045c1b5223ea3f2c0830b74cf2e75bac",
        sha256="35ca23dc46c0075d9acdcab06d30e5395c4d97e422d8cb5e5e627823aeb7c1fa",
    ),
    _hub(  # timm's other one, at 384 px, scores 82.952, but no hash is recorded for it
        "mobilenet_v4_conv_large", "mobilenetv4_conv_large.e500_r256_in1k", 81.862, 256, 0.95, 32_590_864,
        revision="033de0bd74b5261f7339c5de242a2e4785808aa3",
        sha256="9f86412962cd3360dab5759cbbc64495fefda68f7bae44b6b3142ac5853cb266",
    ),
    _hub(
        "mobilenet_v4_hybrid_medium", "mobilenetv4_hybrid_medium.e500_r224_in1k", 81.276, 256, 1.0, 11_074_648
    ),
    _hub(
        "mobilenet_v4_hybrid_large", "mobilenetv4_hybrid_large.e600_r384_in1k", 83.8, 384, 0.95, 37_764_624
    ),
    Official(
        "ssdlite320_mobilenet_v3_large", "ssdlite320_mobilenet_v3_large", "torchvision",
        f"{_TORCHVISION}ssdlite320_mobilenet_v3_large_coco-a79551df.pth", "BSD-3-Clause", ("COCO AP", 21.3),
        320, sha256="a79551df", task="detection", mean=HALF, std=HALF, crop=1.0, interpolation="fast",
        parameters=3_440_060, training_data="COCO 2017",
    ),
)  # fmt: skip


def official(name: str) -> Official:
    """The registry's entry called ``name``; :class:`ConfigError` names the nearest one."""
    for entry in OFFICIAL:
        if entry.name == name:
            return entry
    names = [entry.name for entry in OFFICIAL]
    raise ConfigError(
        f"no official weights are called '{name}'{suggest(name, names)}; `edgecam models` shows them"
    )
