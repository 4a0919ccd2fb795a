from __future__ import annotations

import os
from typing import Any

import pytest


@pytest.fixture(scope="session")
def qt_app() -> Any:
    """Some QGuiApplication: painting on a QImage needs one, and no screen."""
    pytest.importorskip("PyQt6.QtGui", reason="needs the extra 'ui'", exc_type=ImportError)
    from PyQt6.QtWidgets import QApplication

    existing = QApplication.instance()
    if existing is not None:
        return existing
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    return QApplication(["test"])
