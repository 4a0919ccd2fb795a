"""What open pages hear without asking: the board's figures once a second, and events as they happen."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from edgecam.core.events import Event
from edgecam.web import limits
from edgecam.web.api.cameras import board_stats
from edgecam.web.api.events import event_row
from edgecam.web.api.operation import Call
from edgecam.web.live.viewer import Viewer
from edgecam.web.site import Site

log = logging.getLogger(__name__)

EVERY_S = 1.0


class News:
    """``post`` from any thread; the rest on the server's loop."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._listeners: dict[Viewer, Call] = {}

    @property
    def has_capacity(self) -> bool:
        """Whether one more page may listen."""
        return len(self._listeners) < limits.LISTENERS

    def join(self, viewer: Viewer, call: Call) -> None:
        """Let a page listen from now on."""
        self._listeners[viewer] = call

    def leave(self, viewer: Viewer) -> None:
        """A page has gone: it listens no more."""
        viewer.close()
        self._listeners.pop(viewer, None)

    def post(self, event: Event) -> None:
        """Send an event to every page that may see its camera. Any thread."""
        loop = self._site.hub.loop
        if loop is None or loop.is_closed() or not self._listeners:
            return
        try:
            loop.call_soon_threadsafe(self._tell, event)
        except RuntimeError:  # the loop ended in between
            return

    def _tell(self, event: Event) -> None:
        message = msgspec.json.encode({"type": "event", "event": event_row(self._site, event)})
        for viewer, call in list(self._listeners.items()):
            if call.sees_source(event.camera):
                viewer.offer(True, message)

    async def run(self) -> None:
        """Once a second, until cancelled. Pages of the same view share the encoding."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._site.events.warm)
        while True:
            await asyncio.sleep(EVERY_S)
            state = await loop.run_in_executor(None, self._site.control.state)
            self._site.history.add(state)
            made: dict[object, bytes] = {}
            for viewer, call in list(self._listeners.items()):
                seen = None if call.identity is None else call.identity.cameras
                if seen not in made:
                    made[seen] = msgspec.json.encode({"type": "stats", "stats": board_stats(call)})
                viewer.offer(True, made[seen])

    def end(self) -> None:
        """On the loop: close every page's socket."""
        for viewer in list(self._listeners):
            viewer.close()
