#!/usr/bin/python3
"""A real RTSP camera for tests, on 127.0.0.1; run by the system's python3, which has GStreamer's bindings.

Each frame carries the monotonic time in ms at which it was drawn, as 32 black and white blocks over its top
40 lines. Prints ``port N``. Mounts: /cam 640x360 at 30 fps (or ``--rate``); /resize changes between 640x360
and 320x180 every second; /noise has large pictures; /garbage loses half the packets in half a second of
every two; /single /hevc /jpeg are other encodings. ``--user``/``--password`` ask for both. ``--pictures
FILE`` (raw I420 of ``--size``) adds /pictures, which shows them in turn. ``--certificate``/``--key`` make it
rtsps.
"""

import argparse
import os
import random
import time
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found] # noqa: E402

CAPS = "video/x-raw,format=I420,width={},height={},framerate={}/1"
SOURCE = "( appsrc name=src is-live=true do-timestamp=true format=time caps=" + CAPS + " ! "
NOISE = os.urandom(640 * 360)
X264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=1500"
CODECS = {
    "h264": f"{X264} ! rtph264pay name=pay0 pt=96 config-interval=1 )",
    # one slice per picture, as most cameras send it
    "single": f"{X264} sliced-threads=false threads=1 ! rtph264pay name=pay0 pt=96 config-interval=1 )",
    "hevc": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! h265parse"
    " ! rtph265pay name=pay0 pt=96 config-interval=1 )",
    "jpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26 )",
}


def time_code(width: int) -> bytes:
    """The top 40 lines: the present time in blocks."""
    now_ms = time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF
    row = b"".join((b"\xeb" if now_ms >> (31 - i) & 1 else b"\x10") * (width // 32) for i in range(32))
    return row * 40


def picture(width: int, height: int, noisy: bool) -> bytes:
    """I420, grey, the present time in blocks on top."""
    body = NOISE[: width * (height - 40)] if noisy else b"\x50" * (width * (height - 40))
    return time_code(width) + body + b"\x80" * (width * height // 2)


class Pictures:
    """Photographs in turn, the present time in blocks on top."""

    def __init__(self, path: str, width: int, height: int) -> None:
        data, size = Path(path).read_bytes(), width * height * 3 // 2
        self.size = (width, height)
        self._rest = [data[i + width * 40 : i + size] for i in range(0, len(data), size)]
        self._number = 0

    def next(self) -> bytes:
        self._number += 1
        return time_code(self.size[0]) + self._rest[self._number % len(self._rest)]


class Camera(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    def __init__(self, fault: str, codec: str, rate_hz: int, pictures: Pictures | None = None) -> None:
        super().__init__()
        self.fault, self.codec, self.rate_hz, self.pictures = fault, codec, rate_hz, pictures
        self.set_shared(True)
        self.connect("media-configure", self.on_media)

    def do_create_element(self, url: object) -> object:
        size = (640, 360) if self.pictures is None else self.pictures.size
        return Gst.parse_launch(SOURCE.format(*size, self.rate_hz) + CODECS[self.codec])

    def on_media(self, factory: Any, media: Any) -> None:
        element = media.get_element()
        source = element.get_by_name_recurse_up("src")
        started = time.monotonic()
        size = [(640, 360)]
        ended: list[bool] = []
        media.connect("unprepared", lambda media: ended.append(True))

        def push() -> bool:
            if self.pictures is not None:
                source.emit("push-buffer", Gst.Buffer.new_wrapped(self.pictures.next()))
                return not ended
            wanted = (
                (320, 180) if self.fault == "resize" and int(time.monotonic() - started) % 2 else (640, 360)
            )
            if wanted != size[0]:
                size[0] = wanted
                source.set_property("caps", Gst.Caps.from_string(CAPS.format(*wanted, self.rate_hz)))
            source.emit("push-buffer", Gst.Buffer.new_wrapped(picture(*wanted, self.fault == "noise")))
            return not ended  # while the pipeline starts it may still be flushing; that is no reason to stop

        GLib.timeout_add(1000 // self.rate_hz, push)
        if self.fault == "garbage":
            pad = element.get_by_name_recurse_up("pay0").get_static_pad("src")

            def spoil(pad: object, info: object) -> object:
                bad = 1.2 < (time.monotonic() - started) % 2 < 1.7
                return Gst.PadProbeReturn.DROP if bad and random.random() < 0.5 else Gst.PadProbeReturn.OK

            pad.add_probe(Gst.PadProbeType.BUFFER, spoil)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="0")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--digest", action="store_true")
    parser.add_argument("--pictures")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--rate", type=int, default=30)
    args = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(args.port)
    if args.user or args.certificate:
        auth = GstRtspServer.RTSPAuth()
        server.set_auth(auth)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        if args.certificate:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(args.certificate, args.key))
        if not args.user:
            auth.set_default_token(token)
        elif args.digest:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(args.user, args.password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(args.user, args.password), token)
    mounts = [("/cam", "", "h264"), ("/resize", "resize", "h264"), ("/garbage", "garbage", "h264")]
    mounts += [("/noise", "noise", "h264")]
    mounts += [(f"/{codec}", "", codec) for codec in ("single", "hevc", "jpeg")]
    factories = [(path, Camera(fault, codec, args.rate)) for path, fault, codec in mounts]
    if args.pictures:
        width, height = (int(part) for part in args.size.split("x"))
        pictures = Pictures(args.pictures, width, height)
        factories.append(("/pictures", Camera("", "h264", args.rate, pictures)))
    for path, factory in factories:
        if args.user or args.certificate:
            factory.add_role_from_structure(
                Gst.Structure.from_string(
                    "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true;"
                )[0]
            )
        server.get_mount_points().add_factory(path, factory)
    if not server.attach(None):
        raise SystemExit("cannot listen")
    print("port", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
