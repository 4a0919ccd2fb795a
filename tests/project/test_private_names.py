"""Tests ask for behaviour. Those that touch a private name stand here, each with its reason."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

TESTS = Path(__file__).resolve().parents[1]

_WIDGETS = (
    "QTest needs the very widget that a finger meets, and the timer stopped, so that the test itself ticks"
)
_FAULT = "puts a fault where only hardware or the system could: "
_MEMORY = "a limit on what is held is a promise that nothing outside shows"
WHY = {
    "app/test_camera_rules.py": "whether a camera is watched shows outside only after minutes",
    "capture/test_capture_generated.py": "the picture of any number is compared with what the loop delivers",
    "capture/test_capture_hostile_servers.py": _MEMORY,
    "capture/test_capture_isolated.py": _FAULT + "a decoder process that is killed or lies over its socket",
    "capture/test_capture_rtsp_client.py": _FAULT
    + "minutes of keep-alive, a nonce that expires, damage in a burst",
    "capture/test_capture_v4l2_source.py": "whether a buffer went back to the driver shows only there",
    "fuzz/harnesses.py": "a fuzzer enters at the parser, without a server for each of a million inputs",
    "inference/test_inference_affinity.py": _FAULT + "processors of unequal speed",
    "inference/test_inference_detector.py": "memory given back is a promise that nothing outside shows",
    "inference/test_inference_models.py": _FAULT + "a runtime that cannot build the graph",
    "inference/test_inference_session.py": "a weak reference tells whether the runtime was freed",
    "nn/classification/test_nn_classify_start.py": "the importer's table of names, turned round",
    "nn/detection/test_detection_training.py": "which pictures an epoch takes, without training one",
    "nn/detection/test_pan_graft.py": "the command's parser, without training",
    "nn/detection/test_pan_training.py": "one sample of the loader",
    "nn/training/test_depthwise.py": "whether there is a compiler, to skip by",
    "outputs/test_jsonl_sink.py": "a deadline of seconds, shortened",
    "outputs/test_mqtt_tls.py": "the link's own fault, before the output makes a notice of it",
    "overlay/test_overlay_font.py": "one glyph's mask against its golden picture",
    "overlay/test_overlay_painters.py": _MEMORY,
    "project/test_docs.py": "argparse has no public list of its options",
    "project/test_memory.py": "pages of libraries, counted by the function that decides on them",
    "project/test_sources.py": _FAULT + "a disk that is full and empty again",
    "record/test_record_damage.py": _FAULT + "a disk that ends in the midst of a write",
    "record/test_record_events.py": _FAULT + "a hardware encoder that refuses",
    "record/test_record_faults.py": _FAULT + "a writer that ends while the disk is at work",
    "record/test_record_slow_disk.py": _FAULT
    + "a disk that stands still, and limits small enough to meet in a test",
    "service/test_doctor.py": _FAULT + "a check that raises, a probe that hangs",
    "telemetry/test_cli_power.py": "the questions of the calibration, without its minutes of load",
    "ui/test_ui_display.py": _FAULT + "an X server that does not answer",
    "ui/test_ui_pairing.py": _WIDGETS,
    "ui/test_ui_tiles.py": _WIDGETS,
    "ui/test_ui_window.py": _WIDGETS,
    "ui/test_ui_zones.py": _WIDGETS,
    "web/test_web_client.py": "each request is noted and compared with the table of the API, no server",
    "web/test_web_live.py": _MEMORY,
}
#: Private by their spelling only.
_PUBLIC = {"_replace", "_asdict", "_exit", "_fields", "_make"}


def _private(name: object) -> bool:
    return (
        isinstance(name, str) and name.startswith("_") and not name.startswith("__") and name not in _PUBLIC
    )


def _touches(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        owner = node.value
        own = isinstance(owner, ast.Name) and owner.id in ("self", "cls")
        own |= isinstance(owner, ast.Call) and getattr(owner.func, "id", "") == "super"
        return _private(node.attr) and not own
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith("edgecam") and any(_private(name.name) for name in node.names)
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "setattr" and len(node.args) > 1:
        name = node.args[1]
        return isinstance(name, ast.Constant) and _private(name.value)
    return False


def test_whoever_touches_a_private_name_says_why() -> None:
    found = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if any(_touches(node) for node in ast.walk(ast.parse(path.read_text())))
    }
    # two who landed at the same moment as this list do not turn everybody's tests red
    assert len(found - WHY.keys()) <= 2, f"ask for behaviour, or say here why not: {found - WHY.keys()}"
    assert len(WHY.keys() - found) <= 2, f"these need no reason any more: {WHY.keys() - found}"
