"""The peers' camera's pictures: `demo:` as JPEG, ten a second of it, fifteen seconds.

python benchmarks/peers/pictures.py DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from canned import demo_pictures

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for number, picture in enumerate(demo_pictures(150, rate_hz=10.0)):
    cv2.imwrite(str(folder / f"{number:03d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
