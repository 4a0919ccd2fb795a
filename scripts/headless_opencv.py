#!/usr/bin/env python3
"""Fetch OpenCV built without a window of its own, and a wheel by which it stands for opencv-python.

    scripts/headless_opencv.py DIR [words for pip download: -c FILE, --no-index, --platform …]

edgecam asks for opencv-python and shows nothing with it, but that build brings a whole Qt 5, libGL and X11
along, beside PyQt6's Qt 6. opencv-python-headless is the same source, the same version and the same ``cv2``,
from the same makers, without them. The wheel that is written into DIR is empty: it is called opencv-python,
has the version of the other with ``+headless`` behind it, and asks for that. DIR/opencv.txt pins both, for
``pip install --find-links DIR -c DIR/opencv.txt``.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAME = "opencv-python-headless"


def limits(words: list[str]) -> str:
    """What the constraint files among pip's words ask of opencv-python, as they stand: ``<4.12``."""
    files = [Path(words[i + 1]) for i, word in enumerate(words[:-1]) if word == "-c"]
    lines = [line.split("#")[0].strip() for file in files for line in file.read_text().splitlines()]
    return ",".join(m[1].strip() for line in lines if (m := re.match(r"opencv-python\s*([<>=!~].*)$", line)))


def write_stand_in(folder: Path, version: str) -> Path:
    """The empty wheel (packaging.python.org, binary distribution format); the same bytes each time."""
    base = f"opencv_python-{version}+headless"
    info = f"{base}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: opencv-python\nVersion: {version}+headless\n"
        f"Summary: Stands for opencv-python where {NAME} is.\nRequires-Dist: {NAME} (=={version})\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: edgecam\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for name, text in files.items()
    )
    path = folder / f"{base}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return path


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-q", "--no-deps"]
        wanted = NAME + limits(words)
        if subprocess.run([*pip, "--only-binary=:all:", "--dest", own, *words, wanted]).returncode:
            sys.exit(f"headless_opencv: pip gave no {wanted}; see above")
        (wheel,) = Path(own).glob("*.whl")
        version = wheel.name.split("-")[1]
        wheel.replace(folder / wheel.name)
    write_stand_in(folder, version)
    (folder / "opencv.txt").write_text(f"opencv-python=={version}+headless\n{NAME}=={version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
