"""One view of one camera: a thread that encodes while somebody looks, and the viewers it encodes for."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from edgecam.core.clock import now_ns
from edgecam.core.threads import OwnedThread
from edgecam.core.types import Image, Result
from edgecam.web.live.coder import Coder, CoderError, JpegCoder
from edgecam.web.live.message import LiveHeader, header_of
from edgecam.web.live.picture import fit, scaled
from edgecam.web.live.viewer import Viewer

log = logging.getLogger(__name__)

#: The encoder stays for this long after its last viewer, for one who only changes pages.
LINGER_S = 2.0
#: Key frames on demand come at most this often: they cost ten times a plain one, and all viewers pay.
KEY_PAUSE_NS = 400_000_000
#: Frames beyond this rate are left out; a screen shows no more in a browser.
MOST_HZ = 31.0
JOIN_S = 5.0


class Channel:
    """``publish`` from any thread; ``join``, ``leave`` and the viewers on the server's loop.

    limit_wh: the picture fits into it; None sends it whole. jpeg: pictures instead of video.
    """

    def __init__(
        self,
        name: str,
        loop: Callable[[], asyncio.AbstractEventLoop | None],
        *,
        limit_wh: tuple[int, int] | None,
        rate_hz: float | None,
        jpeg: bool,
    ) -> None:
        self.viewers: list[Viewer] = []
        self._name = name
        self._loop = loop
        self._limit_wh = limit_wh
        self._rate_hz = rate_hz
        self._jpeg = jpeg
        self._changed = threading.Condition()
        self._newest: Result | None = None
        self._wanted = False
        self._closed = False
        self._key = False
        self._key_ns = 0
        self._taken_ns = 0
        self._threads: list[OwnedThread] = []
        self._running = False
        self._fault = ""

    # -- any thread

    def publish(self, result: Result) -> None:
        """The camera's newest result. Costs nothing while nobody looks."""
        if not self._wanted:
            return
        at_ns = result.frame.captured_ns
        if 0 <= at_ns - self._taken_ns < 1e9 / MOST_HZ * 0.8:
            return
        self._taken_ns = at_ns
        with self._changed:
            self._newest = result
            self._changed.notify()

    # -- the server's loop

    def join(self, viewer: Viewer, newest: Result | None) -> None:
        """Begin to serve a viewer; ``newest`` is shown to it at once."""
        self.viewers.append(viewer)
        with self._changed:
            self._wanted = True
            self._key = True
            if self._newest is None:
                self._newest = newest
            if not self._closed and not self._running:
                self._running = True
                self._threads = [t for t in self._threads if t.alive]  # one may be on its last line still
                self._threads.append(OwnedThread(f"live-{self._name}", self._run))
                self._threads[-1].start()
            self._changed.notify()

    def leave(self, viewer: Viewer) -> None:
        """Serve a viewer no more."""
        viewer.close()
        if viewer in self.viewers:
            self.viewers.remove(viewer)
        if not self.viewers:
            with self._changed:
                self._wanted = False
                self._changed.notify()

    def _deliver(self, messages: list[tuple[bool, bytes]]) -> None:
        for key, message in messages:
            for viewer in self.viewers:
                viewer.offer(key, message)
        if any(viewer.wants_key for viewer in self.viewers):
            self._key = True

    # -- the owner

    def close(self) -> None:
        """Stop and join the thread. Re-raises nothing: what failed was logged."""
        with self._changed:
            self._closed = True
            self._wanted = False
            self._changed.notify()
        for thread in self._threads:
            thread.join(JOIN_S)

    # -- the encoding thread

    def _run(self) -> None:
        coder = self._open()
        try:
            while self._wait():
                messages = self._encode(coder)
                loop = self._loop()
                if messages and loop is not None and not loop.is_closed():
                    try:
                        loop.call_soon_threadsafe(self._deliver, messages)
                    except RuntimeError:  # it closed in between: the server ends
                        return
        finally:
            coder.close()

    def _open(self) -> Coder:
        if self._jpeg:
            return JpegCoder()
        # here, on the first viewer's thread: PyAV takes 16 MB, and a page that nobody looks at needs none
        from edgecam.web.live.video import VideoCoder

        return VideoCoder(self._rate_hz)

    def _wait(self) -> bool:
        """Until there is a result that was not encoded yet; False when nobody has looked for a while."""
        with self._changed:
            while not self._closed:
                if not self._wanted:
                    self._changed.wait_for(lambda: self._wanted or self._closed, LINGER_S)
                    if not self._wanted:
                        self._newest = None
                        break
                if self._newest is not None:
                    return True
                self._changed.wait()
            self._running = False
            return False

    def _encode(self, coder: Coder) -> list[tuple[bool, bytes]]:
        now = now_ns()
        key = self._key and now - self._key_ns >= KEY_PAUSE_NS
        if key:
            self._key, self._key_ns = False, now
        header, image = self._take()
        try:
            return coder.encode(header, image, key=key)
        except CoderError as error:
            if str(error) != self._fault:
                self._fault = str(error)
                log.warning("live view of %s: %s; trying another encoder", self._name, error)
            return []

    def _take(self) -> tuple[LiveHeader, Image]:
        """The newest result's picture as it is sent. The frame, which is larger, is let go at once."""
        with self._changed:
            result, self._newest = self._newest, None
        assert result is not None  # only this thread takes it
        frame = result.frame
        size_wh = fit(frame.size_wh, self._limit_wh)
        return header_of(result, "jpeg" if self._jpeg else "h264", size_wh), scaled(frame.image, size_wh)
