"""Where a training runs: device, precision, and the rank of this process among others (torchrun)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from edgecam.core.errors import ConfigError


@dataclass(frozen=True)
class Host:
    """Where the training runs. ``rank`` and ``world`` come from torchrun's environment."""

    device: str = "cpu"
    bf16: bool = False
    rank: int = 0
    world: int = 1


def find_host(precision: str = "auto", device: str = "auto") -> Host:
    """A GPU if available, bfloat16 if the hardware supports it; joins torchrun's process group."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if device == "cuda" and world > 1:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if world > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    if precision == "auto":
        bf16 = torch.cuda.is_bf16_supported() if device.startswith("cuda") else _cpu_bf16()
    elif precision in ("bf16", "fp32"):
        bf16 = precision == "bf16"
    else:
        raise ConfigError(f"precision {precision!r} is unknown; use auto, bf16 or fp32")
    return Host(device, bf16, rank, world)


def _cpu_bf16() -> bool:
    """Whether this CPU has matrix instructions for bfloat16 (elsewhere it is emulated, and slow)."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def average_gradients(model: nn.Module, world: int) -> None:
    """Average all gradients in one all-reduce (every rank has gradients of the same parameters at each step).

    DistributedDataParallel is not used because it fixes the set of trained parameters at the start.
    """
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    torch.distributed.all_reduce(flat)
    flat /= world
    for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


@contextlib.contextmanager
def precision_of(host: Host) -> Iterator[None]:
    """Mixed precision by autocast, or none."""
    with torch.autocast(host.device.split(":")[0], torch.bfloat16, enabled=host.bf16):
        yield
