"""The kiosk's page in a browser outside: let in by the code on the screen; a zone drawn there shows here."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import kiosk
import numpy as np
import pytest
from guest_tools import wait_for_moving_picture
from numpy.typing import NDArray
from virtual_board import PATIENCE, Board, GuestError

sys.path.append(str(Path(__file__).resolve().parents[1] / "web"))
from browser import DESK, Watched, chromium_browser, drawn, wait

PORT = 8080
#: The zone that the page offers first (edgecam/web/pages/js/zones.js); normalised corners.
CORNERS = ((0.3, 0.4), (0.6, 0.4), (0.65, 0.85), (0.25, 0.85))


def tell(text: str) -> None:
    """For who looks on, and for the report: under emulation this test takes minutes."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def screen(board: Board) -> NDArray[np.uint8]:
    """(H, W, 3) BGR."""
    image = cv2.imread(str(board.screenshot(board.folder / "now.png")))
    assert image is not None
    return image.astype(np.uint8)


def code_on_screen(board: Board, timeout_s: float) -> str:
    """What the QR code on the board's screen says."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    while time.monotonic() < deadline:
        words, *_ = cv2.QRCodeDetector().detectAndDecode(screen(board))
        if words:
            return str(words)
        time.sleep(1.0)
    log = board.check(f"journalctl -b -u {kiosk.UNIT} --no-pager | tail -n 40")
    raise GuestError(f"no code on the screen within {timeout_s * PATIENCE:.0f} s\n{log}")


def on_outline(board: Board) -> tuple[float, float]:
    """Shares of the points along the zone's sides, and of those well inside, that stand out from beside them.

    The kiosk's picture fills the screen, so that corners are shares of it.
    """
    image = cv2.cvtColor(screen(board), cv2.COLOR_BGR2GRAY).astype(int)
    height, width = image.shape
    middle = np.mean(CORNERS, axis=0)

    def share(scale: float) -> float:
        corners = [(middle + (np.array(c) - middle) * scale) * (width, height) for c in CORNERS]
        out = 0
        for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
            across = np.array((-(b - a)[1], (b - a)[0])) / np.hypot(*(b - a))
            for part in np.linspace(0.1, 0.9, 30):
                at = a + (b - a) * part
                row = [image[tuple(np.rint(at + across * d).astype(int)[::-1])] for d in range(-8, 9)]
                inner, outer = row[5:12], row[:4] + row[13:]
                out += max(inner) - max(outer) > 25 or min(outer) - min(inner) > 25
        return out / 120

    return share(1.0), share(0.7)


def test_a_zone_drawn_in_a_browser_shows_on_the_kiosk(board: Board, model: str, pictures: Path) -> None:
    pytest.importorskip("playwright", reason="needs the package playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: apt install chromium")
    port = board.plug_network(PORT)
    board.plug_in(*kiosk.photograph())
    kiosk.install(board, model, "--kiosk", f'web = "0.0.0.0:{PORT}"')
    found = urlsplit(code_on_screen(board, 180))
    board.screenshot(pictures / "kiosk-page-code.png")
    assert (found.scheme, found.hostname, found.port) == ("http", "10.0.2.15", PORT)
    tell("the code on the screen can be read")
    origin = f"http://127.0.0.1:{port}"
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, origin, **DESK)
        watched.context.set_default_timeout(60_000 * PATIENCE)
        page = watched.open(f"#{found.fragment}")
        page.get_by_role("textbox", name="Choose a password for this board").fill("a long enough phrase")
        page.get_by_role("button", name="Pair").press("Enter")
        wait(page, "document.querySelector('.picture canvas') !== null", 60 * PATIENCE)
        drawn(page, 2, 60 * PATIENCE)
        page.screenshot(path=pictures / "kiosk-page-live.png")
        tell("paired; the live picture is there")
        wait_for_moving_picture(board, 60)
        before = [on_outline(board) for _ in range(3)]
        page.goto(f"{origin}/#/zones")
        page.get_by_role("button", name="Zone", exact=True).press("Enter")
        page.get_by_label("Name").fill("porch")
        page.get_by_role("button", name="Save").press("Enter")
        page.wait_for_selector("text=it holds from the next picture on")
        tell("the zone is drawn and saved")
        deadline = time.monotonic() + 30 * PATIENCE
        while (seen := on_outline(board))[0] < 0.6:
            assert time.monotonic() < deadline, f"no outline on the screen: {seen}, before {before}"
            time.sleep(1.0)
        tell(f"outline and inside: {seen}, before: {before}")
        board.screenshot(pictures / "kiosk-page-zone.png")
        drawn(page, 1, 60 * PATIENCE)
        page.screenshot(path=pictures / "kiosk-page-zones.png")
        assert max(share for share, _ in before) < 0.4, before
        assert seen[1] < 0.4, "it is an outline, not a change of the whole picture"
        watched.misdeeds = [m for m in watched.misdeeds if "401" not in m]
        watched.close()
    kiosk.assert_restarts(board, 0, "nothing of this is a reason to start again")
