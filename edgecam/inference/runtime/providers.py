"""ONNX Runtime's execution providers by the names users write, which of them are here, and their options."""

from __future__ import annotations

from collections.abc import Sequence

import onnxruntime as ort

from edgecam import plugins
from edgecam.core.errors import ConfigError, suggest
from edgecam.host.cpu import cache_folder

#: What users write → ONNX Runtime's name.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "acl": "ACLExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
#: Used when nobody says otherwise: a GPU where the runtime has one, then the CPU. Tuning chooses the rest.
_AUTOMATIC = ("cuda", "cpu")


def available_providers() -> tuple[str, ...]:
    """What this build of ONNX Runtime and the plug-ins can run on, by the names users write, ``cpu`` last."""
    there = set(ort.get_available_providers())
    names = [name for name, full in PROVIDERS.items() if full in there and name != "cpu"]
    return (*names, *plugins.added("runtimes"), "cpu")


def options_of(provider: str, threads: int) -> dict[str, str]:
    """What ONNX Runtime is to be told for ``provider``."""
    if provider == "xnnpack":
        return {"intra_op_num_threads": str(threads)}
    if provider == "tensorrt":
        engines = cache_folder() / "tensorrt"
        engines.mkdir(parents=True, exist_ok=True)
        return {  # an engine takes minutes to build: keep it
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(engines),
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": str(engines),
            "trt_fp16_enable": "True",
        }
    if provider == "cuda":
        return {"cudnn_conv_algo_search": "HEURISTIC"}  # the exhaustive default delays the start by seconds
    return {}


def choose_providers(wanted: Sequence[str] | None) -> tuple[tuple[str, ...], str]:
    """(names to try in order, one line that says what is missing or ""); ConfigError for an unknown name."""
    there = available_providers()
    if wanted is None:
        return tuple(name for name in _AUTOMATIC if name in there), ""
    for name in wanted:
        known = (*PROVIDERS, *plugins.added("runtimes"))
        if name not in known:
            raise ConfigError(f"unknown provider '{name}'{suggest(name, known)} (known: {', '.join(known)})")
    kept = tuple(dict.fromkeys(name for name in (*wanted, "cpu") if name in there))
    missing = [name for name in wanted if name not in there]
    if not missing:
        return kept, ""
    return kept, f"this ONNX Runtime has no {', '.join(missing)}: running on {kept[0]}"
