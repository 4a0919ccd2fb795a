from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest


class Screen:
    """An X server of our own, whose picture can be read."""

    def __init__(self, number: str, folder: Path) -> None:
        self.display = f":{number}"
        self._file = folder / "Xvfb_screen0"

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 BGR: what is on the screen now, from Xvfb's XWD file."""
        data = self._file.read_bytes()
        head = np.frombuffer(data[:100], ">u4")
        width, height, line, colours = int(head[4]), int(head[5]), int(head[12]), int(head[19])
        start = int(head[0]) + 12 * colours
        rows = np.frombuffer(data[start : start + line * height], np.uint8).reshape(height, line)
        picture: np.ndarray = rows[:, : width * 4].reshape(height, width, 4)[..., :3].copy()
        return picture

    def environ(self) -> dict[str, str]:
        """The environment of a program that shall use this screen."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("QT_", "WAYLAND"))}
        return {**kept, "DISPLAY": self.display}


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """Xvfb on a free number, 1000 by 700."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb: apt-get install xvfb")
    folder = tmp_path_factory.mktemp("xvfb")
    command = [
        "Xvfb",
        "-displayfd",
        "1",
        "-screen",
        "0",
        "1000x700x24",
        "-fbdir",
        str(folder),
        "-nolisten",
        "tcp",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            number = server.stdout.readline().strip()
            assert number.isdigit(), "Xvfb did not start"
            yield Screen(number, folder)
        finally:
            server.terminate()
            server.wait(10)
