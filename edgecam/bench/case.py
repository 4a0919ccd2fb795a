"""What is measured: one model file, run one way; and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgecam.core.errors import ConfigError, ModelError
from edgecam.host.cpu import cpu_count
from edgecam.inference.models.card import Card, Task
from edgecam.inference.models.store import base_name, find_model, is_exact, list_models, load_card, variants
from edgecam.inference.runtime.providers import PROVIDERS, available_providers

#: Beyond four threads no small model gains; tuning stops there as well.
MOST_THREADS = 4


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run one model on one source.

    seconds: how long each of its measurements takes. whole: also end to end, not only the session.
    """

    path: str
    model: str
    task: Task
    precision: str
    threads: int
    provider: str
    source: str
    seconds: float
    whole: bool = True

    @property
    def title(self) -> str:
        """For a progress bar."""
        count = f"{self.threads} thread" + ("s" if self.threads > 1 else "")
        return f"{self.model} {self.precision}, {count} on {self.provider}"


class Parts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Milliseconds per frame, by stage; what a stage spends on its own thread. Medians.

    capture_hz: what the source delivers on its own clock; None where it delivers as fast as it is read.
    concurrency: frames that were detected on side by side, each for ``detect`` milliseconds.
    cpu: CPU milliseconds of the whole process per frame, divided by the CPUs it may use.
    """

    capture_hz: float | None = None
    decode: float = 0.0
    detect: float = 0.0
    track: float = 0.0
    classify: float = 0.0
    concurrency: int = msgspec.field(default=1, name="abreast")  # its name in older JSON files
    paint: float = 0.0
    cpu: float = 0.0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a case; None where it was not, or where the board does not tell.

    inference_*: the session alone. rate_per_s: end to end, as fast as it goes. age_*: capture to result, with
    the source as a camera that does not wait. cpu_share: of all CPUs, 0 … 1, in that same run; so are
    power and mj_per_frame (per captured frame) and rss_mb.
    error: why there are no figures, else "".
    """

    model: str
    task: Task
    precision: str
    threads: int
    provider: str
    source: str
    inference_p50_ms: float | None = None
    inference_p95_ms: float | None = None
    inference_cpu_ms: float | None = None
    rate_per_s: float | None = None
    live_rate_per_s: float | None = None
    age_p50_ms: float | None = None
    age_p95_ms: float | None = None
    dropped_share: float | None = None
    cpu_share: float | None = None
    rss_mb: float | None = None
    power_w: float | None = None
    power_kind: str = ""
    power_source: str = ""
    mj_per_frame: float | None = None
    accuracy: float | None = None
    accuracy_name: str = ""
    parts: Parts = Parts()
    error: str = ""


#: The figure of a card that stands for its model, by task, best known first.
_ACCURACY: dict[Task, tuple[str, ...]] = {
    "detection": ("core_AP50", "voc_AP50", "AP50", "AP"),
    "classification": ("top1", "accuracy"),
}


def accuracy_of(card: Card) -> tuple[float | None, str]:
    """(value, name) of the figure a chart shows; (None, "") for a card without one."""
    for name in _ACCURACY[card.task]:
        if name in card.metrics:
            return card.metrics[name], name
    return None, ""


def pick_models(
    wanted: Sequence[str], task: Task | None, precisions: Sequence[str]
) -> list[tuple[Path, Card]]:
    """The model files to measure. A name stands for its fp32 and its int8 file, a path for itself.

    Raises ModelError if one is missing, or if nothing is left of them.
    """
    found: dict[Path, Card] = {}
    if not wanted:
        found = dict(list_models(task))
    for name in wanted:
        path = _find(name, task)
        files = [(path, load_card(path))] if is_exact(name) else variants(path)
        found.update(files)
    kept = [(path, card) for path, card in found.items() if card.precision in precisions]
    if not kept:
        what = f"{task} model" if task else "model"
        raise ModelError(
            f"there is no {what} to measure with precision {' or '.join(precisions)}; "
            "give an .onnx file, or see `edgecam models`"
        )
    order = {"fp32": 0, "int8": 1}
    return sorted(
        kept, key=lambda pair: (pair[1].task != "detection", pair[1].name, order[pair[1].precision])
    )


def _find(name: str, task: Task | None) -> Path:
    if task is not None:
        return find_model(name, task)
    try:
        return find_model(name, "detection")
    except ModelError as first:
        try:
            return find_model(name, "classification")
        except ModelError:
            raise first from None


def pick_threads(wanted: Sequence[int] | None) -> list[int]:
    """Thread counts to try: 1 to the number of CPUs, at most four."""
    if wanted:
        return sorted(set(wanted))
    return list(range(1, min(MOST_THREADS, cpu_count()) + 1))


def pick_providers(wanted: Sequence[str] | None) -> list[str]:
    """Providers to try: what this ONNX Runtime has, without TensorRT (its engine takes minutes to build)."""
    there = available_providers()
    if not wanted:
        return [name for name in there if name != "tensorrt"]
    for name in wanted:
        if name not in PROVIDERS:
            raise ConfigError(f"--provider '{name}' is unknown (known: {', '.join(PROVIDERS)})")
        if name not in there:
            raise ConfigError(
                f"--provider {name}: this ONNX Runtime does not have it (it has {', '.join(there)})"
            )
    return list(dict.fromkeys(wanted))


_GPUS = ("cuda", "tensorrt")


def make_cases(
    models: Sequence[tuple[Path, Card]],
    threads: Sequence[int],
    providers: Sequence[str],
    source: str,
    seconds: float,
    whole: bool,
) -> list[Case]:
    """Every combination; a GPU's provider only once per model, since threads do not matter to it."""
    return [
        Case(
            path=str(path),
            model=base_name(card.name),
            task=card.task,
            precision=card.precision,
            threads=count,
            provider=provider,
            source=source,
            seconds=seconds,
            whole=whole,
        )
        for path, card in models
        for provider in providers
        for count in (threads[:1] if provider in _GPUS else threads)
    ]
