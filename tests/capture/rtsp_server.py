#!/usr/bin/python3
"""A real RTSP camera for tests, on 127.0.0.1; run by the system's python3, which has GStreamer's bindings.

Each frame carries the monotonic time in ms at which it was drawn, as 32 black and white blocks over its top
40 lines. Prints ``port N``. Mounts: /cam 640x360 at 30 fps; /resize changes between 640x360 and
320x180 every second; /garbage spoils every other second's packets. ``--user``/``--password`` ask for both.
"""

import argparse
import random
import time
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found] # noqa: E402

CAPS = "video/x-raw,format=I420,width={},height={},framerate=30/1"
LAUNCH = (
    "( appsrc name=src is-live=true do-timestamp=true format=time caps="
    + CAPS.format(640, 360)
    + " ! x264enc name=enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=1500"
    " ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def picture(width: int, height: int) -> bytes:
    """I420, grey, the present time in blocks on top."""
    now_ms = time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF
    row = b"".join((b"\xeb" if now_ms >> (31 - i) & 1 else b"\x10") * (width // 32) for i in range(32))
    return row * 40 + b"\x50" * (width * (height - 40)) + b"\x80" * (width * height // 2)


class Camera(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.set_shared(True)
        self.connect("media-configure", self.on_media)

    def do_create_element(self, url: object) -> object:
        return Gst.parse_launch(LAUNCH)

    def on_media(self, factory: Any, media: Any) -> None:
        element = media.get_element()
        source = element.get_by_name_recurse_up("src")
        started = time.monotonic()
        size = [(640, 360)]

        def push() -> bool:
            wanted = (
                (320, 180) if self.fault == "resize" and int(time.monotonic() - started) % 2 else (640, 360)
            )
            if wanted != size[0]:
                size[0] = wanted
                source.set_property("caps", Gst.Caps.from_string(CAPS.format(*wanted)))
            flow = source.emit("push-buffer", Gst.Buffer.new_wrapped(picture(*wanted)))
            return bool(flow == Gst.FlowReturn.OK)

        GLib.timeout_add(33, push)
        if self.fault == "garbage":
            pad = element.get_by_name_recurse_up("pay0").get_static_pad("src")

            def spoil(pad: object, info: object) -> object:
                bad = int(time.monotonic() - started) % 2 == 1
                return Gst.PadProbeReturn.DROP if bad and random.random() < 0.5 else Gst.PadProbeReturn.OK

            pad.add_probe(Gst.PadProbeType.BUFFER, spoil)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="0")
    parser.add_argument("--user")
    parser.add_argument("--password")
    args = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(args.port)
    if args.user:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(args.user, args.password), token)
        server.set_auth(auth)
    for path, fault in (("/cam", ""), ("/resize", "resize"), ("/garbage", "garbage")):
        factory = Camera(fault)
        if args.user:
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
