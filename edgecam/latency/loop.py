"""Stands in for screen and camera: sends the code as pictures through HTTP, late by a known time.

This is what ``edgecam latency-test --self-check`` measures. Only the glass is missing: the pictures come in
through the same source, pipeline and reader as a network camera's.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from edgecam.core.clock import now_ns
from edgecam.latency.code import draw
from edgecam.latency.measure import Measurement

RATE_HZ = 30.0
WH = (640, 480)
_HEAD = b"--shot\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
#: A watcher that takes nothing for so long is gone.
SEND_TIMEOUT_S = 5.0


class MjpegServer:
    """Serves JPEGs as a network camera does (multipart/x-mixed-replace), on loopback only.

    Each watcher gets the newest picture; those it was too slow for it does not get.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jpeg = b""
        self._number = 0
        self._closed = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            timeout = SEND_TIMEOUT_S

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=shot")
                self.end_headers()
                number = 0
                while (shot := server.after(number)) is not None:
                    number, jpeg = shot
                    try:
                        self.wfile.write(_HEAD % len(jpeg) + jpeg + b"\r\n")
                    except OSError:  # the watcher left
                        return

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # close() waits for them
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="mjpeg-server")
        self._thread.start()

    def push(self, jpeg: bytes) -> None:
        """Send this picture. Any thread."""
        with self._changed:
            self._jpeg, self._number = jpeg, self._number + 1
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, bytes] | None:
        """The newest picture beyond ``number``, waited for; None once the server closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or self._closed)
            return None if self._closed else (self._number, self._jpeg)

    def close(self) -> None:
        """Stop serving, and join all threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class LoopCamera:
    """Shows the measurement's codes as pictures of a camera that looks at them askew, ``delay_s`` late."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self._server = MjpegServer()
        self.url = self._server.url
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._measurement: Measurement | None = None
        self._thread = threading.Thread(target=self._run, name="loop-camera")
        self._thread.start()

    def show(self, measurement: Measurement) -> None:
        """From now on show this measurement's codes; before, a code that never changes."""
        with self._lock:
            self._measurement = measurement

    def _run(self) -> None:
        under_way: deque[tuple[float, bytes]] = deque()
        shown, due_s = -1, time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + 1.0 / RATE_HZ, time.monotonic())
            with self._lock:
                measurement = self._measurement
            serial = 0 if measurement is None else measurement.code(now_ns())
            if measurement is not None and serial != shown:
                shown = serial
                measurement.shown(serial, now_ns())
            under_way.append((time.monotonic() + self.delay_s, _picture(serial)))
            while under_way and under_way[0][0] <= time.monotonic():
                self._server.push(under_way.popleft()[1])

    def close(self) -> None:
        """Stop and join."""
        self._stop.set()
        self._thread.join()
        self._server.close()


def _picture(serial: int) -> bytes:
    """The code on a grey wall, seen from the side, a little out of focus, with a camera's noise; a JPEG."""
    width, height = WH
    code = draw(serial, 250)
    side = code.shape[0]
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    seen = np.array([[200, 90], [450, 120], [435, 370], [185, 380]], np.float32)
    turn = cv2.getPerspectiveTransform(corners, seen)
    grey = cv2.warpPerspective(code, turn, WH, flags=cv2.INTER_AREA, borderValue=(110,))
    noise = np.random.default_rng(serial).integers(0, 16, (height, width), np.uint8)
    grey = cv2.add(cv2.GaussianBlur(grey, (5, 5), 0), noise)
    return bytes(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
