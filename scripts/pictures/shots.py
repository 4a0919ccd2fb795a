"""Pictures of the running program: what it writes, what its terminal, its page and its window show."""

from __future__ import annotations

import html
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from stage import Picture

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "img"
MOST_BYTES = 150_000
_FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def save(name: str, picture: Picture, quality: int = 78) -> Path:
    """Writes ``docs/img/NAME.webp``; raises AssertionError if it is heavier than a page should load."""
    target = IMAGES / f"{name}.webp"
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target), picture, [cv2.IMWRITE_WEBP_QUALITY, quality])
    size = target.stat().st_size
    print(f"{target.relative_to(ROOT)}: {picture.shape[1]}x{picture.shape[0]}, {size / 1000:.0f} kB")
    assert size < MOST_BYTES, f"{name} has {size} bytes"
    return target


def _environment(folder: Path) -> dict[str, str]:
    """Settings, caches and models of whoever runs the script have no say in the pictures."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("EDGECAM_", "XDG_"))}
    home = folder / "home"
    home.mkdir(exist_ok=True)
    terminal = {"COLUMNS": "88", "LINES": "28", "COLORTERM": "truecolor", "TZ": "UTC"}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), **terminal}


def edgecam(folder: Path, *arguments: str, check: bool = True) -> str:
    """Runs edgecam in ``folder``; what it said, errors included."""
    command = [sys.executable, "-m", "edgecam", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=_environment(folder), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if check and done.returncode:
        raise SystemExit(f"edgecam {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


@contextmanager
def running(folder: Path, *arguments: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """edgecam, until the block ends."""
    command = [sys.executable, "-m", "edgecam", *arguments]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**_environment(folder), **more}, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def moment(clip: Path, at_s: float) -> Picture:
    """The first frame of a clip from a second on; its last one where it ends before."""
    picture: Picture | None = None
    with av.open(str(clip)) as opened:
        for frame in opened.decode(video=0):
            picture = frame.to_ndarray(format="bgr24")
            if float(frame.time or 0.0) >= at_s:
                break
    assert picture is not None, clip
    return picture


@contextmanager
def browser_page(width: int, height: int, dark: bool = True) -> Iterator[Page]:
    """Debian's Chromium, on a fresh profile."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs chromium: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light",
            timezone_id="UTC", locale="en-GB",
        )  # fmt: skip
        try:
            yield context.new_page()
        finally:
            browser.close()


def shot(page: Page, part: str = "") -> Picture:
    """The page as a picture, or the part of it that a CSS selector names."""
    data = np.frombuffer(page.locator(part).screenshot() if part else page.screenshot(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def until(what: str, met: Callable[[], object], within_s: float = 120.0) -> None:
    """Waits; a machine may be slow."""
    deadline = time.monotonic() + within_s
    while not met():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {within_s:g} s")
        time.sleep(0.2)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(address: str) -> bool:
    """Whether somebody serves there."""
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except OSError:
        return False


_COLOURS = dict(
    zip(range(30, 38), ["#888", "#e66", "#7c7", "#dc7", "#79e", "#c8d", "#6cc", "#ddd"], strict=True)
)


def _spans(text: str) -> str:
    """A terminal's text as HTML: colours and bold are kept, all other control sequences go."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-HJKhl]|\x1b\][^\x07]*\x07", "", text)
    parts, style = [], ""
    for piece in re.split(r"(\x1b\[[0-9;]*m)", text):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if codes is None:
            parts.append(
                f'<span style="{style}">{html.escape(piece)}</span>' if style else html.escape(piece)
            )
            continue
        numbers = [int(n or 0) for n in codes[1].split(";")]
        while numbers:
            first = numbers.pop(0)
            if first == 0:
                style = ""
            elif first == 1:
                style += "font-weight:bold;"
            elif first in (38, 48) and numbers[:1] == [2]:
                colour = ",".join(str(n) for n in numbers[1:4])
                style += f"{'color' if first == 38 else 'background'}:rgb({colour});"
                numbers = numbers[4:]
            elif first in _COLOURS:
                style += f"color:{_COLOURS[first]};"
    return "".join(parts)


def terminal(*told: tuple[str, str]) -> Picture:
    """What a terminal shows: (command, what it said) pairs."""
    body = ""
    for command, text in told:
        body += f'<b style="color:#8bd5a0">$ {html.escape(command)}</b>\n{_spans(text.rstrip())}\n\n'
    page_html = (
        '<body style="margin:0;background:#14171c"><pre id="t" style="margin:0;'
        "padding:18px 22px;color:#d6dae2;"
        "display:inline-block;font:15px/17px 'DejaVu Sans Mono',monospace\">" + body.rstrip() + "</pre>"
    )
    with browser_page(1000, 400) as page:
        page.set_content(page_html)
        size = page.evaluate("[t.offsetWidth, t.offsetHeight]")
        page.set_viewport_size({"width": max(int(size[0]) + 2, 700), "height": int(size[1])})
        return shot(page)


@contextmanager
def screen(width: int, height: int) -> Iterator[str]:
    """A virtual screen (Xvfb); its DISPLAY."""
    for tool in ("Xvfb", "import"):
        if shutil.which(tool) is None:
            raise SystemExit(f"needs {tool}: apt install xvfb imagemagick")
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as told:
            yield f":{told.readline().strip()}"
    finally:
        server.terminate()
        server.wait(60)


def screen_shot(display: str) -> Picture:
    """What stands on a virtual screen now."""
    done = subprocess.run(
        ["import", "-display", display, "-window", "root", "png:-"], check=True, capture_output=True
    )
    picture = cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)
