"""Live pictures: the right boxes on the right frame, and nobody pays for somebody else's slow line."""

# Private names are touched here, for the bound of what waits for a viewer is memory: no viewer can see
# it.

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable

import av
import pytest
from web_board import Board, Serve
from websockets import Origin
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from edgecam.capture.generated.frame_code import read_code
from edgecam.web.live.message import LiveHeader, unpack
from edgecam.web.live.picture import fit
from edgecam.web.live.viewer import UNSEEN, WAITING, Viewer


def view(board: Board, query: str = "", camera: str = "synthetic") -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{board.port}/api/{camera}/live{query}",
        origin=Origin(board.origin),
        max_size=None,
        compression=None,
    )


def receive(link: ClientConnection) -> tuple[LiveHeader, bytes]:
    message = link.recv(timeout=20)
    assert isinstance(message, bytes)
    return unpack(message)


def until(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("query", ["", "?size=full"])
def test_every_picture_is_the_frame_its_header_names(serve: Serve, query: str) -> None:
    board = serve(source=["synthetic:?live=1&size=1280x720&rate=20"])
    decoder = av.CodecContext.create("h264", "r")
    headers: list[LiveHeader] = []
    with view(board, query) as link:
        while len(headers) < 12:
            header, picture = receive(link)
            assert header.key or headers, "a stream begins with a key frame"
            headers.append(header)
            for frame in decoder.decode(av.Packet(picture)):
                number = frame.to_ndarray(format="bgr24")
                assert read_code(number) in {h.index for h in headers[-3:]}
                assert (frame.width, frame.height) == header.size_wh
    assert headers[0].size_wh == ((960, 540) if not query else (1280, 720))
    assert headers[0].frame_wh == (1280, 720)
    assert all(a.index < b.index and a.captured_ns < b.captured_ns for a, b in itertools.pairwise(headers))


def test_a_viewer_may_stay_longer_than_a_head_may_take(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecam.web.limits.HEAD_S", 2.0)
    board = serve()
    address = f"ws://127.0.0.1:{board.port}/api/updates"
    with view(board) as link, connect(address, origin=Origin(board.origin)) as updates:
        first, _ = receive(link)
        link.send('{"seen": 1}')
        while (receive(link)[0].captured_ns - first.captured_ns) < 5e9:
            link.send('{"seen": 1}')
        for _ in range(6):
            updates.recv(timeout=20)


def test_the_encoder_runs_only_while_somebody_looks(serve: Serve) -> None:
    board = serve()

    def encoding() -> bool:
        return any(t.name.startswith("live-") for t in threading.enumerate())

    assert not encoding()
    for _ in range(3):
        with view(board) as link:
            receive(link)
            assert encoding()
    until(lambda: not encoding())
    with view(board) as link:
        assert receive(link)[0].key
    assert board.server.site.hub.viewers in (0, 1)
    until(lambda: board.server.site.hub.viewers == 0)


def test_jpeg_and_mjpeg_show_the_frame_too(serve: Serve) -> None:
    import cv2
    import numpy as np

    board = serve()
    with view(board, "?format=jpeg") as link:
        header, picture = receive(link)
        assert header.codec == "jpeg"
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None and read_code(image) == header.index  # type: ignore[arg-type]
    import http.client

    link2 = http.client.HTTPConnection("127.0.0.1", board.port, timeout=20)
    link2.request("GET", "/api/synthetic/stream.mjpg")
    answer = link2.getresponse()
    assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")
    start = answer.read(4000)
    assert start.count(b"Content-Type: image/jpeg") >= 1 and b"\xff\xd8" in start
    link2.close()


def test_a_stalled_viewer_costs_the_others_nothing(serve: Serve) -> None:
    board = serve(source=["synthetic:?live=1&size=1280x720&rate=30"])
    with view(board, "?size=full") as stalled, view(board, "?size=full") as good:
        for _ in range(60):  # the stalled one reads nothing meanwhile
            receive(good)
        channel = next(iter(board.server.site.hub._channels.values()))
        assert len(channel.viewers) == 2
        assert all(len(v._waiting) <= WAITING for v in channel.viewers)
        stalled.close()


def test_a_viewer_on_a_slow_link_costs_the_others_nothing(serve: Serve) -> None:
    """It takes some hundred bytes for each picture of the good one, and says what it has seen only once."""
    board = serve(source=["synthetic:?live=1&size=1280x720&rate=30"])
    with socket.socket() as slow, view(board, "?size=full") as good:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(20)
        slow.connect(("127.0.0.1", board.port))
        slow.sendall(
            b"GET /api/synthetic/live?size=full HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert slow.recv(300).startswith(b"HTTP/1.1 101")
        said = b'{"seen": 1}'
        slow.sendall(bytes((0x81, 0x80 | len(said), 0, 0, 0, 0)) + said)  # masked by zeros
        receive(good)
        channel = next(iter(board.server.site.hub._channels.values()))
        count = 0
        while count < 60 or not any(v.dropped for v in channel.viewers):
            assert count < 600, "the slow one is spared what it cannot take"
            receive(good)
            slow.recv(300)
            count += 1
        assert len(channel.viewers) == 2 and all(len(v._waiting) <= WAITING for v in channel.viewers)


def test_a_viewer_behind_begins_again_at_a_key_frame() -> None:
    async def play() -> None:
        viewer = Viewer(needs_key=True)
        viewer.offer(False, b"delta before any key")
        assert viewer.dropped == 1 and viewer.wants_key
        viewer.offer(True, b"key")
        for _ in range(WAITING):
            viewer.offer(False, b"delta")
        assert not viewer._waiting and viewer.wants_key  # what waited was older
        viewer.offer(False, b"delta")
        viewer.offer(True, b"key 2")
        assert await viewer.next() == b"key 2"
        viewer.seen()
        for number in range(UNSEEN + 5):
            viewer.offer(number == 0, b"%d" % number)
            if viewer._waiting:
                await viewer.next()
        assert viewer.sent == 1 + UNSEEN  # no more until it says what it has shown
        viewer.seen()
        viewer.offer(True, b"key 3")
        assert await viewer.next() == b"key 3"
        viewer.close()
        assert await viewer.next() is None

    asyncio.run(play())


def test_who_may_not_look_is_told_so(serve: Serve) -> None:
    board = serve("a long enough phrase")
    with pytest.raises(InvalidStatus) as refused:
        view(board)
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{board.port}/api/nobody/live", origin=Origin("http://evil.example"))
    assert refused.value.response.status_code == 403


def test_the_clock_and_the_boards_news_come_over_sockets(serve: Serve) -> None:
    import json

    board = serve()
    with view(board) as link:
        receive(link)
        link.send('{"ping": 12.5}')
        while not isinstance(said := link.recv(timeout=20), str):
            pass
        assert json.loads(said)["pong"] == 12.5
    with connect(f"ws://127.0.0.1:{board.port}/api/updates", origin=Origin(board.origin)) as updates:
        for _ in range(2):
            told = json.loads(updates.recv(timeout=20))
            assert told["type"] == "stats" and told["stats"]["cameras"][0]["id"] == "synthetic"


def test_stopping_ends_every_viewer_in_time(serve: Serve) -> None:
    board = serve()
    with view(board) as link:
        receive(link)
        begun = time.monotonic()
        board.server.stop()
        with pytest.raises(Exception, match=r"1001|1012|close"):
            while True:
                link.recv(timeout=10)
        assert time.monotonic() - begun < 10


def test_live_sizes_are_even_and_never_larger() -> None:
    assert fit((1280, 720), (960, 540)) == (960, 540)
    assert fit((640, 481), (960, 540)) == (640, 480)
    assert fit((1080, 1920), (960, 540)) == (304, 540)
    assert fit((1921, 1081), None) == (1920, 1080)
