"""Debian's Chromium as the tests drive it, and what a page must never do."""

from __future__ import annotations

import importlib.resources
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "color_scheme": "dark",
}
DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
#: Reads the number that ``synthetic:`` draws into its pictures, from a canvas or a video, as
#: edgecam.capture.generated.frame_code does; null where it cannot be read.
READ_CODE = """
window.readCode = (picture) => {
  const w = picture.videoWidth || picture.width, h = picture.videoHeight || picture.height;
  const band = Math.max(4, Math.floor(h / 30)), copy = new OffscreenCanvas(w, 1), pen = copy.getContext("2d", { willReadFrequently: true });
  pen.drawImage(picture, 0, Math.floor(band / 2), w, 1, 0, 0, w, 1);
  const row = pen.getImageData(0, 0, w, 1).data; let bits = "";
  for (let i = 0; i < 34; i++) bits += row[4 * Math.floor((i + 0.5) * w / 34) + 1] > 127 ? "1" : "0";
  if (!bits.startsWith("10")) return null;
  const value = parseInt(bits.slice(2, 26), 2), sum = parseInt(bits.slice(26), 2);
  return ((value ^ value >> 8 ^ value >> 16 ^ 0x5a) & 0xff) === sum ? value : null;
};
"""  # noqa: E501


@contextmanager
def chromium_browser(executable: str) -> Iterator[Browser]:
    """A browser with a fresh profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page whose misdeeds are written down: console errors, exceptions, requests to other hosts."""

    def __init__(self, browser: Browser, origin: str, **options: Any) -> None:
        self.origin = origin
        self.misdeeds: list[str] = []
        self.bytes = 0
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(30_000)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda m: self._note(m.type in ("error", "warning"), f"console: {m.text}"))
        self.page.on("pageerror", lambda error: self._note(True, f"exception: {error}"))
        self.page.on("request", lambda r: self._note(not r.url.startswith(self._own), f"foreign: {r.url}"))

    @property
    def _own(self) -> tuple[str, ...]:
        return (self.origin, self.origin.replace("http", "ws"), "blob:", "data:")

    def _note(self, wrong: bool, what: str) -> None:
        if wrong:
            self.misdeeds.append(what)

    def open(self, place: str = "#/live", query: str = "") -> Page:
        """Go there."""
        self.page.goto(f"{self.origin}/{query}{place}")
        return self.page

    def close(self) -> None:
        """And nothing wrong was done."""
        self.context.close()
        assert not self.misdeeds, self.misdeeds


def wait(page: Page, expression: str, within_s: float = 30.0) -> Any:
    """Until ``expression`` is true in the page; its value.

    The page's content security policy allows no ``eval``, by which Playwright's own waiting works.
    """
    deadline = time.monotonic() + within_s
    while not (found := page.evaluate(expression)):
        assert time.monotonic() < deadline, f"never became true: {expression}"
        page.wait_for_timeout(50)
    return found


def drawn(page: Page, count: int = 1, within_s: float = 30.0) -> None:
    """Until so many live pictures were shown."""
    wait(page, f"(document.querySelector('.picture canvas')?.player?.drawn ?? 0) >= {count}", within_s)


def axe_findings(page: Page) -> list[str]:
    """What axe-core finds serious or worse."""
    import pytest

    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    source = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
    page.evaluate(source)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:160]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
