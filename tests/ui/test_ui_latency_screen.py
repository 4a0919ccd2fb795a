"""``edgecam latency-test`` with its own screen fed back as the camera."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from screen_camera import screen_camera

pytestmark = [pytest.mark.window, pytest.mark.once]
pytest.importorskip("PyQt6.QtWidgets", reason="needs the extra 'ui'", exc_type=ImportError)
if shutil.which("ffmpeg") is None:
    pytest.skip("needs ffmpeg, which looks at the screen: apt-get install ffmpeg", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]


def latency_test(screen: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgecam", "latency-test", "--detector", "off", *arguments],
        env=screen.environ(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.slow
def test_the_screen_seen_by_a_camera_gives_a_latency(screen: Any, tmp_path: Path) -> None:
    picture = tmp_path / "latency.png"
    with screen_camera(screen.display, "1000x700") as url:
        done = latency_test(
            screen, "--source", url, "--duration", "8s", "--json", "--histogram", str(picture)
        )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["changes"] >= 5, done.stderr
    # no picture can be on the screen before the code it shows
    assert 0 < figures["total_min_ms"] <= figures["total_p50_ms"] <= figures["total_p95_ms"]
    assert figures["to_frame_p50_ms"] > 0 and figures["to_screen_p50_ms"] > 0
    assert f"glass to glass p50 {figures['total_p50_ms']:.0f} ms" in done.stderr
    assert cv2.imread(str(picture)).shape == (540, 960, 3)  # type: ignore[union-attr]


def test_a_camera_that_looks_elsewhere_is_told_what_to_do(screen: Any, tmp_path: Path) -> None:
    with screen_camera(screen.display, "150x100") as url:  # the corner shows no code
        done = latency_test(
            screen, "--source", url, "--duration", "4s", "--histogram", str(tmp_path / "l.png")
        )
    assert done.returncode == 1
    assert "the code was not seen in" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "l.png").exists()
