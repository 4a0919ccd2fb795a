"""Opens the window and runs Qt until it closes: :func:`run_window`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from edgecam.core.errors import DisplayError
from edgecam.host.installation import install_package
from edgecam.ui.controller import CodeMeasurement, Controller, WindowOptions
from edgecam.ui.display import no_pyqt6
from edgecam.ui.libraries import package_of
from edgecam.ui.qt_env import drop_cv2_paths

if TYPE_CHECKING:
    from edgecam.ui.code_window import CodeWindow
    from edgecam.ui.window import CameraWindow


def run_window(controller: Controller, options: WindowOptions) -> int:
    """Show the window until it is closed, the controller has finished, or SIGINT or SIGTERM comes.

    Main thread. Choose ``options.platform`` by :func:`edgecam.ui.display.choose_display` first: Qt ends the
    process where the platform does not work. Returns 0. An exception that the controller or the painting
    raises closes the window and is raised again here.

    Raises DisplayError if PyQt6 or a library of the system that it needs is missing.
    """

    def make() -> CameraWindow:
        from edgecam.ui.window import CameraWindow

        return CameraWindow(controller, options)

    return _run(make, options)


def run_code_window(controller: Controller, options: WindowOptions, measurement: CodeMeasurement) -> int:
    """The window of ``edgecam latency-test``, on the same terms as :func:`run_window`."""

    def make() -> CodeWindow:
        from edgecam.ui.code_window import CodeWindow

        return CodeWindow(controller, options, measurement)

    return _run(make, options)


def _run(make: Callable[[], CameraWindow | CodeWindow], options: WindowOptions) -> int:
    drop_cv2_paths()
    if options.platform:
        os.environ["QT_QPA_PLATFORM"] = options.platform
    try:
        from PyQt6.QtCore import QTimer
        from PyQt6.QtWidgets import QApplication
    except ImportError as error:
        raise DisplayError(_why_not(error)) from error
    from edgecam.overlay.scene_qt import font

    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(["edgecam"])
    app.setApplicationName("edgecam")
    app.setDesktopFileName("edgecam")
    app.setFont(font(15, False))
    window = make()
    # not within the handler: it may run in the midst of a painting, which would then have no window
    close = partial(QTimer.singleShot, 0, window.close)
    with _raised_again(app.quit) as failure, _on_signals(close):
        window.open()
        app.exec()
    window.close()
    window.deleteLater()
    app.processEvents()
    if failure:
        raise failure[0]
    return 0


def _why_not(error: ImportError) -> str:
    if getattr(error, "name", None) in ("PyQt6", "PyQt6.QtWidgets") and "No module" in str(error):
        return no_pyqt6()
    library = str(error).partition(": cannot open")[0]
    if library != str(error):
        package = package_of(library)
        return f"PyQt6 lacks the system library {library}; install it with: sudo apt-get install {package}"
    return f"PyQt6 cannot be imported ({error}); reinstall it with: {install_package('PyQt6', again=True)}"


@contextmanager
def _raised_again(quit_app: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Collects what is raised inside Qt's callbacks, where PyQt6 would abort the process, and quits."""
    failure: list[BaseException] = []
    before = sys.excepthook

    def hook(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        failure.append(error)
        quit_app()

    sys.excepthook = hook
    try:
        yield failure
    finally:
        sys.excepthook = before


@contextmanager
def _on_signals(close: Callable[[], object]) -> Iterator[None]:
    """SIGINT and SIGTERM close the window, after the handler that was there before (the program's own).

    Python runs handlers between its own instructions, so one waits for the window's next tick, milliseconds.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, object] = {}

    def handler(number: int, frame: FrameType | None) -> None:
        previous = before.get(number)
        if callable(previous) and previous is not signal.default_int_handler:
            previous(number, frame)
        close()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.getsignal(number)
        signal.signal(number, handler)
    try:
        yield
    finally:
        for restored, previous in before.items():
            signal.signal(restored, previous)  # type: ignore[arg-type]
