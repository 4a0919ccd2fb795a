"""What the window needs from the program behind it, which implements it. Qt is not imported here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct, field

from edgecam.core.control import Changes
from edgecam.core.ports import Pulse
from edgecam.core.state import State
from edgecam.core.types import Image, Result
from edgecam.overlay.style import Style


class Controller(Protocol):
    """Results to show, and commands of the person before the screen. All calls come from the GUI thread.

    Every call returns quickly (well under a frame). A command that cannot be done raises an
    :class:`~edgecam.core.errors.EdgecamError`; its sentence is shown on the screen and the window goes on.
    """

    def results(self) -> tuple[Result | None, ...]:
        """The newest result of each source; the same object while there is no newer one; None before any."""

    def state(self) -> State:
        """What is going on; the same object until there is a newer one, a few times a second."""

    def change(self, **settings: object) -> Changes:
        """Set live settings; see :class:`edgecam.core.control.Control`. They stand in the next ``state``."""

    def displayed(self, result: Result, at_ns: int) -> None:
        """``result`` was painted for the first time, at ``at_ns``."""

    def finished(self) -> bool:
        """True once nothing more will come, the file over or the pipeline failed: the window closes."""

    def set_paused(self, paused: bool) -> None:
        """The person pauses or goes on. The window shows no new results while paused, whatever comes."""

    def snapshot(self) -> str:
        """Write the current picture; returns its path."""

    def toggle_recording(self) -> str:
        """Start or stop a clip; returns a line for the screen."""


class CodeReport(Protocol):
    """What ``edgecam latency-test`` has found so far."""

    @property
    def changes(self) -> int:
        """Changes seen."""

    @property
    def total_p50_ms(self) -> float:
        """Median, screen to screen."""


class CodeMeasurement(Protocol):
    """What the window of ``edgecam latency-test`` needs: which code to show, and where to report it."""

    @property
    def sees(self) -> bool:
        """Whether the camera sees the code."""

    def draw(self, serial: int, side_px: int) -> Image:
        """The code, (side, side) uint8 grey."""

    def code(self, now_ns: int) -> int:
        """The serial number of the code to show now."""

    def shown(self, serial: int, at_ns: int) -> None:
        """The code was painted."""

    def seen(self, result: Result, at_ns: int) -> None:
        """A result was painted."""

    def report(self) -> CodeReport:
        """So far."""


class PairingCode(Struct, frozen=True):
    """A way in for a phone: the page's address for people, and the QR code's rows of ``0`` and ``1``.

    state: whether it ``waits`` for a phone, was ``used``, or is ``over`` (too old, or the board has another
    address by now); any thread. renew: gives another once it is over; None leaves that to who asks for one.
    """

    address: str
    rows: tuple[str, ...]
    state: Callable[[], str] = lambda: "waits"
    renew: Callable[[], PairingCode] | None = None


class WindowOptions(Struct, frozen=True):
    """How the window looks and behaves.

    platform: Qt's platform plugin, from :func:`edgecam.ui.display.choose_display`; empty for Qt's own choice.
    fullscreen: start so. kiosk: full screen, frameless, without cursor, Esc and Q do nothing.
    picture_wh: expected picture size; the window opens in it, or smaller if the screen is.
    refresh_hz: rate of looking for a new result; the screen's own if None.
    max_age_ns: a result whose frame is older than this is greyed, with a notice; None for no such limit.
    sources: what the sources are called, in the order of ``Controller.results``; several are tiled.
    pairing: makes a new code for a phone; None without a page. pair_at_start: show one when the window opens.
    pulse: hears from the stage ``window`` at each look for a new result, while the window is open.
    """

    title: str = "edgecam"
    platform: str = ""
    fullscreen: bool = False
    kiosk: bool = False
    picture_wh: tuple[int, int] = (1280, 720)
    refresh_hz: float | None = None
    max_age_ns: int | None = None
    style: Style = field(default_factory=Style)
    sources: tuple[str, ...] = ()
    pulse: Pulse | None = None
    pairing: Callable[[], PairingCode] | None = None
    pair_at_start: bool = False
