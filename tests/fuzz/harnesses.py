"""One harness per parser of what comes from outside: bytes in, nothing but the documented errors out.

Each has seeds made by our own code, and takes any bytes. What it raises beyond its own errors is a finding.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import io
import json
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import msgspec
import numpy as np

from edgecam.capture.decode.headers import picture_size
from edgecam.capture.decode.jpeg import decode_flawless, decode_jpeg, is_bearable
from edgecam.capture.network.address import origin, redirected
from edgecam.capture.network.mjpeg import MjpegCamera, _boundary
from edgecam.capture.network.rtp import H264, Assembler, Hevc, Sender, parse_rtp
from edgecam.capture.network.rtsp_auth import authorization
from edgecam.capture.network.rtsp_client import RtspClient
from edgecam.capture.network.sdp import parse_sdp
from edgecam.capture.network.wire import Wire
from edgecam.capture.v4l2 import abi, controls, device
from edgecam.config.loading import parse_one
from edgecam.config.options import options
from edgecam.core.errors import CaptureError, ConfigError, EdgecamError, ModelError
from edgecam.core.jsonformat import result_from_dict, stats_from_dict
from edgecam.core.text import escape, hide_passwords
from edgecam.core.toml import parse_toml
from edgecam.inference.models.card import card_from_json
from edgecam.inference.models.file import read_metadata
from edgecam.inference.models.sidecar import read_sidecar as read_card
from edgecam.record.library.sidecar import ClipFacts, parse_object
from edgecam.record.library.structure import apart, good_ranges

#: What render takes for a sidecar's line that is none.
NO_LINE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, MemoryError)
_FOLDER = Path(tempfile.mkdtemp(prefix="edgecam-fuzz-"))
_SMALL = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


@dataclass(frozen=True)
class Harness:
    """run: one input. seeds: inputs that are as they should be."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def _wire(data: bytes) -> Wire:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        theirs.send(data)  # what does not fit is cut off
    theirs.close()
    ours.settimeout(1.0)
    wire = Wire(ours)
    wire._owned = ours  # type: ignore[attr-defined]
    return wire


def rtsp_replies(data: bytes) -> None:
    client = RtspClient.__new__(RtspClient)
    client._wire = _wire(data)
    client._channel, client._early, client._early_bytes = 0, [], 0
    try:
        for _ in range(100):
            reply = client._reply()
            reply.first("session")
    except CaptureError:
        pass
    finally:
        client._wire._owned.close()  # type: ignore[attr-defined]


def sdp(data: bytes) -> None:
    track = parse_sdp(data.decode("utf-8", "replace"))
    if track is not None:
        assert track.rate_hz is None or 0 < track.rate_hz <= 1000
        for codec in (H264(), Hevc()):
            codec.parameter_sets(track.parameters)


def rtp(data: bytes) -> None:
    for codec in (H264(), Hevc()):
        assembler, sender, at = Assembler(codec), Sender(), 0
        while at + 2 <= len(data):
            size = int.from_bytes(data[at : at + 2], "big") % 1500
            packet = parse_rtp(data[at + 2 : at + 2 + size])
            at += 2 + size
            if packet is not None and sender.admits(packet):
                assembler.push(packet, at)


def auth_headers(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    answer = authorization(text.split("\n"), "user", "secret", "OPTIONS", "rtsp://h/")
    assert answer is None or "secret" not in answer
    for line in text.split("\n")[:20]:
        try:
            there = redirected("rtsp://user:secret@h/a", line)
            assert "secret" not in there or origin(there) == ("rtsp", "h", 554) or "secret" in line
        except ValueError:
            pass


def multipart(data: bytes) -> None:
    kind, _, rest = data.partition(b"\n")
    camera = MjpegCamera.__new__(MjpegCamera)
    camera._boundary = _boundary(kind.decode("utf-8", "replace"))
    camera._read_timeout_s = 1.0
    camera._wire = _wire(rest)
    try:
        for _ in range(100):
            camera._part()
    except CaptureError:
        pass
    finally:
        camera._wire._owned.close()  # type: ignore[attr-defined]


def picture_headers(data: bytes) -> None:
    size = picture_size(data)
    array = np.frombuffer(data, np.uint8)
    if size is not None and size[0] * size[1] <= 1_000_000:
        image = cv2.imdecode(array, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert image is None or image.shape[0] * image.shape[1] == size[0] * size[1], (size, image.shape)
    if is_bearable(array, 1_000_000):
        decode_flawless(array)
        decode_jpeg(array, (64, 48))


def sidecar_lines(data: bytes) -> None:
    facts = ClipFacts()
    for line in data.split(b"\n")[:50]:
        found = parse_object(line)
        if found is None:
            continue
        facts.line(found)
        for make in (lambda d: result_from_dict(d, _SMALL), stats_from_dict):
            with contextlib.suppress(*NO_LINE):
                make(found)
    json.dumps([facts.causes, sorted(facts.labels), facts.events], allow_nan=False).encode()
    (facts.camera + facts.boot + facts.ended).encode()


def toml(data: bytes) -> None:
    try:
        table = parse_toml(data)
    except ValueError:
        return
    known = {option.name: option for option in options()}
    for name, value in table.items():
        if name.replace("-", "_") in known:
            try:
                parse_one(known[name.replace("-", "_")], value, name)
            except ConfigError as error:
                escape(error)


def cards(data: bytes) -> None:
    try:
        card = card_from_json(data.decode("utf-8", "replace"))
        assert card.name.isprintable() and all(label == escape(label, 200) for label in card.labels)
    except msgspec.MsgspecError:
        pass
    (_FOLDER / "m.onnx").write_bytes(data)
    (_FOLDER / "m.toml").write_bytes(data)
    for read in (read_metadata, read_card):
        with contextlib.suppress(ModelError):
            read(_FOLDER / "m.onnx")


def clip_boxes(data: bytes) -> None:
    ranges = good_ranges(io.BytesIO(data), len(data))
    before = 0
    for start, end in ranges:
        assert before <= start < end <= len(data)
        before = end
    for part in apart(io.BytesIO(data), ranges):
        assert all(0 <= start < end <= len(data) for start, end in part)


def v4l2_answers(data: bytes) -> None:
    left = memoryview(data)

    def answer(_fd: int, _request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        nonlocal left
        size = ctypes.sizeof(argument)
        if len(left) < 4 or left[0] == 0:
            left = left[1:]
            raise OSError(errno.EINVAL, "no more")
        ctypes.memmove(ctypes.byref(argument), bytes(left[1 : 1 + size]), min(size, len(left) - 1))
        left = left[1 + size :]

    calls: tuple[Callable[[], object], ...] = (
        lambda: device.capability(0, "/dev/video0"),
        lambda: device.modes(0, (640, 480)),
        lambda: device.current_format(0),
        lambda: device.set_rate(0, 30.0),
        lambda: controls.list_controls(0),
    )
    with mock.patch.object(abi, "ioctl", answer):
        for call in calls:
            with contextlib.suppress(EdgecamError, OSError):
                call()


def addresses(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    shown = escape(text)
    assert shown.replace("\u200c", "").replace("\u200d", "").isprintable()
    assert hide_passwords(hide_passwords(text)) == hide_passwords(text)
