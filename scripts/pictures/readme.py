"""README's moving picture and docs/img/window.jpg: the present program on ``demo:``."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from shots import IMAGES, edgecam

#: Of each five-second scene this part, after the fade and when what is seen has been confirmed.
FROM_S, UNTIL_S, SCENES, SCENE_S = 1.6, 4.4, 4, 5.0
LOOP_WH, LOOP_HZ = (480, 270), 4.0
#: The scene and the second of it that docs/img/window.jpg shows.
STILL_S = 2 * SCENE_S + 3.0
MOST_BYTES = 3_000_000


def readme(folder: Path) -> None:
    clip = folder / "demo.mp4"
    edgecam(folder, "--source", "demo:", "--display", "none", "--frames", "600", "--record", str(clip))
    loop, still, next_s = [], None, 0.0
    with av.open(str(clip)) as opened:
        for frame in opened.decode(video=0):
            at_s = float(frame.time or 0.0)
            if still is None and at_s >= STILL_S:
                still = frame.to_ndarray(format="bgr24")
            if FROM_S <= at_s % SCENE_S <= UNTIL_S and at_s < SCENES * SCENE_S and at_s >= next_s:
                next_s = at_s + 1 / LOOP_HZ - 0.01
                picture = frame.to_ndarray(format="bgr24")
                loop.append(cv2.resize(picture, LOOP_WH, interpolation=cv2.INTER_AREA))
    assert still is not None
    cv2.imwrite(str(IMAGES / "window.jpg"), still, [cv2.IMWRITE_JPEG_QUALITY, 82])
    animation = cv2.Animation()
    animation.frames = [np.ascontiguousarray(f) for f in loop]
    animation.durations = np.full(len(loop), round(1000 / LOOP_HZ), np.int32)
    target = IMAGES / "demo.gif"
    cv2.imwriteanimation(str(target), animation)
    size = target.stat().st_size
    print(f"docs/img/demo.gif: {len(loop)} pictures, {size / 1e6:.2f} MB")
    assert size < MOST_BYTES, size
