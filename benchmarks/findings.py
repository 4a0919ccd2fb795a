"""The fourteen findings that docs/security.md began with, tried on any checkout of the program from outside.

    python benchmarks/findings.py CHECKOUT [NUMBER …]     a line for each: held or FAILED, and what it did

Every attack goes through `python -m edgecam` of that checkout; nothing of it is imported here. So the same
attacks run on the program before its mending (base-2026-11-30) and after. A program that takes more than
700 MB, or longer than its time, is ended. Exit code 1 if one failed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "capture"))
from checkout import LIVE, QUIET, Checkout  # noqa: E402
from hostile import answering, endless, h264_units, hostile_server, png_bomb  # noqa: E402

SDP = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{}a=control:track\r\n"
OK = b"RTSP/1.0 200 OK\r\n"
SETUP = OK + b"Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
#: A clock that is ahead by the seconds in a file, for every program that preloads it.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) {
    const char *text = getenv("AHEAD_S");
    return text ? atol(text) : 0;
}
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, at);
    if (id == CLOCK_REALTIME) at->tv_sec += ahead();
    return done;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def one(folder: Path, suffix: str = ".mp4") -> Path:
    return next(path for path in sorted(folder.glob(f"*{suffix}")) if not path.name.startswith("bad"))


def interleaved(payload: bytes, sequence: int, marker: bool, timestamp: int) -> bytes:
    head = bytes((0x80, 96 | marker << 7)) + (sequence & 0xFFFF).to_bytes(2, "big")
    data = head + timestamp.to_bytes(4, "big") + b"\0\0\0\7" + payload
    return b"$\0" + len(data).to_bytes(2, "big") + data


def described(more: str = "") -> bytes:
    text = SDP.format(more).encode()
    return OK + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)


def playing(then: Callable[[socket.socket], None], more: str = "") -> Callable[[socket.socket], None]:
    return answering(OK + b"\r\n", described(more), SETUP, OK + b"\r\n", then=then)


# The findings: each says whether it held, and what the program did


def finding_1(of: Checkout) -> tuple[bool, str]:
    """One bad old file ends all recording and listing."""
    lines = ('{"detections":7}', '{"event":{"x":1}}', '{"clip":{"causes":3}}')
    said = []
    for n, bad in enumerate((*lines, "avc1", "name")):
        folder = of.clips(f"one{n}")
        good = one(folder)
        if bad == "name":
            shutil.copy(good, folder / os.fsdecode(b"caf\xe9.mp4"))
        else:
            data = good.read_bytes()
            (folder / "bad.mp4").write_bytes(data.replace(b"avc1", b"ivc1") if bad == "avc1" else data)
            sidecar = one(folder, ".jsonl").read_text()
            (folder / "bad.jsonl").write_text(sidecar if bad == "avc1" else f"{bad}\n{sidecar}")
        recorded = of.run(*LIVE, *QUIET, "--record", folder, "--frames", "10").status
        said.append((recorded, of.run("clips", "list", "--dir", folder).status))
    return all(pair == (0, 0) for pair in said), f"exits of recording and clips list: {said}"


def finding_2(of: Checkout) -> tuple[bool, str]:
    """One header freezes every camera."""
    header = b"RTSP/1.0 401 No\r\nWWW-Authenticate: Digest " + b"a" * 40_000 + b"\r\n\r\n"
    with hostile_server(answering(header, then=lambda _peer: time.sleep(1))) as port:
        uri = f"rtsp://me:pw@127.0.0.1:{port}/x"
        ended = of.run("--source", uri, *QUIET, "--reconnect", "off", within_s=150)
    return ended.status == 3 and ended.cpu_s < 10, str(ended)


def finding_3(of: Checkout) -> tuple[bool, str]:
    """A redirection carries the password to another host."""
    asked: list[bytes] = []

    def elsewhere(peer: socket.socket) -> None:
        while data := peer.recv(65536):
            asked.append(data)
            number = data.partition(b"CSeq: ")[2].partition(b"\r")[0] or b"1"
            basic = b'WWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
            peer.sendall(b"RTSP/1.0 401 No\r\nCSeq: %b\r\n%b" % (number, basic))

    def first(peer: socket.socket) -> None:
        while data := peer.recv(65536):
            number = data.partition(b"CSeq: ")[2].partition(b"\r")[0] or b"1"
            moved = b"RTSP/1.0 302 Moved\r\nCSeq: %b\r\nLocation: rtsp://localhost:%d/y\r\n"
            peer.sendall(moved % (number, other) + b"Content-Length: 0\r\n\r\n")

    with hostile_server(elsewhere) as other, hostile_server(first) as port:
        uri = f"rtsp://me:s3cr3t@127.0.0.1:{port}/x"
        ended = of.run("--source", uri, *QUIET, "--reconnect", "off")
    told = [data for data in asked if b"Authorization" in data]
    return not told and bool(
        asked
    ), f"{len(asked)} requests elsewhere, {len(told)} with the password; {ended}"


def decoded(path: Path) -> int:
    """Whole pictures that FFmpeg gives when it reads on behind every error."""
    frames = 0
    with suppress(av.error.FFmpegError, IndexError), av.open(str(path), format="mp4") as clip:
        for packet in clip.demux(clip.streams.video[0]):
            with suppress(av.error.FFmpegError):
                frames += sum(not frame.is_corrupt for frame in packet.decode())
    return frames


def finding_4(of: Checkout) -> tuple[bool, str]:
    """Recovery destroys what FFmpeg decodes."""
    folder = of.folder / "four"
    program = of.start((*LIVE, *QUIET, "--record", folder, "--duration", "40"))
    limit = time.monotonic() + 60
    while time.monotonic() < limit and sum(p.stat().st_size for p in folder.glob(".*.mp4.part")) < 150_000:
        time.sleep(0.1)
    program.kill()
    program.communicate()
    (part,) = folder.glob(".*.mp4.part")
    data = bytearray(part.read_bytes())
    data[data.index(b"moof", len(data) // 4)] ^= 1
    part.write_bytes(data)
    before, size = decoded(part), len(data)
    of.run(*LIVE, *QUIET, "--record", folder, "--frames", "5")
    found = [path for path in folder.iterdir() if path.name.startswith((part.name[1:-9], part.name[:-9]))]
    after = max((decoded(path) for path in found if ".mp4" in path.name), default=0)
    return after >= before > 0, f"{before} frames of {size} bytes decoded before recovery, {after} after"


def finding_5(of: Checkout) -> tuple[bool, str]:
    """A rate that is no number ends all cameras."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 192, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"tune": "zerolatency", "g": "10"}
    units: list[list[bytes]] = []
    for n in range(60):
        frame = av.VideoFrame.from_ndarray(np.full((192, 320, 3), n * 4, np.uint8), format="rgb24")
        frame.pts = n
        coded = [bytes(packet).replace(b"\0\0\0\1", b"\0\0\1") for packet in encoder.encode(frame)]
        units += [[unit for unit in data.split(b"\0\0\1") if unit] for data in coded]

    def pictures(peer: socket.socket) -> None:
        sequence = 0
        for n in range(600):
            for i, unit in enumerate(units[n % 60]):
                last = i == len(units[n % 60]) - 1
                peer.sendall(interleaved(unit, sequence, last, 9000 + n * 3000))
                sequence += 1
            time.sleep(0.03)

    said = []
    for n, rate in enumerate(("nan", "inf", "1e308", "1e-308")):
        with hostile_server(playing(pictures, f"a=framerate:{rate}\r\n")) as port:
            words = (
                "--source",
                f"rtsp://127.0.0.1:{port}/x",
                *LIVE,
                *QUIET,
                "--record",
                of.folder / f"five{n}",
            )
            said.append(of.run(*words, "--duration", "4").status)
    return said == [0, 0, 0, 0], f"exits with nan, inf, 1e308, 1e-308: {said}"


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
    model = TINY.write(of.folder / "m.onnx")
    model.with_suffix(".toml").write_text('task = "detection"\nlabels = "/dev/zero"\n')
    said["labels = /dev/zero"] = of.run("models", "info", model)
    peaks = {name: f"{ended.peak_mb:.0f}" for name, ended in said.items()}
    return all(ended.peak_mb < 400 for ended in said.values()), f"MB: {peaks}"


def finding_7(of: Checkout) -> tuple[bool, str]:
    """Secrets in files, in the process title and in messages."""
    image = of.folder / "image"
    (image / "etc/systemd/system").mkdir(parents=True)
    command = image / "opt/edgecam/bin/edgecam"
    command.parent.mkdir(parents=True)
    command.touch(0o755)
    uri = "rtsp://joe:s3cr3t@127.0.0.1:9/x"
    words = (
        "service",
        "install",
        "--root",
        image,
        "--command",
        "/opt/edgecam/bin/edgecam",
        "--headless",
        "--yes",
    )
    of.run(*words, "--source", uri)
    files = [p for p in image.rglob("*") if p.is_file() and b"s3cr3t" in p.read_bytes()]
    open_files = [f"{p.name} {stat.S_IMODE(p.stat().st_mode):o}" for p in files if p.stat().st_mode & 0o77]
    program = of.start(("--source", uri, "--wait", *QUIET))
    title, limit = Path(f"/proc/{program.pid}/cmdline"), time.monotonic() + 30
    while (shown := b"s3cr3t" in title.read_bytes()) and time.monotonic() < limit:
        time.sleep(0.5)
    program.kill()
    program.communicate()
    misspelt = ("rtsp:/joe:PW9@h", "rtsp//joe:PW9@h", "ftp:joe:PW9@h")
    printed = [text for text in misspelt if "PW9" in of.run("--source", text, *QUIET).said]
    text = f"readable files with it: {open_files}; in the process title: {shown}; "
    text += f"printed for {len(printed)} of 3 misspelt addresses"
    return bool(files) and not (open_files or shown or printed), text


def finding_8(of: Checkout) -> tuple[bool, str]:
    """The clips folder is trusted."""
    folder = of.clips("eight")
    precious, target = of.folder / "precious.txt", of.folder / "target.txt"
    precious.write_text("mine")
    target.write_text("precious, and half a line")
    good = one(folder)
    of.run("clips", "list", "--dir", folder)
    (index,) = folder.glob(".edgecam*.sqlite")
    with sqlite3.connect(index) as db:
        files = json.dumps({"annotated": good.name, "sheet": "../precious.txt"})
        db.execute("UPDATE clips SET files = ?", (files,))
    db.close()
    of.run("clips", "delete", "--dir", folder, good.stem, "--yes")
    kept = precious.exists()
    (folder / ".x.jsonl.part").symlink_to(target)
    of.run(*LIVE, *QUIET, "--record", folder, "--frames", "5")
    whole = target.read_text() == "precious, and half a line"
    return kept and whole, f"a file outside kept: {kept}; a link's target whole: {whole}"


def finding_9(of: Checkout) -> tuple[bool, str]:
    """Terminal and log injection through names."""
    name = of.folder / "a\x1b[31mred\nforged: line.mp4"
    said = [of.run("--source", name, *QUIET).said]
    folder = of.clips("nine")
    shutil.copy(one(folder), folder / "\x1b]0;title\x07.mp4")
    said.append(of.run("clips", "list", "--dir", folder).said)
    said.append(of.run(*LIVE, "--detector", "/tmp/\x1b[2Jm.onnx", "--display", "none").said)
    raw = ["\x1b[31m" in said[0] or "\nforged" in said[0], "\x1b]0" in said[1], "\x1b[2J" in said[2]]
    return not any(raw), f"raw escapes of a source, a clip, a model: {raw}"


def finding_10(of: Checkout) -> tuple[bool, str]:
    """A model's sidecar reads any path."""
    secret = of.folder / "secret.txt"
    secret.write_text("root:secret1\ndaemon:secret2\n")
    place = of.folder / "models"
    place.mkdir()
    shutil.copy(TINY.write(of.folder / "tiny.onnx"), place / "m.onnx")
    card = f'task = "detection"\nlabels = "{secret}"\n'
    (place / "m.toml").write_text(card)
    said = of.run("models", "info", place / "m.onnx").said
    read = "secret1" in said or "daemon:secret2" in said
    return not read, f"its lines came back as labels: {read}"


class TINY:
    """A model without a card: a picture in, boxes and scores out."""

    @staticmethod
    def write(path: Path) -> Path:
        import onnx
        from onnx import TensorProto as T
        from onnx import helper, numpy_helper

        nodes = [
            helper.make_node("Identity", ["b"], ["boxes"]),
            helper.make_node("Cast", ["image"], ["f"], to=T.FLOAT),
            helper.make_node("ReduceMean", ["f"], ["m"], keepdims=0),
            helper.make_node("Mul", ["m", "s"], ["scores"]),
        ]
        constants = [
            numpy_helper.from_array(np.zeros((1, 4, 4), np.float32), "b"),
            numpy_helper.from_array(np.zeros((1, 4, 2), np.float32), "s"),
        ]
        inputs = [helper.make_tensor_value_info("image", T.UINT8, [1, 8, 8, 3])]
        outputs = [
            helper.make_tensor_value_info("boxes", T.FLOAT, [1, 4, 4]),
            helper.make_tensor_value_info("scores", T.FLOAT, [1, 4, 2]),
        ]
        graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.save(model, path)
        return path


def finding_11(of: Checkout) -> tuple[bool, str]:
    """A clock that is set forward ages what was just recorded."""
    source, library = of.folder / "clock.c", of.folder / "clock.so"
    source.write_text(CLOCK)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    folder = of.folder / "eleven"
    words = (*LIVE, *QUIET, "--record", folder, "--keep-days", "1", "--frames", "20")
    of.run(*words)
    before = len(list(folder.glob("*.mp4")))
    of.run(*words, LD_PRELOAD=str(library), AHEAD_S="200000")
    of.run(*words)
    after = len(list(folder.glob("*.mp4")))
    return before == 1 and after == 3, f"{after} of 3 clips, recorded within a minute, are there"


def finding_12(of: Checkout) -> tuple[bool, str]:
    """What blocks, what ends badly."""
    folder = of.folder / "pictures"
    folder.mkdir()
    os.mkfifo(folder / "a.jpg")
    program = of.start(("--source", folder, *QUIET))
    with suppress(subprocess.TimeoutExpired):
        program.wait(60)
    program.send_signal(signal.SIGTERM)
    try:
        program.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        program.kill()
        program.communicate()
    said = {"FIFO among pictures, then SIGTERM": program.returncode in (0, 3)}
    for name, words in {
        "NUL in a path": ("--source", "clip%00.mp4", *QUIET),
        "record_rate=1e300": (*LIVE, *QUIET, "--record", of.folder / "r", "--record-rate", "1e300"),
        "config=/dev/zero": ("--config", "/dev/zero", *LIVE, *QUIET),
        "deep nesting": ("--config", of.folder / "deep.toml", *LIVE, *QUIET),
    }.items():
        (of.folder / "deep.toml").write_text("x = " + "[" * 20_000)
        ended = of.run(*words, "--frames", "5", within_s=30)
        said[name] = ended.status in (2, 3) and "unexpected" not in ended.said
    fifo = of.folder / "nobody"
    os.mkfifo(fifo)
    ended = of.run(*LIVE, *QUIET, "--json", fifo, "--duration", "4", within_s=40)
    said["a FIFO nobody reads"] = ended.status is not None and ended.took_s < 20
    clips = of.folder / "twice"
    program = of.start((*LIVE, *QUIET, "--record", clips))
    limit = time.monotonic() + 60
    while time.monotonic() < limit and sum(p.stat().st_size for p in clips.glob(".*.part")) < 40_000:
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    program.communicate()
    said["second Ctrl-C"] = not list(clips.glob(".*.mp4.part")) and len(list(clips.glob("*.mp4"))) == 1
    return all(said.values()), f"failed: {[name for name, held in said.items() if not held]}"


def finding_13(of: Checkout) -> tuple[bool, str]:
    """Nothing pins what is installed."""
    locks = list((of.root / "constraints").rglob("*aarch64*.txt"))
    hashed = [path.name for path in locks if "--hash=sha256:" in path.read_text()]
    sbom = (of.root / "scripts" / "sbom.py").exists()
    return bool(hashed) and sbom, f"locks with hashes: {len(hashed)}; an SBOM is built: {sbom}"


def finding_14(of: Checkout) -> tuple[bool, str]:
    """A power command that somebody else may change is run."""
    script, proof = of.folder / "watts", of.folder / "was-run"
    script.write_text(f"#!/bin/sh\ntouch {proof}\necho 5 W\n")
    script.chmod(0o777)
    ended = of.run(*LIVE, *QUIET, "--power-command", script, "--duration", "3")
    return not proof.exists(), f"run: {proof.exists()}; {ended}"


FINDINGS: dict[int, Callable[[Checkout], tuple[bool, str]]] = {
    int(name.partition("_")[2]): function
    for name, function in list(globals().items())
    if name.startswith("finding_")
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("numbers", nargs="*", type=int)
    args = parser.parse_args()
    failed = 0
    for number in args.numbers or sorted(FINDINGS):
        with tempfile.TemporaryDirectory(prefix="edgecam-finding-") as folder:
            try:
                held, what = FINDINGS[number](Checkout(args.checkout.resolve(), Path(folder)))
            except Exception as error:  # the program did not even get there
                held, what = False, f"the attempt itself: {error!r}"
        failed += not held
        title = (FINDINGS[number].__doc__ or "").strip()
        print(f"{number:>2} {'held  ' if held else 'FAILED'} {title} {what}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
