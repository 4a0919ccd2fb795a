"""The harnesses with their seeds, made by our own code or as real cameras send them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from harnesses import (
    Harness,
    addresses,
    auth_headers,
    cards,
    clip_boxes,
    multipart,
    picture_headers,
    rtp,
    rtsp_replies,
    sdp,
    sidecar_lines,
    toml,
    v4l2_answers,
)

from edgecam.capture.v4l2 import abi
from edgecam.inference.models.card import Card

sys.path.append(str(Path(__file__).resolve().parents[1] / "capture"))
from rtp_parts import SDP

_SMALL = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


def _packets(*payloads: bytes) -> bytes:
    head = [bytes((0x80, 96)) + n.to_bytes(2, "big") + bytes((0, 0, 35, n)) + b"\0\0\0\7" for n in range(9)]
    packets = [h + payload for h, payload in zip(head, payloads, strict=False)]
    return b"".join(len(p).to_bytes(2, "big") + p for p in packets)


def _jpeg(suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, _SMALL)[1].tobytes())


def _box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


_FRAGMENT = _box(b"moof", bytes(20)) + _box(b"mdat", bytes(30))
_OK = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"
_CARD = Card(name="m", task="detection", architecture="a", labels=("a", "b"), resolution=(8, 8))
_LINE = {
    "v": 1,
    "source": "demo:",
    "file": None,
    "index": 1,
    "captured_ns": 5,
    "time": "2026-11-20T10:00:00.123Z",
    "width": 64,
    "height": 48,
    "inference_ms": 1.0,
    "frame_age_ms": 2.0,
    "dropped": 0,
    "power_w": 5.0,
    "power_kind": "estimated",
    "classes": [],
    "clip_s": 0.1,
    "detections": [{"label": "a", "class_id": 0, "score": 0.5, "xyxy": [1, 2, 3, 4], "track_id": 3}],
}
_MODE = b"\1" + bytes(abi.FmtDesc()) + b"\1" + bytes(abi.FrmSizeEnum()) + b"\1" + bytes(abi.FrmIvalEnum())

HARNESSES: Mapping[str, Harness] = {
    "rtsp_replies": Harness(
        rtsp_replies,
        (
            _OK + b"Content-Length: 4\r\n\r\nv=0\n",
            b"$\0\0\3abc" + _OK + b"Session: 1;timeout=60\r\n\r\n",
            b'RTSP/1.0 401 No\r\nWWW-Authenticate: Digest realm="a", nonce="b"\r\n\r\n' + _OK + b"\r\n",
            b"OPTIONS rtsp://h RTSP/1.0\r\nCSeq: 3\r\n\r\n" + _OK + b"\r\n",
        ),
    ),
    "sdp": Harness(sdp, (SDP.encode(), SDP.replace("H264", "H265").replace("25.0", "nan").encode())),
    "rtp": Harness(
        rtp,
        (
            _packets(b"\x67ab", b"\x68c", b"\x7c\x85abc", b"\x7c\x45def", b"\x78\0\2\x67a\0\2\x68b"),
            _packets(b"\x62\1\x93abc", b"\x62\1\x53def", b"\x60\1\0\3\x40\1a\0\3\x42\1b"),
        ),
    ),
    "auth_headers": Harness(
        auth_headers,
        (
            b'Digest realm="a", nonce="b", qop="auth,auth-int", opaque="c", algorithm=SHA-256\nBasic realm="x"',  # noqa: E501
            b"rtsp://h:554/x\n/y\nhttp://h/\nrtsps://u:p@other/",
        ),
    ),
    "multipart": Harness(
        multipart,
        (
            b"multipart/x-mixed-replace; boundary=b\n--b\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 3\r\n\r\nabc\r\n--b--",
            b'multipart/x; boundary="--b"\n--b\r\nContent-Type: image/jpeg\r\n\r\nabc\r\n--b\r\n\r\nx\r\n--b--\r\n',  # noqa: E501
        ),
    ),
    "picture_headers": Harness(
        picture_headers, tuple(map(_jpeg, (".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm")))
    ),
    "sidecar_lines": Harness(
        sidecar_lines,
        (
            b'{"v":1,"clip":{"camera":"x","started":"2026-11-20T10:00:00Z","causes":["a"],"boot":"b"}}\n'
            b'{"v":1,"event":{"clip_s":1.5,"cause":"person"}}\n{"v":1,"end":{"why":"x","frames":3,"missed":0}}',
            json.dumps(_LINE).encode() + b"\n",
        ),
    ),
    "toml": Harness(
        toml,
        (
            b'source = ["demo:"]\nrate = 30\nsize = "1280x720"\nduration = "5m"\nkeep_bytes = "20GB"\nscore = 0.5',  # noqa: E501
            b'record_on = ["person:0.6"]\nrecord_rate = 1e3\n[table]\na.b.c = {d = [1, 2.5, nan]}\n',
        ),
    ),
    "cards": Harness(
        cards,
        (
            _CARD.to_json().encode(),
            b'labels = ["a"]\nresolution = [8, 8]\n[output]\nformat = "yolov8"\n',
            b"\x08\x07\x12\x01x:\x04\x0a\x00\x12\x00r\x0a\x0a\x03key\x12\x03val",
        ),
    ),
    "clip_boxes": Harness(
        clip_boxes,
        (
            _box(b"ftyp", b"isom") + _box(b"moov", bytes(40)) + _FRAGMENT * 3,
            _box(b"ftyp", b"isom")
            + _box(b"mdat", _box(b"moov", bytes(9)) + _box(b"moof") + _box(b"mdat", b"x")),
        ),
    ),
    "v4l2_answers": Harness(
        v4l2_answers, (b"\1" + bytes(abi.Capability()) + _MODE * 3, b"\1" + b"\xff" * 104 + _MODE)
    ),
    "addresses": Harness(
        addresses, (b"rtsp://joe:PW@h/x", b"see 'ftp:joe:PW@h' \x1b[31m", "caf\u00e9 \u202e".encode())
    ),
}
