"""All live views: cameras by id, channels by what is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from edgecam.core.types import Result
from edgecam.web import limits
from edgecam.web.live.channel import Channel
from edgecam.web.live.picture import LIVE_WH
from edgecam.web.live.viewer import Viewer

Size = Literal["live", "full"]


class Hub:
    """``publish`` from any thread; everything else on the server's loop, save ``close`` (the owner).

    cameras: ids by the frames' source name. rates: of each id. latest: the newest result of an id.
    """

    def __init__(
        self,
        cameras: dict[str, str],
        rates: dict[str, float | None],
        latest: Callable[[str], Result | None],
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._ids = cameras
        self._rates = rates
        self._latest = latest
        self._channels: dict[tuple[str, Size, bool], Channel] = {}
        self._by_source: dict[str, tuple[Channel, ...]] = {}
        self._closing = False

    def publish(self, result: Result) -> None:
        """A new result of any camera."""
        for channel in self._by_source.get(result.frame.source, ()):
            channel.publish(result)

    @property
    def viewers(self) -> int:
        """How many look at the moment."""
        return sum(len(channel.viewers) for channel in self._channels.values())

    def join(self, camera: str, size: Size, *, jpeg: bool) -> tuple[Channel, Viewer] | None:
        """A new viewer; None if there are too many, or the server is ending. Raises KeyError."""
        source = next(name for name, known in self._ids.items() if known == camera)
        if self.viewers >= limits.VIEWERS or self._closing:
            return None
        key = (camera, size, jpeg)
        if key not in self._channels:
            self._channels[key] = Channel(
                f"{camera}{'' if size == 'live' else '-full'}",
                lambda: self.loop,
                limit_wh=LIVE_WH if size == "live" else None,
                rate_hz=self._rates.get(camera),
                jpeg=jpeg,
            )
            self._by_source[source] = tuple(
                channel for (owner, _, _), channel in self._channels.items() if owner == camera
            )
        channel = self._channels[key]
        viewer = Viewer(needs_key=not jpeg)
        channel.join(viewer, self._latest(camera))
        return channel, viewer

    def end_viewers(self) -> None:
        """Close every viewer. On the loop."""
        self._closing = True
        for channel in self._channels.values():
            for viewer in list(channel.viewers):
                viewer.close()

    def close(self) -> None:
        """Stop every encoder. After the loop has ended."""
        for channel in self._channels.values():
            channel.close()
