"""The code on the screen that lets a phone in: a QR reader reads the page's address from the window."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("PyQt6.QtWidgets", reason="needs the extra 'ui'", exc_type=ImportError)
pytest.importorskip("segno", reason="needs the extra 'web'")

import segno
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QImage
from PyQt6.QtTest import QTest
from ui_samples import FakeController

from edgecam.ui.controller import PairingCode, WindowOptions
from edgecam.ui.window import CameraWindow

ADDRESS = "http://192.168.1.20:8080/#/pair/" + "k" * 43


def code() -> PairingCode:
    matrix = segno.make(ADDRESS, error="l").matrix
    return PairingCode(
        "http://192.168.1.20:8080/", tuple("".join("01"[bool(c)] for c in row) for row in matrix)
    )


def test_it_goes_when_a_phone_has_come_in_and_is_renewed_when_it_is_over(qt_app: Any) -> None:
    """A kiosk has nobody who would click it away."""
    state = ["waits"]

    def made() -> PairingCode:
        plain = code()
        return PairingCode(plain.address, plain.rows, lambda: state[0], again)

    def again() -> PairingCode:
        state[0] = "waits"
        return PairingCode("http://192.168.1.21:8080/", code().rows, lambda: state[0], again)

    window = CameraWindow(FakeController(), WindowOptions(refresh_hz=10.0, pairing=made, pair_at_start=False))
    window._timer.stop()
    window.show()
    window.toggle_pairing()
    panel = window._pair
    panel.look()
    assert panel.isVisible() and "192.168.1.20" in panel.accessibleName()
    state[0] = "over"
    panel.look()
    assert panel.isVisible() and "192.168.1.21" in panel.accessibleName(), "another code for the new address"
    state[0] = "used"
    panel.look()
    assert not panel.isVisible()
    window.close()
    window.deleteLater()
    qt_app.processEvents()


def test_no_panel_lies_over_another(qt_app: Any) -> None:
    window = CameraWindow(FakeController(), WindowOptions(refresh_hz=10.0, pairing=code, pair_at_start=False))
    window._timer.stop()
    window.show()
    window.tick()
    panels = {Qt.Key.Key_P: window._pair, Qt.Key.Key_C: window._classes, Qt.Key.Key_H: window._help}
    for key in (*panels, *reversed(panels)):
        if not panels[key].isVisible():
            QTest.keyClick(window, key)  # type: ignore[call-overload]
        assert [panel for panel in panels.values() if panel.isVisible()] == [panels[key]]
    QTest.keyClick(window, Qt.Key.Key_Escape)  # type: ignore[call-overload]
    assert window.isVisible() and not any(panel.isVisible() for panel in panels.values())
    window.close()
    window.deleteLater()
    qt_app.processEvents()


@pytest.mark.parametrize("size", [(1280, 720), (800, 480), (480, 320)])
def test_a_reader_reads_it_from_the_window(qt_app: Any, size: tuple[int, int]) -> None:
    options = WindowOptions(refresh_hz=10.0, pairing=code, pair_at_start=False)
    window = CameraWindow(FakeController(), options)
    window._timer.stop()
    window.resize(*size)
    window.show()
    window.tick()
    QTest.keyClick(window, Qt.Key.Key_P)  # type: ignore[call-overload]
    qt_app.processEvents()
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    assert bits is not None
    bits.setsize(image.sizeInBytes())
    picture = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())  # type: ignore[call-overload]
    picture = picture[:, : image.width() * 3].reshape(image.height(), image.width(), 3)
    read, _, _ = cv2.QRCodeDetector().detectAndDecode(np.ascontiguousarray(picture))
    assert read == ADDRESS
    QTest.keyClick(window, Qt.Key.Key_Escape)  # type: ignore[call-overload]
    assert window._open_panel() is None
    window.close()
    window.deleteLater()
    qt_app.processEvents()
