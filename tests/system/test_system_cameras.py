"""The real program on a real /dev/video0, a real USB webcam and real libcamera, in the virtual board."""

from __future__ import annotations

import json
from statistics import median
from typing import Any

from guest_tools import BY_ID
from virtual_board import PATIENCE, Board


def look(board: Board, arguments: str, timeout_s: float = 120.0) -> tuple[list[dict[str, Any]], str]:
    """Run edgecam headless; its JSON lines, and what it said."""
    said = board.check(
        f"edgecam -v {arguments} --display none --json /tmp/out.jsonl && mv /tmp/out.jsonl /host/", timeout_s
    )
    file = board.host / "out.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.unlink()
    return lines, said


def test_vivid(board: Board, model: str) -> None:
    lines, said = look(board, f"--source /dev/video0 --size 640x480 {model} --frames 20")
    assert len(lines) == 20
    assert {(line["width"], line["height"]) for line in lines} == {(640, 480)}
    stamps = [line["captured_ns"] for line in lines]
    assert stamps == sorted(set(stamps)), "each line is a picture of its own"
    # vivid has raw formats only, and says so
    assert "YUYV" in said


def test_vivid_latency(board: Board, model: str, long_form: bool) -> None:
    """From the driver's time of the picture, which vivid takes when it has drawn it, to the result."""
    frames = 6000 if long_form else 100  # ten minutes
    lines, _ = look(
        board,
        f"--source /dev/video0 --size 320x180 --rate 10 {model} --frames {frames}",
        frames / 10 * PATIENCE + 60,
    )
    beside_ms = [line["frame_age_ms"] - line["inference_ms"] for line in lines[10:]]
    ordered, tenth = sorted(beside_ms), len(beside_ms) // 10
    p50, p95 = median(beside_ms), ordered[int(0.95 * len(ordered))]
    first, last = median(beside_ms[:tenth]), median(beside_ms[-tenth:])
    print(f"\nage less inference: p50 {p50:.1f}, p95 {p95:.1f}, first tenth {first:.1f}, last {last:.1f} ms")
    assert p50 < 20 * PATIENCE
    assert p95 < 60 * PATIENCE
    assert last < first + 10 * PATIENCE, "it grows"


def test_webcam_by_its_stable_name_and_mjpg_where_the_rate_needs_it(board: Board, model: str) -> None:
    board.plug_in()
    board.wait_for(f"test -e {BY_ID}", 30)
    lines, said = look(board, f"--source {BY_ID} --size 1280x720 --rate 30 {model} --frames 10")
    assert "MJPG" in said, said
    assert {(line["width"], line["height"]) for line in lines} == {(1280, 720)}

    # raw pictures reach this rate, and need no decoding
    _, said = look(board, f"--source {BY_ID} --size 1280x720 --rate 10 {model} --frames 3")
    assert "YUYV" in said, said


def test_devices_lists_them(board: Board) -> None:
    board.plug_in()
    board.wait_for(f"test -e {BY_ID}", 30)
    found = json.loads(board.check("edgecam devices --json 2>/dev/null", 60))
    text = json.dumps(found)
    assert BY_ID in text and "/dev/video0" in text and "vivid" in text
    assert "MJPG" in text and "YUYV" in text


def test_csi_through_picamera2(board: Board, model: str) -> None:
    board.plug_in()
    board.wait_for(f"test -e {BY_ID}", 30)
    lines, said = look(board, f"--source csi:0 --size 640x480 {model} --frames 5")
    assert len(lines) == 5
    assert {(line["width"], line["height"]) for line in lines} == {(640, 480)}
    assert "csi:0" in said
