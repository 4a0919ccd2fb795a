"""The program itself on an X server: a zone drawn with real clicks and keys is remembered."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.window, pytest.mark.once]
pytest.importorskip("PyQt6.QtWidgets", reason="needs the extra 'ui'", exc_type=ImportError)
if shutil.which("xdotool") is None:
    pytest.skip("needs xdotool", allow_module_level=True)

SOURCE = "synthetic:?size=640x480&live=1"
#: A picture of 4:3 on a screen of 1000 x 700.
LEFT, WIDTH, HEIGHT = 33, 933, 700
CORNERS = [(0.2, 0.2), (0.7, 0.25), (0.6, 0.7)]


def wait_for(true: Callable[[], bool], child: subprocess.Popen[bytes], limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert child.poll() is None, "the program has ended"
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_zone_drawn_on_the_screen_is_remembered(screen: Any, tmp_path: Path) -> None:
    folders = {f"XDG_{name}_HOME": str(tmp_path) for name in ("STATE", "CONFIG", "CACHE", "DATA")}
    command = [sys.executable, "-m", "edgecam", "--source", SOURCE, "--detector", "off", "--display"]
    child = subprocess.Popen([*command, "fullscreen"], env={**screen.environ(), **folders})

    def do(*words: str) -> None:
        subprocess.run(["xdotool", *words], env=screen.environ(), check=True, timeout=30)

    def touch(x: float, y: float) -> None:
        do("mousemove", str(round(LEFT + x * WIDTH)), str(round(y * HEIGHT)), "click", "1")

    def zones() -> list[dict[str, Any]]:
        for file in tmp_path.rglob("*.json"):
            found = json.loads(file.read_text()).get("settings", {}).get("zone", [])
            if found:
                return list(found)
        return []

    try:
        wait_for(lambda: screen.picture()[:, 100:900].std() > 5, child)
        do("mousemove", "500", "350", "key", "z", "key", "n")
        for corner in (*CORNERS, CORNERS[0]):
            touch(*corner)
        do("type", "porch")
        do("key", "Return")
        wait_for(lambda: [zone["name"] for zone in zones()] == ["porch"], child)
        (zone,) = zones()
        assert np.allclose(zone["points"], CORNERS, atol=0.005)
        do("key", "Escape")  # the editor
        do("key", "q")
        assert child.wait(30) == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
