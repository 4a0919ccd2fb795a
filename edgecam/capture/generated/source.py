"""What the two generated sources share: a picture that is a pure function of the frame's number."""

from __future__ import annotations

from edgecam.capture.base import BaseSource, Pacer
from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream
from edgecam.core.types import Frame, Image


class GeneratedSource(BaseSource):
    """Draws frame after frame, by ``_draw(index)``.

    As a file, by default: frames wait, and come as fast as they are read unless ``paced``. With ``live``
    it is a camera: frames come at ``rate_hz``, and those that nobody takes in time are lost; their
    numbers are skipped.
    """

    def __init__(
        self, name: str, size_wh: tuple[int, int], rate_hz: float, *, frames: int, live: bool, paced: bool
    ) -> None:
        super().__init__(name)
        self.is_live = live
        self._size_wh = size_wh
        self._rate_hz: float = rate_hz
        self._frames = frames
        self._paced = paced or live
        self._pacer = Pacer(self._closed, rebase=not live)

    def _draw(self, index: int) -> Image:
        """Frame ``index``, in fresh memory."""
        raise NotImplementedError

    def _media_ns(self, index: int) -> int:
        return int(index * 1e9 / self._rate_hz)

    def _read(self, timeout_s: float) -> Frame | None:
        if self.is_live:
            # a camera does not wait: the newest frame that is out already comes next, unless it was taken
            newest = int(self._pacer.elapsed_ns() * self._rate_hz / 1e9)
            self._index = max(self._index, newest)
        if self._frames and self._index >= self._frames:
            raise EndOfStream(f"{self._name}: all {self._frames} frames are out")
        media_ns = self._media_ns(self._index)
        if self._paced and not self._pacer.wait(media_ns, timeout_s):
            return None
        captured_ns = now_ns()
        image = self._draw(self._index)
        frame = Frame(
            image, self._index, captured_ns, self._name, media_ns=None if self.is_live else media_ns
        )
        self._index += 1
        return frame
