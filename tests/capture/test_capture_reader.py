"""A lost camera's grabber, its decoder and threads go with its source, not when garbage is collected."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from edgecam.capture.live.reader import Grab
from edgecam.capture.live.source import GrabbedSource
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError


class Camera:
    """Gives one picture, then breaks."""

    def __init__(self) -> None:
        self._pictures = iter([np.zeros((4, 4, 3), np.uint8)])
        self.closed = False

    def grab(self) -> Grab | None:
        try:
            return Grab(next(self._pictures), now_ns())
        except StopIteration as error:
            raise CaptureError("lost") from error

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        pass


class Source(GrabbedSource):
    def __init__(self) -> None:
        super().__init__("camera", 1.0)
        self.seen: weakref.ref[Camera] | None = None
        self._begin(self._connect, 5.0)

    def _connect(self) -> Camera:
        camera = Camera()
        self.seen = weakref.ref(camera)
        self.about = lambda: camera.closed
        return camera


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("lost", [True, False])
def test_a_closed_source_lets_its_camera_go_at_once(lost: bool) -> None:
    source = Source()
    if lost:
        assert source.read(1.0) is not None
        with pytest.raises(CaptureError):
            while True:
                source.read(1.0)
    source.close()
    camera, whole = source.seen, weakref.ref(source)
    assert camera is not None
    del source
    assert whole() is None and camera() is None
