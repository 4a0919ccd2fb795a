"""An RTSP camera by our own client: H.264 and HEVC over TCP, each picture decoded the moment it is whole."""

from __future__ import annotations

import logging
import ssl

import av
import av.error
from av.packet import Packet

from edgecam.capture.decode.bgr import BgrConverter, set_low_delay
from edgecam.capture.decode.memory import Allocate
from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.limits import LIVE_PIXELS, sane_rate_hz
from edgecam.capture.live.reader import Grab
from edgecam.capture.network.loss_concealment import LossConcealment
from edgecam.capture.network.rtp import CODECS, Assembler, Picture, Sender, parse_rtp
from edgecam.capture.network.rtsp_client import RtspClient, UnsupportedError
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError

log = logging.getLogger(__name__)

# Packets have waited without a pause for this long: the decoder does not keep up.
BEHIND_S = 1.0


class SilentError(CaptureError):
    """The session plays, and no picture comes."""


class RtspCamera:
    """A playing session and its decoder. One thread, but for ``abort``.

    Raises UnsupportedError for what libavformat should try instead, SilentError when it plays but sends
    nothing, RefusedError, CaptureError or OSError.
    """

    def __init__(
        self,
        url: str,
        name: str,
        connect_timeout_s: float,
        first_packet_s: float,
        read_timeout_s: float,
        tls: ssl.SSLContext | None,
        skipping: DecodeSkipping,
        max_pixels: int = LIVE_PIXELS,
        allocate: Allocate | None = None,
    ) -> None:
        self._name = name
        self._skipping = skipping
        self._concealment = LossConcealment(name, read_timeout_s)
        self._client = RtspClient(url, connect_timeout_s, read_timeout_s, tls)
        try:
            track = self._client.play(first_packet_s)
            kind = CODECS.get(track.codec)
            if kind is None:
                raise UnsupportedError(f"codec {track.codec}")
            try:
                self._first: bytes | None = self._client.packet()
            except TimeoutError:
                raise SilentError(f"it plays, but sends no picture within {first_packet_s:g} s") from None
        except BaseException:
            self._client.close()
            raise
        codec = kind()
        self.codec = codec.libav_name
        self._payload_type = track.payload_type
        self._told_hz = track.rate_hz
        self._sender, self._assembler = Sender(), Assembler(codec)
        self._decoder = av.CodecContext.create(codec.libav_name, "r")
        self._decoder.options = {"max_pixels": str(max_pixels)}
        set_low_delay(self._decoder)
        self._lead = codec.parameter_sets(track.parameters)
        self._convert = BgrConverter(allocate)
        self._pictures: list[Picture] = []
        self._told_behind = False
        self._idle_ns = now_ns()
        self._is_behind = False

    @property
    def rate_hz(self) -> float | None:
        """The rate that the session description, or else the video itself, names."""
        if self._told_hz:
            return self._told_hz
        rate = self._decoder.framerate
        return sane_rate_hz(float(rate)) if rate else None

    def grab(self) -> Grab | None:
        """The next picture; None if a packet completed none."""
        if not self._pictures:
            if self._client.is_idle:
                self._idle_ns = now_ns()
            try:
                data = self._first or self._client.packet()
                self._first = None
            except TimeoutError:
                raise CaptureError(f"{self._name}: nothing came in time") from None
            except CaptureError as error:
                raise CaptureError(f"{self._name}: {error}") from None
            except OSError as error:
                raise CaptureError(f"{self._name}: the connection broke ({error})") from None
            packet = parse_rtp(data)
            if packet is None or packet.payload_type != self._payload_type:
                return None
            if not self._sender.admits(packet):
                return None
            self._pictures = self._assembler.push(packet, now_ns())
            if not self._pictures:
                return None
        picture = self._pictures.pop(0)
        return self._decode(picture) if self._keeps_up() and self._is_whole(picture) else None

    def _keeps_up(self) -> bool:
        """Whether pictures are decoded as fast as they come. If not, they are thrown away until none waits.

        Else a camera that is too fast for this board would be shown later and later: TCP loses nothing.
        """
        waited_ns = now_ns() - self._idle_ns
        if not self._is_behind and waited_ns > BEHIND_S * 1e9:
            self._is_behind = True
            if not self._told_behind:
                log.warning(
                    "%s: sends more than can be decoded here; pictures are skipped. "
                    "Ask the camera for a smaller size or rate.",
                    self._name,
                )
                self._told_behind = True
        elif self._is_behind and waited_ns < BEHIND_S * 1e9:
            self._is_behind = False
            self._concealment.broken()  # what was thrown away is missing: go on with a key picture
        return not self._is_behind

    def _is_whole(self, picture: Picture) -> bool:
        """Whether to decode it: not while packets are missing, nor before the next key picture."""
        if picture.damaged:
            self._concealment.broken("data is missing")
            return False
        return self._concealment.admits(picture.key)

    def _decode(self, picture: Picture) -> Grab | None:
        data, self._lead = self._lead + picture.data, b""
        try:
            frames = self._decoder.decode(Packet(data))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            log.debug("%s: a picture could not be decoded: %s", self._name, error)
            self._concealment.broken("damaged data")
            return None
        if not frames or not all(map(self._concealment.is_clean, frames)):
            return None
        decoded_ns = now_ns()
        if self._skipping.passes_over(decoded_ns):
            return None
        image = self._convert(frames[-1])
        self._skipping.decoded(decoded_ns)
        return Grab(image, picture.at_ns)

    def abort(self) -> None:
        """From any thread: end a blocking ``grab``."""
        self._client.abort()

    def close(self) -> None:
        """Hang up."""
        self._client.close()
