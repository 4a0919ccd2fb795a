"""The finding of findings.py about memory: cameras, pictures, weights and models can exhaust it."""

from __future__ import annotations

import io
import socket
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "capture"))
from checkout import QUIET, Checkout  # noqa: E402
from findings_files import model_without_card  # noqa: E402
from findings_network import OK, SETUP, described, interleaved, playing  # noqa: E402
from hostile import answering, endless, h264_units, hostile_server, png_bomb  # noqa: E402


def finding_6(of: Checkout) -> tuple[bool, str]:
    """Memory without bounds."""
    sps, pps, piece = h264_units(16_000, 16_000)

    def huge(peer: socket.socket) -> None:
        for n in range(100):
            for i, unit in enumerate((sps, pps, piece)):
                peer.sendall(interleaved(unit, 3 * n + i, i == 2, 9000 + n * 3000))
            time.sleep(0.02)

    body = OK + b"Content-Length: 2000000000\r\n\r\n"
    web = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n"
    web += b"Content-Type: image/jpeg\r\nContent-Length: 2000000000\r\n\r\n"
    flood = endless(interleaved(b"\x7c\x05" + bytes(60_000), 1, False, 9000))
    servers = {
        "packets before a reply": ("rtsp", answering(OK + b"\r\n", described(), SETUP, then=flood)),
        "FU-A without end": ("rtsp", playing(flood)),
        "Content-Length 2 GB": ("rtsp", answering(body, then=endless(bytes(65536)))),
        "a part of 2 GB": ("http", answering(web, then=endless(bytes(65536)))),
        "H.264 of 16,000 square": ("rtsp", playing(huge)),
    }
    said = {}
    for name, (scheme, serve) in servers.items():
        with hostile_server(serve) as port:
            uri = f"{scheme}://127.0.0.1:{port}/x"
            said[name] = of.run(
                "--source", uri, *QUIET, "--reconnect", "off", "--duration", "20", within_s=50
            )
    start = b"\0\0\0\1"
    (of.folder / "huge.png").write_bytes(png_bomb(24_000, 24_000))
    (of.folder / "huge.h264").write_bytes(b"".join(start + unit for unit in (sps, pps, piece)) * 3)
    for name in ("huge.png", "huge.h264"):
        said[name] = of.run("--source", of.folder / name, *QUIET)
    head = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": (300_000_000,)}
    np.lib.format.write_array_header_1_0(head, about)
    with zipfile.ZipFile(of.folder / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.npy", "w", force_zip64=True) as member:
            member.write(head.getvalue())
            for _ in range(1200):
                member.write(bytes(1_000_000))
    bomb = ("export", "mobilenet_v2", "--weights", of.folder / "w.npz", "-o", of.folder / "x.onnx")
    said["zip bomb"] = of.run(*bomb)
    model = model_without_card(of.folder / "m.onnx")
    model.with_suffix(".toml").write_text('task = "detection"\nlabels = "/dev/zero"\n')
    said["labels = /dev/zero"] = of.run("models", "info", model)
    peaks = {name: f"{ended.peak_mb:.0f}" for name, ended in said.items()}
    return all(ended.peak_mb < 400 for ended in said.values()), f"MB: {peaks}"
