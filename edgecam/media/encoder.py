"""Pictures to packets: the board's H.264 encoder where it has one, else x264, else Motion JPEG."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from edgecam.core.errors import RecordError
from edgecam.core.types import Image
from edgecam.host.installation import install_package

log = logging.getLogger(__name__)

#: MPEG's own clock: 11 µs, and an exact multiple of 7, 15, 29.97 and 60 frames a second's periods or nearly.
TIME_BASE = Fraction(1, 90_000)
TICKS_PER_S = 90_000
#: x264's presets, best first, with their CPU cost relative to veryfast (measured at 720p on two
#: x86 cores: 16.2, 12.3 and 5.0 ms per frame, colour conversion included).
PRESETS = (("veryfast", 1.0), ("superfast", 0.75), ("ultrafast", 0.31))
#: A live recording may take this share of one core; the rest of the board belongs to detection.
CORE_SHARE = 0.25
#: Bits per pixel and frame. Hardware encoders and Motion JPEG get it as their rate, x264 as the cap of its
#: constant quality; 720p at 15 fps comes to 1.7 Mbit/s.
BITS_PER_PIXEL = {"h264_v4l2m2m": 0.12, "libx264": 0.25, "mjpeg": 1.2}
#: x264's constant quality: its own default. Below 20 nobody sees the difference, above 28 faces suffer.
CRF = "23"


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """Which encoder was chosen, and why."""

    codec: str
    preset: str
    why: str

    def __str__(self) -> str:
        return f"{self.codec}{' ' + self.preset if self.preset else ''} ({self.why})"


def even(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size a clip of such pictures has: 4:2:0 colour needs even sides, so an odd last line is cut."""
    return max(2, size_wh[0] & ~1), max(2, size_wh[1] & ~1)


def choose_encoder(size_wh: tuple[int, int], rate_hz: float | None, *, live: bool = True) -> EncoderChoice:
    """The best encoder this board has for such pictures. Measures x264 for some milliseconds.

    live: the rate is given by a camera. A file is encoded as fast as it can be.
    Raises RecordError if PyAV has no encoder at all.
    """
    if _opens("h264_v4l2m2m"):
        return EncoderChoice("h264_v4l2m2m", "", "the board's own encoder")
    if not _opens("libx264"):
        if not _opens("mjpeg"):
            again = install_package("av", again=True)
            raise RecordError(f"PyAV has neither an H.264 nor an MJPEG encoder; reinstall it: {again}")
        return EncoderChoice("mjpeg", "", "no H.264 encoder in this PyAV")
    if not live:
        return EncoderChoice("libx264", "ultrafast", "a file is recorded as fast as it can be read")
    veryfast_ms = _veryfast_ms_per_megapixel() * size_wh[0] * size_wh[1] / 1e6
    budget_ms = CORE_SHARE * 1e3 / (rate_hz or 30.0)
    for preset, cost in PRESETS:
        if veryfast_ms * cost <= budget_ms:
            return EncoderChoice("libx264", preset, f"about {veryfast_ms * cost:.0f} ms a frame here")
    return EncoderChoice("libx264", "ultrafast", f"about {veryfast_ms * PRESETS[-1][1]:.0f} ms a frame here")


_opened: dict[str, bool] = {}


def distrust(codec: str) -> None:
    """A codec that failed while encoding is not chosen again in this process."""
    _opened[codec] = False


def _opens(codec: str) -> bool:
    """Whether the codec opens on this board; asked once per process."""
    if codec not in _opened:
        try:
            Encoder((640, 480), 15.0, EncoderChoice(codec, "", "a trial")).close()
            _opened[codec] = True
        except (av.FFmpegError, ValueError, OSError) as error:
            log.debug("encoder %s is not to be had: %s", codec, error)
            _opened[codec] = False
    return _opened[codec]


_measured_ms: list[float] = []


def _veryfast_ms_per_megapixel() -> float:
    """CPU milliseconds of x264 veryfast per million pixels; measured once per process on a moving texture."""
    if not _measured_ms:
        width, height, frames = 640, 352, 6
        encoder = Encoder((width, height), 15.0, EncoderChoice("libx264", "veryfast", "a trial"), threads=1)
        noise = np.random.default_rng(0).integers(0, 255, (height // 8, width // 4, 3), np.uint8)
        wide = cv2.resize(noise, (width * 2, height), interpolation=cv2.INTER_CUBIC)
        start = 0.0
        for i in range(frames):
            if i == 1:  # the first frame also pays for opening
                start = time.process_time()
            encoder.encode(np.ascontiguousarray(wide[:, 5 * i : 5 * i + width]), i * 6000, key=i == 0)
        _measured_ms.append((time.process_time() - start) * 1e3 / (frames - 1) / (width * height / 1e6))
        encoder.close()
    return _measured_ms[0]


class Encoder:
    """One encoder for the whole recording: segments are cut in its packets, so nothing is lost between two.

    Every packet belongs to one picture, in order (no B-frames). One thread.
    """

    def __init__(
        self,
        size_wh: tuple[int, int],
        rate_hz: float | None,
        choice: EncoderChoice,
        *,
        threads: int = 1,
        crf: str = CRF,
    ) -> None:
        self.size_wh = even(size_wh)
        self.choice = choice
        width, height = self.size_wh
        rate = rate_hz or 30.0
        bits = int(BITS_PER_PIXEL[choice.codec] * width * height * min(max(rate, 1.0), 120.0))
        options: dict[str, str] = {}
        if choice.codec == "libx264":
            options = {"preset": choice.preset or "veryfast", "tune": "zerolatency", "crf": crf}
            options |= {"forced-idr": "1", "maxrate": str(bits), "bufsize": str(2 * bits)}
        # A container that is never written to: PyAV makes encoding streams only inside one, and a clip's
        # stream is copied from this one's.
        self._holder: Any = av.open(BytesIO(), "w", format="matroska")
        self.template: Any = self._holder.add_stream(
            choice.codec, rate=Fraction(rate).limit_denominator(1001)
        )
        context = self.template.codec_context
        context.width, context.height = width, height
        context.pix_fmt = "yuvj420p" if choice.codec == "mjpeg" else "yuv420p"
        context.time_base = TIME_BASE
        context.gop_size = 600  # key frames are forced by time, so this is only a net below
        context.max_b_frames = 0
        context.thread_count = threads
        context.bit_rate = 0 if choice.codec == "libx264" else bits
        if choice.codec != "mjpeg":
            context.color_range = 1  # limited range and BT.601: what cv2's conversion below makes
            context.colorspace = 5
        context.options = options
        self._holder.start_encoding()
        self._frame = VideoFrame(width, height, context.pix_fmt)
        self._frame.time_base = TIME_BASE
        self._planes: list[NDArray[np.uint8]] = [
            np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height].reshape(
                plane.height, -1
            )
            for plane in self._frame.planes
        ]
        self._i420 = np.empty((height * 3 // 2, width), np.uint8)
        self._full_range = choice.codec == "mjpeg"

    def encode(self, image: Image, pts: int, *, key: bool) -> list[Any]:
        """Packets that became ready.

        pts: ticks of TIME_BASE, always growing. key: asks for a key frame.
        image: (H, W, 3) uint8 BGR of the size given to the constructor.
        """
        width, height = self.size_wh
        if self._full_range:
            colour = VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="bgr24")
            self._frame = colour.reformat(format="yuvj420p")
            self._frame.time_base = TIME_BASE
            return self.repeat(pts, key=key)
        # cv2 converts in 0.5 ms at 720p where swscale takes 1.9 (measured); the plane copies add 0.07.
        cv2.cvtColor(image[:height, :width], cv2.COLOR_BGR2YUV_I420, dst=self._i420)
        luma, u, v = self._planes
        luma[:, :width] = self._i420[:height]
        chroma = self._i420[height:].reshape(2, height // 2, width // 2)
        u[:, : width // 2] = chroma[0]
        v[:, : width // 2] = chroma[1]
        return self.repeat(pts, key=key)

    def repeat(self, pts: int, *, key: bool) -> list[Any]:
        """Encode the previous picture once more (a constant rate's filler)."""
        self._frame.pts = pts
        self._frame.pict_type = PictureType.I if key else PictureType.NONE
        return list(self.template.encode(self._frame))

    def flush(self) -> list[Any]:
        """The packets still inside. Nothing can be encoded afterwards."""
        return list(self.template.encode(None))

    def close(self) -> None:
        """Release the encoder. Clips begun before keep what they need."""
        self._planes = []
        self._holder.close()
