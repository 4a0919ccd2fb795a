from __future__ import annotations

from collections.abc import Iterator

import pytest
from rtsp_camera import RtspCamera, have_rtsp_server


@pytest.fixture(scope="session")
def rtsp() -> Iterator[RtspCamera]:
    """A healthy RTSP camera, shared by the tests that leave it so."""
    yield from _camera()


@pytest.fixture
def own_rtsp() -> Iterator[RtspCamera]:
    """An RTSP camera to freeze and kill."""
    yield from _camera()


def _camera() -> Iterator[RtspCamera]:
    if not have_rtsp_server():
        pytest.skip(
            "no RTSP server here: needs python3-gi gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins"
        )
    camera = RtspCamera()
    yield camera
    camera.kill()
