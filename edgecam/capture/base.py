"""What every source shares: its life-cycle, its numbering, and how it waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.limits import sane_rate_hz
from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream
from edgecam.core.ports import BusyFor, Source
from edgecam.core.text import escape
from edgecam.core.types import Frame, Share

if TYPE_CHECKING:
    from typing_extensions import Self


#: How long ``for frame in source`` waits in one read: Ctrl-C and ``close`` are felt within it.
ITERATION_READ_S = 0.25


class FrameIteration:
    """``for frame in source`` and ``with source:``, for whoever has ``read`` and ``close``."""

    def __iter__(self: Source) -> Iterator[Frame]:
        """Frames until there are no more, or the source is closed. CaptureError if it broke."""
        while True:
            try:
                frame = self.read(ITERATION_READ_S)
            except EndOfStream:
                return
            if frame is not None:
                yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self: Source,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class BaseSource(FrameIteration):
    """Implements :class:`edgecam.core.ports.Source` around ``_read`` and ``_release``.

    One owner thread calls ``read``. ``close`` may come from any thread: it wakes a waiting ``read`` and
    returns when the device is released. ``read`` after ``close`` raises EndOfStream.

    notice: a line for people while something is wrong ("camera lost, retrying in 4 s"), else empty.
    epoch: rises each time a lost source came back, or shows another scene; trackers start anew.
    credit: whose pictures these are, where that is owed. keep_clear: the part of them that nothing may cover.
    undecoded: pictures that came and were left undecoded; none, but for :class:`LiveSource`.
    """

    is_live: bool = False
    notice: str = ""
    epoch: int = 0
    credit: str = ""
    keep_clear: Share | None = None
    undecoded: int = 0

    def __init__(self, name: str) -> None:
        self._name = name = escape(name)
        self._description = name
        self._size_wh = (0, 0)
        self._rate_hz: float | None = None
        self._index = 0
        self._closed = threading.Event()
        self._released = False
        self._busy = threading.Lock()  # held by a read
        self._closing = threading.Lock()  # held by a close; taken before _busy

    @property
    def name(self) -> str:
        """Display name, without credentials."""
        return self._name

    def rename(self, name: str) -> None:
        """Take another name from the next frame on, since another source has this one already."""
        self._name = name

    @property
    def size_wh(self) -> tuple[int, int]:
        """Granted (width, height), pixels."""
        return self._size_wh

    @property
    def rate_hz(self) -> float | None:
        """Granted or nominal frames per second; None for what makes no sense (a file may name anything)."""
        return sane_rate_hz(self._rate_hz)

    @property
    def description(self) -> str:
        """One line for people: what was granted, and why if it is less than what was asked."""
        return self._description

    def skip_decoding(self, busy_for: BusyFor) -> None:
        """Nothing: every picture is wanted, or comes decoded."""

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, or None if none came within ``timeout_s``.

        Raises EndOfStream when there are no more (again and again), CaptureError when the source broke.
        """
        with self._busy:
            if self._closed.is_set():
                raise EndOfStream(f"{self._name} is closed")
            return self._read(timeout_s)

    def close(self) -> None:
        """Release everything. Idempotent; safe from any thread."""
        with self._closing:
            if self._released:
                return
            self._closed.set()
            self._wake()
            with self._busy:
                self._released = True
                self._release()

    def _read(self, timeout_s: float) -> Frame | None:
        """The next frame, as of :meth:`read`. Never called after ``close``, nor twice at once."""
        raise NotImplementedError

    def _wake(self) -> None:
        """Make a ``_read`` return that waits for something other than the closed event."""

    def _release(self) -> None:
        """Release the device. Called once, never during ``_read``."""


class LiveSource(BaseSource):
    """A camera. Whoever decodes its pictures asks ``_skipping`` which of them to leave undecoded."""

    is_live = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._skipping = DecodeSkipping()

    @property
    def undecoded(self) -> int:  # type: ignore[override]
        """Pictures left undecoded. Any thread."""
        return self._skipping.count

    def skip_decoding(self, busy_for: BusyFor) -> None:
        """Leave pictures undecoded that a newer one will replace. Any thread."""
        self._skipping.busy_for = busy_for


class Pacer:
    """Holds frames back until their time on the wall has come."""

    # Later than this and the clock is set anew: after a pause a file goes on where it was and does not rush.
    REBASE_AFTER_NS = 500_000_000

    def __init__(self, woken: threading.Event, *, rebase: bool = True) -> None:
        self._woken = woken
        self._rebase = rebase
        self._zero_ns: int | None = None

    def elapsed_ns(self) -> int:
        """Where the timeline stands now; 0 before the first frame."""
        return 0 if self._zero_ns is None else now_ns() - self._zero_ns

    def wait(self, media_ns: int, timeout_s: float) -> bool:
        """Wait until the frame at ``media_ns`` is due; False if not within ``timeout_s``, or if woken."""
        now = now_ns()
        if self._zero_ns is None:
            self._zero_ns = now - media_ns
        late_ns = now - (self._zero_ns + media_ns)
        if self._rebase and late_ns > self.REBASE_AFTER_NS:
            self._zero_ns = now - media_ns
        if late_ns >= 0:
            return True
        if -late_ns > timeout_s * 1e9:
            self._woken.wait(timeout_s)
            return False
        return not self._woken.wait(-late_ns / 1e9)
