"""The contract of ports.Source, held over every kind of source that can be opened here."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from capture_material import http_camera, write_pictures, write_video
from v4l2_sim import SimCamera

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.live.reconnect import ReconnectingSource
from edgecam.capture.v4l2.source import V4L2Source
from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream
from edgecam.core.ports import Source
from edgecam.core.types import Frame

Opener = Callable[..., Source]
FILES = ("video", "video-paced", "pictures", "picture", "synthetic", "demo")
LIVE = ("synthetic-live", "demo-live", "http", "rtsp", "v4l2", "v4l2-reconnecting")
COUNT = 5


@pytest.fixture(params=(*FILES, *LIVE))
def opener(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opener]:
    """Opens the source; call it with ``paced=True`` to slow a file down."""
    kind: str = request.param
    uri, options = "", SourceOptions(reconnect="off")
    if kind.startswith("video"):
        uri = str(write_video(tmp_path / "v.mp4", [40 * i for i in range(COUNT)]))
        options = SourceOptions(paced=kind.endswith("paced"))
    elif kind == "pictures":
        uri = str(write_pictures(tmp_path / "shots", COUNT))
    elif kind == "picture":
        uri = str(write_pictures(tmp_path / "shots", 1) / "shot0.png")
    elif kind.startswith(("synthetic", "demo")):
        name, _, live = kind.partition("-")
        uri = f"{name}:?size=320x180&rate=50&frames={COUNT}&live={int(bool(live))}"
    elif kind == "rtsp":
        uri = request.getfixturevalue("rtsp").url(user="user:secret@")
    elif kind.startswith("v4l2"):
        camera = SimCamera(monkeypatch, tmp_path)
        uri = camera.path
        options = SourceOptions(reconnect="forever" if kind.endswith("reconnecting") else "off")
        yield lambda: ReconnectingSource.wrap(lambda: V4L2Source(uri, options), options, uri)
        return
    if kind == "http":
        with http_camera() as served:
            uri = f"http://user:secret@127.0.0.1:{served.port}/video"
            yield lambda: open_source(uri, options)
        return
    yield lambda: open_source(uri, options)


def read_some(source: Source, count: int = COUNT) -> list[Frame]:
    """Up to ``count`` frames, or fewer at the end."""
    frames: list[Frame] = []
    limit = time.monotonic() + 20
    while len(frames) < count:
        assert time.monotonic() < limit, "too few frames within 20 s"
        try:
            frame = source.read(1.0)
        except EndOfStream:
            break
        if frame is not None:
            frames.append(frame)
    return frames


def test_frames_keep_the_contract(opener: Opener) -> None:
    before = now_ns()
    with opener() as source:
        assert isinstance(source, Source)
        frames = read_some(source)
        assert frames
        for frame in frames:
            assert frame.image.dtype == np.uint8
            assert frame.image.ndim == 3
            assert frame.image.shape[2] == 3
            assert frame.image.flags.c_contiguous
            assert before - 10_000_000_000 < frame.captured_ns <= now_ns()
            assert frame.source == source.name
            assert (frame.media_ns is None) == source.is_live
        indices = [frame.index for frame in frames]
        if source.is_live:
            assert all(a < b for a, b in itertools.pairwise(indices))
        else:
            assert indices == list(range(len(frames)))
            assert frames[0].size_wh == source.size_wh
        stamps = [frame.captured_ns for frame in frames]
        assert stamps == sorted(stamps)


def test_frames_are_never_overwritten(opener: Opener) -> None:
    with opener() as source:
        kept = [(frame, frame.image.copy()) for frame in read_some(source)]
    for frame, copy in kept:
        assert np.array_equal(frame.image, copy)
    images = [frame.image for frame, _ in kept]
    assert not any(np.shares_memory(a, b) for a, b in itertools.pairwise(images))


def test_the_description_is_one_clean_line(opener: Opener) -> None:
    with opener() as source:
        for text in (source.name, source.description):
            assert text
            assert "\n" not in text
            assert "secret" not in text
            assert "user" not in text
        assert source.size_wh[0] > 0
        assert source.rate_hz is None or source.rate_hz > 0


@pytest.mark.parametrize("opener", (*FILES, "synthetic-live", "demo-live"), indirect=True)
def test_the_end_comes_again_and_again(opener: Opener) -> None:
    with opener() as source:
        frames = read_some(source, COUNT + 1)
        assert 0 < len(frames) <= COUNT
        for _ in range(3):
            with pytest.raises(EndOfStream):
                source.read(0.0)


def test_no_time_means_at_once(opener: Opener) -> None:
    with opener() as source:
        read_some(source, 1)
        for _ in range(3):
            began = time.monotonic()
            try:
                source.read(0.0)
            except EndOfStream:
                break
            # generous: it must not wait for a camera's next picture and be late by seconds
            assert time.monotonic() - began < 2.0


def test_close_is_idempotent_and_final(opener: Opener) -> None:
    source = opener()
    read_some(source, 1)
    source.close()
    source.close()
    with pytest.raises(EndOfStream):
        source.read(1.0)


def test_close_from_another_thread_ends_a_read(opener: Opener) -> None:
    source = opener()
    ended = threading.Event()

    def owner() -> None:
        try:
            while True:
                source.read(30.0)
        except EndOfStream:
            ended.set()

    thread = threading.Thread(target=owner)
    thread.start()
    time.sleep(0.1)
    source.close()
    thread.join(10.0)
    assert ended.is_set()
