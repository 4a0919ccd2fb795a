"""What every request must pass before it is read: its host, its origin, its size, who sent it.

Pure ASGI, so that WebSockets pass the same checks as everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Any

from edgecam.core.units import whole_within
from edgecam.web import limits
from edgecam.web.address import host_allowed
from edgecam.web.auth.access import OPEN, Identity
from edgecam.web.auth.store import Store

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
]
#: Browsers complain where the origin is not trustworthy: plain HTTP beyond this machine.
_COOP = (b"cross-origin-opener-policy", b"same-origin")
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Refused(Exception):  # noqa: N818 (an answer, not a fault)
    """A request that is refused before it is read."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Guard:
    """Wraps the application. names: host names that are ours; proxies: whose headers are believed."""

    def __init__(
        self,
        inner: AsgiApp,
        store: Store,
        names: frozenset[str],
        *,
        loopback_only: bool,
        secure: bool,
        proxies: frozenset[str] = frozenset(),
    ) -> None:
        self._inner = inner
        self._store = store
        self._names = names
        self._loopback_only = loopback_only
        self._secure = secure
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            return
        try:
            headers = self._check(scope)
        except Refused as refused:
            await refuse(scope, receive, send, refused.status, str(refused), self._plain_headers())
            return
        if scope["type"] == "websocket":
            await self._inner(scope, receive, send)
            return
        body = _Body(receive, headers)
        outgoing = _Answer(send, self._plain_headers())
        try:
            await self._inner(scope, body, outgoing)
        except Refused as refused:
            await self._fail(scope, receive, send, outgoing, refused.status, str(refused))
        except (asyncio.CancelledError, OSError):
            raise
        except Exception:
            log.exception("a request for %r failed", str(scope["path"])[:100])
            await self._fail(
                scope, receive, send, outgoing, 500, "edgecam could not answer; its log says why"
            )

    async def _fail(
        self, scope: Scope, receive: Receive, send: Send, outgoing: _Answer, status: int, message: str
    ) -> None:
        if not outgoing.started:
            await refuse(scope, receive, send, status, message, self._plain_headers())

    def _plain_headers(self) -> list[tuple[bytes, bytes]]:
        if self._secure:
            return [*_HEADERS, _COOP, _HSTS]
        return [*_HEADERS, _COOP] if self._loopback_only else _HEADERS

    def _check(self, scope: Scope) -> dict[str, str]:
        headers: dict[str, str] = {}
        for raw, value in scope["headers"]:
            name = raw.decode("latin-1").lower()
            if name in headers and name in ("host", "origin", "content-length", "authorization"):
                raise Refused(400, f"the header {name} comes twice")
            headers.setdefault(name, value.decode("latin-1"))
        if sum(len(k) + len(v) for k, v in scope["headers"]) > limits.HEAD_BYTES:
            raise Refused(431, f"the headers are longer than {limits.HEAD_BYTES} bytes")
        if len(scope.get("raw_path") or b"") > limits.PATH_CHARS:
            raise Refused(414, f"the path is longer than {limits.PATH_CHARS} characters")
        if len(scope.get("query_string") or b"") > limits.QUERY_CHARS:
            raise Refused(414, f"the query is longer than {limits.QUERY_CHARS} characters")
        scheme, host, client = self._seen_as(scope, headers)
        open_door = self._loopback_only and not self._store.has_password
        if not host_allowed(host, self._names, loopback_only=open_door):
            raise Refused(
                421,
                f"this board is not called {host[:80]!r}; use its address, or add the name to web_names",
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scheme}://{host}".lower():
            raise Refused(403, "the request comes from another page")
        site = headers.get("sec-fetch-site", "none")
        if site in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            raise Refused(403, "the request comes from another page")
        method = scope.get("method", "GET")
        if method not in _READS and site == "cross-site":
            raise Refused(403, "the request comes from another page")
        state = scope.setdefault("state", {})
        state["client"] = client
        state["secure"] = scheme == "https"
        state["cookie"] = _cookie(headers)
        state["identity"] = self._who(headers, state["cookie"], open_door)
        state["still"] = partial(self._still, headers, state["cookie"])
        return headers

    def _still(self, headers: dict[str, str], cookie: str | None) -> Identity | None:
        """Who a request that is still being answered belongs to now: tokens and sessions end."""
        return self._who(headers, cookie, self._loopback_only and not self._store.has_password)

    def _seen_as(self, scope: Scope, headers: dict[str, str]) -> tuple[str, str, str]:
        """Scheme, host and client address: the connection's, or what a named proxy says."""
        peer = str((scope.get("client") or ("", 0))[0])
        scheme = "https" if scope["scheme"] in ("https", "wss") else "http"
        host = headers.get("host", "")
        if peer in self._proxies:
            said = headers.get("x-forwarded-proto", scheme).split(",")[-1].strip().lower()
            scheme = {"wss": "https", "https": "https", "ws": "http", "http": "http"}.get(said, scheme)
            host = headers.get("x-forwarded-host", host).split(",")[-1].strip()
            said = headers.get("x-forwarded-for", "").split(",")[-1].strip()
            with contextlib.suppress(ValueError):
                peer = str(ipaddress.ip_address(said))
        return scheme, host, peer

    def _who(self, headers: dict[str, str], cookie: str | None, open_door: bool) -> Identity | None:
        authorization = headers.get("authorization", "")
        if authorization:
            kind, _, secret = authorization.partition(" ")
            return self._store.token(secret.strip()) if kind.lower() == "bearer" else None
        if open_door:
            return OPEN
        return self._store.session(cookie) if cookie else None


class _Body:
    """A request's body, counted and timed."""

    def __init__(self, receive: Receive, headers: dict[str, str]) -> None:
        self._receive = receive
        self._left = limits.BODY_BYTES
        self._done = False
        self._until: float | None = None
        length = headers.get("content-length", "0")
        if whole_within(length, 0, limits.BODY_BYTES) is None:
            self._left = -1

    async def __call__(self) -> Message:
        if self._left < 0:
            raise Refused(413, f"the body is longer than {limits.BODY_BYTES} bytes")
        if self._done:  # nothing more but the client's going, for which there is no hurry
            return await self._receive()
        now = asyncio.get_running_loop().time()
        self._until = now + limits.BODY_S if self._until is None else self._until
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._until - now))
        except asyncio.TimeoutError:
            raise Refused(408, f"the body did not come within {limits.BODY_S:g} s") from None
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._done = not message.get("more_body", False)
            if self._left < 0:
                raise Refused(413, f"the body is longer than {limits.BODY_BYTES} bytes")
        return message


class _Answer:
    """Adds the security headers, and gives up on a client that does not take its answer."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [*message.get("headers", ()), *self._headers]
        await asyncio.wait_for(self._send(message), limits.SEND_S)


def _cookie(headers: dict[str, str]) -> str | None:
    text = headers.get("cookie", "")
    if not text or len(text) > 4096:
        return None
    try:
        found = SimpleCookie(text)
    except CookieError:
        return None
    for name in COOKIES:
        if name in found:
            return found[name].value
    return None


#: The session's cookie; over TLS with the prefix that ties it to this very host.
COOKIES = ("__Host-edgecam", "edgecam")


async def refuse(
    scope: Scope, receive: Receive, send: Send, status: int, message: str, headers: list[tuple[bytes, bytes]]
) -> None:
    """Answer with an error, over HTTP or before a WebSocket begins."""
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    if scope["type"] == "websocket":
        await receive()
    body = json.dumps({"error": message}).encode()
    own = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    own += [(b"cache-control", b"no-store"), (b"connection", b"close")]
    await send({"type": f"{kind}.start", "status": status, "headers": [*own, *headers]})
    await send({"type": f"{kind}.body", "body": body})
    if scope["type"] == "websocket":
        # uvicorn takes a return before the connection has ended for a handshake that was forgotten
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_ended(receive), limits.SEND_S)


async def _ended(receive: Receive) -> None:
    for _ in range(2):  # its own word that it has answered, then the connection's end
        while (await receive())["type"] != "websocket.disconnect":
            pass
