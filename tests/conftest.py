"""What holds for every test: no thread is left behind, no error is logged unseen."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(__file__).resolve().parents[1].parent / "shared"

# A user's own settings must not reach the tests.
for _name in [n for n in os.environ if n.startswith("EDGECAM_")]:
    del os.environ[_name]
# Networks so small gain nothing from a second thread, and lose much where others want the CPU too: threads
# that wait for one another spin. Two processes at a time (pytest -n 2) use two CPUs better.
for _pool in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_pool}_NUM_THREADS", "1")
# No test measures the board for seconds, and none writes into the user's own folders.
os.environ["EDGECAM_TUNE"] = "off"
os.environ.pop("STATE_DIRECTORY", None)
_HOME = tempfile.TemporaryDirectory(prefix="edgecam-tests-")
for _kind in ("CACHE", "CONFIG", "DATA", "STATE"):
    os.environ[f"XDG_{_kind}_HOME"] = f"{_HOME.name}/{_kind.lower()}"


# A slow machine is not wrong: no example has a deadline of its own.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

#: Files with few but long tests. xdist begins with the files that have most tests; these would come last, and
#: at the end one process would work where the others have nothing left to do. scripts/test turns that off.
FIRST = (
    "project/test_real_videos.py",
    "nn/classification/test_nn_classify_train.py",
    "nn/networks/test_pull.py",
    "nn/detection/test_detection_training.py",
    "install/test_release.py",
    "project/test_attack.py",
    "project/test_installed.py",
    "capture/test_capture_rtsp_faults.py",
    "app/test_wire.py",
    "fuzz/test_fuzz.py",
    "project/test_site.py",
    "project/test_frozen_camera.py",
    "project/test_isolation.py",
    "project/test_credentials.py",
    "nn/networks/test_pull_full_disk.py",
    "nn/networks/test_ssdlite_parity.py",
    "nn/networks/test_family_weights.py",
    "record/test_record_power_cut.py",
    "record/test_record_browser.py",
    "ui/test_ui_latency_screen.py",
    "ui/test_ui_kiosk_service.py",
    "web/test_web_browser.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; what needs a browser is the same on every Python."""
    here = Path(__file__).parent
    place = {here / name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(FIRST)))
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.once)


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No live thread and no ERROR record after a test, unless it is marked ``allow_error_log``."""
    before = set(threading.enumerate())
    levels = _levels()
    yield
    for name in _levels():
        # A command that ran in this process has its own idea of what is worth logging.
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    deadline = time.monotonic() + 2.0
    left = _left(before)
    while left and time.monotonic() < deadline:
        left[0].join(0.05)
        left = _left(before)
    assert not left, f"threads left behind: {[t.name for t in left]}"
    if request.node.get_closest_marker("allow_error_log") is None:
        errors = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
        assert not errors, f"errors were logged: {errors}"


def _levels() -> dict[str, int]:
    known = logging.root.manager.loggerDict
    ours = [n for n in known if n.split(".")[0] == "edgecam" and isinstance(known[n], logging.Logger)]
    return {name: logging.getLogger(name).level for name in ("", *ours)}


def _left(before: set[threading.Thread]) -> list[threading.Thread]:
    # PyTorch's and tqdm's own helper threads live as long as the process.
    return [
        t
        for t in threading.enumerate()
        if t not in before
        and t.is_alive()
        and not t.name.startswith(("pymp", "tqdm", "TMonitor", "ThreadPoolExecutor"))
    ]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' shared material; users do not have it."""
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED}, which only the developers' machines have")
    return SHARED


@pytest.fixture(scope="session")
def qt_app() -> Any:
    """A QApplication without a screen: a window needs one, and so does painting on a QImage."""
    pytest.importorskip("PyQt6.QtGui", reason="needs the extra 'ui'", exc_type=ImportError)
    from PyQt6.QtWidgets import QApplication

    existing = QApplication.instance()
    if existing is not None:
        return existing
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    return QApplication(["test"])
