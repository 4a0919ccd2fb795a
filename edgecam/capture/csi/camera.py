"""A running picamera2, on the reader's thread."""

from __future__ import annotations

import logging
import time
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from edgecam.capture.csi.address import CsiWish
from edgecam.capture.decode.raw import decode
from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.live.frozen import FrozenFrameDetector
from edgecam.capture.live.reader import Grab
from edgecam.capture.uri import parse_number
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, ConfigError, SourceOpenError, suggest
from edgecam.core.types import Image

log = logging.getLogger(__name__)

# picamera2's names, which are libcamera's: byte order is told from the most significant, so "RGB888" is B,
# G, R in memory (picamera2 issues 848 and 1325).
_FOURCC = {
    "RGB888": "BGR3",
    "BGR888": "RGB3",
    "XRGB8888": "XR24",
    "XBGR8888": "XB24",
    "YUV420": "YU12",
    "NV12": "NV12",
    "YUYV": "YUYV",
    "UYVY": "UYVY",
    "MJPEG": "MJPG",
}


class CsiCamera:
    """Implements :class:`edgecam.capture.live.reader.Grabber`. about: what was granted, for people."""

    def __init__(
        self,
        picamera2: Any,
        wish: CsiWish,
        name: str,
        timeout_s: float,
        frozen_after_s: float,
        skipping: DecodeSkipping,
    ) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._frozen_after_s = frozen_after_s
        self._frozen = FrozenFrameDetector(frozen_after_s)
        self._skipping = skipping
        self._job: Any = None
        infos = picamera2.Picamera2.global_camera_info()
        if wish.number >= len(infos):
            there = ", ".join(f"csi:{info['Num']} ({info['Model']})" for info in infos)
            raise SourceOpenError(
                f"{name}: libcamera sees {'only ' + there if there else 'no camera at all'}; check the "
                "ribbon cable with the power off, and `rpicam-hello --list-cameras`."
            )
        try:
            self._camera = picamera2.Picamera2(wish.number)
        except (RuntimeError, IndexError) as error:
            raise SourceOpenError(
                f"{name} is in use by another program, or failed to start ({error})."
            ) from None
        try:
            self._start(wish, infos[wish.number].get("Model", "camera"))
        except BaseException:
            self._camera.close()
            raise

    def _start(self, wish: CsiWish, model: str) -> None:
        camera = self._camera
        controls = self._controls(wish)
        transform: dict[str, Any] = {}
        if wish.hflip or wish.vflip:
            import libcamera

            transform["transform"] = libcamera.Transform(hflip=int(wish.hflip), vflip=int(wish.vflip))
        size = wish.size_wh
        main: dict[str, Any] = {"size": size, "format": "RGB888"}
        lores = {"size": wish.lores_wh, "format": "YUV420"} if wish.lores_wh else None
        why = ""
        # a USB camera behind libcamera has one stream in formats of its own: raw if small, else JPEG
        own = ("YUYV", "MJPEG") if size[0] * size[1] <= 640 * 480 else ("MJPEG", "YUYV")
        plain = [{"size": size, "format": name} for name in own]
        for wanted, second in ((main, lores), (main, None), (plain[0], None), (plain[1], None)):
            try:
                config = camera.create_video_configuration(
                    main=wanted, lores=second, controls=controls, buffer_count=4, **transform
                )
                camera.configure(config)
                break
            except Exception as error:  # picamera2 raises many kinds for a wish that the pipeline cannot meet
                log.debug("%s: %s with %s refused: %r", self._name, wanted, second, error)
                why = str(error)
        else:
            raise SourceOpenError(f"{self._name} ({model}) offers no stream that edgecam can use: {why}.")
        granted = camera.camera_configuration()
        self._main = granted["main"]
        self._lores = granted.get("lores")
        for stream in (self._main, self._lores):
            if stream and stream["format"] not in _FOURCC:
                raise SourceOpenError(f"{self._name} gives {stream['format']}, which edgecam cannot decode.")
        camera.start()
        self.rate_hz: float | None = wish.rate_hz if "FrameDurationLimits" in controls else None
        width, height = self._main["size"]
        self.about = f"{model}, {width}x{height} {self._main['format']}"
        if self.rate_hz:
            self.about += f" at {self.rate_hz:g} fps"
        if self._lores:
            self.about += f", lores {self._lores['size'][0]}x{self._lores['size'][1]}"
        elif wish.lores_wh:
            self.about += " (no lores: this camera has one stream only)"

    def _controls(self, wish: CsiWish) -> dict[str, Any]:
        """Frame duration and the user's controls, with numbers as numbers. Raises ConfigError."""
        known = self._camera.camera_controls
        controls: dict[str, Any] = {}
        if "FrameDurationLimits" in known:
            duration_us = round(1e6 / wish.rate_hz)
            controls["FrameDurationLimits"] = (duration_us, duration_us)
        for name, given in wish.controls.items():
            if name not in known:
                names = ", ".join(sorted(known)) or "none at all"
                raise ConfigError(
                    f"the camera has no control {name!r}{suggest(name, known)} (it has {names})."
                )
            controls[name] = parse_number(name, given)
        return controls

    def grab(self) -> Grab | None:
        """The next capture: main, and lores where there is one."""
        if self._job is None:
            self._job = self._camera.capture_request(wait=False)
        try:
            request = self._job.get_result(timeout=self._timeout_s)
        except CancelledError:
            raise CaptureError(f"{self._name} was closed") from None
        except (TimeoutError, FutureTimeoutError):  # one class since Python 3.11
            raise CaptureError(
                f"{self._name}: no picture for {self._timeout_s:g} s; is the cable loose?"
            ) from None
        self._job = None
        try:
            now = now_ns()
            stamp_ns = request.get_metadata().get("SensorTimestamp")
            raw = request.make_buffer("main")
            small = request.make_buffer("lores") if self._lores else None
        finally:
            request.release()
        if self._frozen.is_still(raw, now):
            raise CaptureError(f"{self._name}: the very same picture for {self._frozen_after_s:g} s")
        if self._skipping.passes_over(now):
            return None
        image = _picture(raw, self._main)
        if image is None:
            return None
        self._skipping.decoded(now)
        return Grab(image, _captured_ns(stamp_ns, now), _picture(small, self._lores))

    def abort(self) -> None:
        """From the owner's thread: a capture in progress is cancelled, where this picamera2 can do that."""
        if hasattr(self._camera, "cancel_all_and_flush"):
            self._camera.cancel_all_and_flush()

    def close(self) -> None:
        """Stop and release."""
        try:
            self.abort()  # jobs are done in order: behind a capture that never comes, stopping waits for ever
            self._camera.stop()
        finally:
            self._camera.close()


def _picture(raw: Any, stream: Any) -> Image | None:
    if raw is None:
        return None
    return decode(raw, _FOURCC[stream["format"]], tuple(stream["size"]), int(stream["stride"]))


def _captured_ns(stamp_ns: int | None, now: int) -> int:
    """libcamera stamps in CLOCK_BOOTTIME, which counts a suspended board's time too; ours is
    CLOCK_MONOTONIC.
    """
    if not stamp_ns:
        return now
    at = int(stamp_ns) - (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - now_ns())
    return at if 0 <= now - at <= 5_000_000_000 else now
