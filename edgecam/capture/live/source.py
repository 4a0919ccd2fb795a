"""A live source around a :class:`~edgecam.capture.live.reader.LatestReader`."""

from __future__ import annotations

from collections.abc import Callable

from edgecam.capture.base import LiveSource
from edgecam.capture.live.reader import Grab, Grabber, LatestReader
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, EdgecamError, SourceOpenError
from edgecam.core.types import Frame

# How long ``close`` waits for the thread. A healthy camera's next picture comes well within.
STOP_S = 0.3


class GrabbedSource(LiveSource):
    """Lost (CaptureError) means: the grabber said so, or nothing new came for ``read_timeout_s``."""

    stop_s = STOP_S

    def __init__(self, name: str, read_timeout_s: float) -> None:
        super().__init__(name)
        self._read_timeout_s = read_timeout_s
        self._reader: LatestReader | None = None
        self._last_new_ns = 0
        self._undecoded = 0  # when last looked

    def _begin(self, start: Callable[[], Grabber], timeout_s: float) -> Grab:
        """Start the thread and wait for the first picture. Raises SourceOpenError if none comes in time."""
        self._reader = LatestReader(self._name, start)
        try:
            first = self._reader.peek(timeout_s)
            if first is None:
                raise SourceOpenError(
                    f"{self._name}: no picture within {timeout_s:g} s; is the camera on, its address right?"
                )
        except CaptureError as error:  # broken before its first picture: it could not be opened
            self._reader.stop(0.0)
            raise SourceOpenError(str(error)) from None
        except EdgecamError:
            self._reader.stop(0.0)
            raise
        except Exception as error:  # a library's own kind
            self._reader.stop(0.0)
            raise SourceOpenError(f"{self._name} failed to start: {error!r}.") from error
        self._last_new_ns = now_ns()
        self._size_wh = (int(first.image.shape[1]), int(first.image.shape[0]))
        return first

    def _read(self, timeout_s: float) -> Frame | None:
        assert self._reader is not None
        left_s = self._read_timeout_s - (now_ns() - self._last_new_ns) / 1e9
        try:
            taken = self._reader.take(max(0.0, min(timeout_s, left_s)))
        except EdgecamError:
            raise
        except Exception as error:  # a library's own kind: the camera broke
            raise CaptureError(f"{self._name}: {error!r}") from error
        if self.undecoded != self._undecoded:  # pictures come, also while nobody has time for them
            self._undecoded = self.undecoded
            self._last_new_ns = now_ns()
        if taken is None:
            silent_s = (now_ns() - self._last_new_ns) / 1e9
            if silent_s >= self._read_timeout_s and not self._closed.is_set():
                raise CaptureError(f"{self._name}: nothing new for {silent_s:.1f} s")
            return None
        self._last_new_ns = now_ns()
        number, grab = taken
        self._index = number + self.undecoded
        height, width = grab.image.shape[:2]
        self._size_wh = (width, height)
        return Frame(grab.image, self._index, grab.captured_ns, self._name, lores=grab.lores)

    def _wake(self) -> None:
        if self._reader is not None:
            self._reader.interrupt()

    def _release(self) -> None:
        if self._reader is not None:
            self._reader.stop(self.stop_s)
