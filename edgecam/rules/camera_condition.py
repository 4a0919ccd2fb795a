"""A camera compared with its own past: covered, out of focus, or turned away."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.core.events import Event
from edgecam.core.types import Image, Result
from edgecam.rules.story import Now, Story

#: A look a second, at a grey picture of this size; the past is the last ten minutes of them.
LOOK_NS, SIZE_WH, PAST = 1_000_000_000, (160, 90), 600
#: Looks before anything is judged, and looks in a row before something has begun or is over.
FIRST, ROW = 30, 4
#: Covered: the grey levels' spread falls to this share of its past, and to so few levels.
FLAT_SHARE, FLAT_LEVELS = 0.3, 14.0
#: Out of focus: fine detail, relative to the spread, falls to this share of its past.
BLUR_SHARE = 0.35
#: Turned: edges agree with those of the past by less than this (correlation), a person before them by more.
EDGES_AGREE = 0.25
#: Only what usually stays can be turned: pictures that agree with their own past by less than this, by the
#: median, move by design (a patrol, a slide show, a moving vehicle), and another view is no news there.
EDGES_STAY = 0.5
#: Weight of a look in the edges of the past: half-life of half a minute.
ADAPT = 0.023
#: A view that stays is the new past after so many looks.
ACCEPTED = 60
_SAYS = {
    "covered": "the picture went flat: the camera is covered, or it is dark",
    "defocused": "the picture lost its fine detail: the lens is out of focus, wet or dirty",
    "moved": "the picture shows another view than before: the camera was moved",
}


class CameraCondition:
    """Implements :class:`edgecam.core.ports.Rule` for one live camera. One thread.

    Sees the picture itself, so a replay of recorded results cannot make its events again.
    """

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._looked_ns = 0
        self._spread: deque[float] = deque(maxlen=PAST)
        self._detail: deque[float] = deque(maxlen=PAST)
        self._edges: NDArray[np.float32] | None = None
        self._agreed: deque[float] = deque(maxlen=PAST)
        self._state = ""
        self._row = 0
        self._since = 0
        self._story: Story | None = None
        self._now = Now(0, 0, (0, 0), camera, "")

    def feed(self, result: Result) -> Sequence[Event]:
        """What began or ended in this frame."""
        at_ns = result.frame.captured_ns
        if at_ns - self._looked_ns < LOOK_NS:
            return ()
        self._looked_ns = at_ns
        self._now = Now(at_ns, result.wall_ms, result.frame.size_wh, self._camera, "")
        return self._judge(*self._measure(result.frame.image))

    def end(self) -> Sequence[Event]:
        """The end of what still lasts."""
        story, self._story = self._story, None
        return () if story is None else (self._tell(story, "end"),)

    def _measure(self, image: Image) -> tuple[float, float, NDArray[np.float32]]:
        """Spread of the grey levels, fine detail relative to it, and edges (mean 0, length 1)."""
        grey = cv2.cvtColor(cv2.resize(image, SIZE_WH, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        levels = grey.astype(np.float32)
        spread = float(levels.std())
        detail = float(cv2.Laplacian(levels, cv2.CV_32F).std()) / max(spread, 1.0)
        smooth = cv2.GaussianBlur(levels, (5, 5), 0)
        edges = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
        edges -= edges.mean()
        return spread, detail, (edges / max(float(np.linalg.norm(edges)), 1e-6)).astype(np.float32)

    def _judge(self, spread: float, detail: float, edges: NDArray[np.float32]) -> Sequence[Event]:
        wrong = ""
        agree = 1.0 if self._edges is None else float(np.vdot(self._edges, edges))
        if self._edges is not None and len(self._spread) >= FIRST:
            usual, fine = float(np.median(self._spread)), float(np.median(self._detail))
            if spread < FLAT_SHARE * usual and spread < FLAT_LEVELS:
                wrong = "covered"
            elif detail < BLUR_SHARE * fine:
                wrong = "defocused"
            elif agree < EDGES_AGREE and float(np.median(self._agreed)) >= EDGES_STAY:
                wrong = "moved"
        if wrong in ("", "moved"):
            self._agreed.append(agree)
        if not wrong:
            self._spread.append(spread)
            self._detail.append(detail)
            before = edges if self._edges is None else self._edges
            mixed = before + np.float32(ADAPT) * (edges - before)
            self._edges = mixed / np.float32(max(float(np.linalg.norm(mixed)), 1e-6))
        return self._turn(wrong, edges)

    def _turn(self, wrong: str, edges: NDArray[np.float32]) -> Sequence[Event]:
        story = self._story
        self._since += 1
        if story is not None and story.rule == wrong:
            self._row = 0
            if wrong == "moved" and self._since >= ACCEPTED:  # this is where it looks now
                self._edges = edges
                return self.end()
            return ()
        self._row = self._row + 1 if wrong == self._state else 1
        self._state = wrong
        if self._row < ROW:
            return ()
        events = list(self.end())
        if wrong:
            self._since = 0
            self._story = Story("camera", wrong, self._now.ns, self._now.ms, (wrong,), message=_SAYS[wrong])
            events.append(self._tell(self._story, "new"))
        return events

    def _tell(self, story: Story, kind: str) -> Event:
        end_ns = self._now.ns if kind == "end" else None
        event = story.tell("end" if kind == "end" else "new", self._now, end_ns=end_ns)
        return replace(event, rule="", state=story.rule)
