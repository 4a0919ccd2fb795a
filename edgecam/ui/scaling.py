"""How large buttons, panels and messages are: they grow with the window as the overlay's text does."""

from __future__ import annotations

from PyQt6.QtWidgets import QWidget

from edgecam.overlay.compose import text_size_px
from edgecam.overlay.scene import View

#: The overlay's text on a picture of 720 lines, for which all sizes in this room are given.
DESIGN_TEXT_PX = 17
#: A button of 52 px must stay touchable on the smallest window.
LEAST, MOST = 0.72, 6.0


def ui_scale(window: QWidget) -> float:
    """The factor on all sizes in ``window``, in Qt's own (logical) pixels."""
    ratio = window.devicePixelRatioF()
    canvas = View(0, 0, max(1, round(window.width() * ratio)), max(1, round(window.height() * ratio)))
    return min(MOST, max(LEAST, text_size_px(canvas) / ratio / DESIGN_TEXT_PX))
