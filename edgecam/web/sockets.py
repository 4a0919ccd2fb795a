"""WebSockets and streams: live pictures, and the board's news once a second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from urllib.parse import parse_qs

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from edgecam.core.clock import now_ns
from edgecam.web import limits
from edgecam.web.api.cameras import board_stats
from edgecam.web.api.operation import ID, Call
from edgecam.web.auth.access import Identity
from edgecam.web.guard import Receive, Scope, Send, refuse
from edgecam.web.live.hub import Size
from edgecam.web.live.message import unpack
from edgecam.web.live.viewer import Viewer
from edgecam.web.news import News
from edgecam.web.site import Site

log = logging.getLogger(__name__)

_LIVE = re.compile(rf"/api/(?P<camera>{ID})/live")
_MJPEG = re.compile(rf"/api/(?P<camera>{ID})/stream\.mjpg")
BOUNDARY = b"edgecam-frame"


class Ping(msgspec.Struct):
    """What a page may send: the newest index it has shown, and its own clock to be answered."""

    seen: int | None = None
    ping: float | None = None


class Streams:
    """Serves everything that does not end with one answer."""

    def __init__(self, site: Site, news: News) -> None:
        self._site = site
        self._news = news

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``/api/{camera}/live`` and ``/api/updates``."""
        path, identity = str(scope["path"]), scope["state"]["identity"]
        match = _LIVE.fullmatch(path)
        if identity is None:
            await refuse(scope, receive, send, 401, "log in first", [])
        elif match is not None:
            camera = self._site.camera(match["camera"])
            if camera is None or not identity.sees(camera.id):
                await refuse(scope, receive, send, 404, f"there is no camera '{match['camera']}'", [])
                return
            query = parse_qs(scope["query_string"].decode("latin-1"))
            size: Size = "full" if query.get("size") == ["full"] else "live"
            joined = self._site.hub.join(camera.id, size, jpeg=query.get("format") == ["jpeg"])
            if joined is None:
                await refuse(scope, receive, send, 503, f"{limits.VIEWERS} look already; try again later", [])
                return
            channel, viewer = joined
            try:
                await self._serve(WebSocket(scope, receive, send), viewer, scope, camera.id)
            finally:
                channel.leave(viewer)
        elif path == "/api/updates":
            if not self._news.has_capacity:
                await refuse(scope, receive, send, 503, f"{limits.LISTENERS} pages are open already", [])
                return
            await self._listen(WebSocket(scope, receive, send), scope)
        else:
            await refuse(scope, receive, send, 404, "there is no stream at this address", [])

    async def _serve(
        self, socket: WebSocket, viewer: Viewer, scope: Scope, camera: str | None, first: bytes = b""
    ) -> None:
        """Send what comes, until one side ends it, or whoever looks may no longer."""
        await socket.accept()
        hearing = asyncio.ensure_future(self._hear(socket, viewer))
        asking = asyncio.ensure_future(_while_allowed(scope, camera, viewer))
        try:
            if first:
                await socket.send_bytes(first)
            while (message := await viewer.next()) is not None:
                await asyncio.wait_for(socket.send_bytes(message), limits.SEND_S)
            with contextlib.suppress(RuntimeError):
                await socket.close(1008 if asking.done() else 1000 if hearing.done() else 1001)
        except (WebSocketDisconnect, asyncio.TimeoutError, OSError, RuntimeError):
            pass
        finally:
            await _ended(hearing, asking)

    async def _hear(self, socket: WebSocket, viewer: Viewer) -> None:
        """Read what the viewer sends, until it goes."""
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                try:
                    said = msgspec.json.decode(message.get("text") or "", type=Ping)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    return  # not a viewer of ours
                if said.seen is not None:
                    viewer.seen()
                if said.ping is not None and socket.application_state == WebSocketState.CONNECTED:
                    await socket.send_text(f'{{"pong": {said.ping!r}, "now_ns": {now_ns()}}}')
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass
        finally:
            viewer.close()

    async def _listen(self, socket: WebSocket, scope: Scope) -> None:
        state = scope["state"]
        call = Call(self._site, state["identity"], {}, {}, state["client"], state["secure"], state["cookie"])
        viewer = Viewer(needs_key=False)
        self._news.join(viewer, call)
        first = msgspec.json.encode({"type": "stats", "stats": board_stats(call)})
        try:
            await self._serve(socket, viewer, scope, None, first)
        finally:
            self._news.leave(viewer)

    async def mjpeg(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """``/api/{camera}/stream.mjpg``; False if the path is another."""
        match = _MJPEG.fullmatch(str(scope["path"]))
        if match is None or scope["method"] != "GET":
            return False
        identity = scope["state"]["identity"]
        camera = self._site.camera(match["camera"])
        if identity is None:
            await refuse(scope, receive, send, 401, "log in first", [])
            return True
        if camera is None or not identity.sees(camera.id):
            await refuse(scope, receive, send, 404, f"there is no camera '{match['camera']}'", [])
            return True
        joined = self._site.hub.join(camera.id, "live", jpeg=True)
        if joined is None:
            await refuse(scope, receive, send, 503, f"{limits.VIEWERS} look already; try again later", [])
            return True
        channel, viewer = joined
        gone = asyncio.ensure_future(_until_gone(receive, viewer))
        asking = asyncio.ensure_future(_while_allowed(scope, camera.id, viewer))
        try:
            kind = b"multipart/x-mixed-replace; boundary=" + BOUNDARY
            headers = [(b"content-type", kind), (b"cache-control", b"no-store"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while (message := await viewer.next()) is not None:
                _, picture = unpack(message)
                head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (
                    BOUNDARY,
                    len(picture),
                )
                await send(
                    {"type": "http.response.body", "body": head + picture + b"\r\n", "more_body": True}
                )
            await send({"type": "http.response.body", "body": b"--%s--\r\n" % BOUNDARY, "more_body": False})
        except (asyncio.TimeoutError, OSError):
            pass
        finally:
            channel.leave(viewer)
            await _ended(gone, asking)
        return True


async def _while_allowed(scope: Scope, camera: str | None, viewer: Viewer) -> None:
    """Returns, and ends the stream, once the token or session no longer holds (for that camera)."""
    while True:
        await asyncio.sleep(limits.STILL_EVERY_S)
        identity: Identity | None = scope["state"]["still"]()
        if identity is None or not (camera is None or identity.sees(camera)):
            viewer.close()
            return


async def _ended(*tasks: asyncio.Future[None]) -> None:
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _until_gone(receive: Receive, viewer: Viewer) -> None:
    while True:
        if (await receive())["type"] == "http.disconnect":
            viewer.close()
            return
