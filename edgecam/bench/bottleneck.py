"""Which stage holds the rate back."""

from __future__ import annotations

from edgecam.bench.case import Parts

#: Stages shorter than this are not worth their place in the line.
_LEAST_MS = 0.3
#: Of a frame's time beyond its longest stage, this share may be lost to noise before the CPUs are blamed.
_NEAR = 0.95


def limit_of(parts: Parts) -> str:
    """The name of the stage that limits: ``capture decode detect track classify paint`` or ``cpu``.

    Decoding, the network, what follows it, and painting have threads of their own, so the slowest thread
    limits. The CPUs limit if all they do takes longer than any one thread; the camera, if its interval is
    longer than all of that.
    """
    after = {"track": parts.track, "classify": parts.classify}
    threads = {
        "decode": parts.decode,
        "detect": parts.detect / parts.concurrency,
        "after": sum(after.values()),
        "paint": parts.paint,
    }
    slowest = max(threads, key=lambda name: threads[name])
    longest_ms = threads[slowest]
    name = max(after, key=lambda stage: after[stage]) if slowest == "after" else slowest
    if parts.cpu * _NEAR > longest_ms:
        name, longest_ms = "cpu", parts.cpu
    if parts.capture_hz is not None and 1e3 / parts.capture_hz > longest_ms:
        return "capture"
    return name


def line(parts: Parts) -> str:
    """``capture 30 | decode 6 ms | detect 11 ms (limit) | paint 2 ms``."""
    limit = limit_of(parts)
    shown: list[tuple[str, str]] = []
    if parts.capture_hz is not None:
        shown.append(("capture", f"capture {parts.capture_hz:g}"))
    for name in ("decode", "detect", "track", "classify", "paint", "cpu"):
        value: float = getattr(parts, name)
        if name == limit or (value >= _LEAST_MS and name != "cpu"):
            label = "all CPUs" if name == "cpu" else name
            shown.append((name, f"{label} {value:.1f} ms" if value < 10 else f"{label} {value:.0f} ms"))
    return " | ".join(text + (" (limit)" if name == limit else "") for name, text in shown)
