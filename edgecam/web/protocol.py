"""uvicorn's HTTP protocol with what it lacks: limits on connections, and on the time for a request."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from edgecam.web import limits


def cut_off_when_closing(
    transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, *, was_closing: bool = False
) -> None:
    """From now on end the connection once it has been closed for a while and waits for a client that takes
    nothing; also when the transport becomes a WebSocket's.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return
    if was_closing:
        transport.abort()
        return
    again = partial(cut_off_when_closing, transport, loop, was_closing=transport.is_closing())
    loop.call_later(limits.LINGER_S, again)


class LimitedProtocol(H11Protocol):
    """Closes a connection that is one too many, or that sends no whole request in time."""

    _head_timer: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse or watch a new connection."""
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        mine = sum(1 for c in self.connections if (getattr(c, "client", None) or ("",))[0] == peer)
        if len(self.connections) > limits.CONNECTIONS or mine > limits.CONNECTIONS_PER_ADDRESS:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=64 * 1024)
        cut_off_when_closing(transport, self.loop)
        self._watch()

    def _watch(self) -> None:
        if self._head_timer is None and not self._upgraded:
            self._head_timer = self.loop.call_later(limits.HEAD_S, self._head_late)

    def _head_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.abort()

    def _unwatch(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def data_received(self, data: bytes) -> None:
        """Pass data on; the clock for a head runs while no request is being answered."""
        cycle = self.cycle
        super().data_received(data)
        if self.cycle is not cycle:
            self._unwatch()
        elif self.cycle is None or self.cycle.response_complete:
            self._watch()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Stop the clock: a WebSocket has limits of its own, and this was the connection's last head."""
        self._upgraded = True
        self._unwatch()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._unwatch()
        super().connection_lost(exc)
