"""The documentation as a site: built strictly; links lead somewhere; nothing is asked of others."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "capture"))

from stream_kit import served  # noqa: E402

IMAGES = ROOT / "docs" / "img"
#: A picture of the documentation weighs at most this, all of them that; README's loop has its own limit.
PICTURE_BYTES, ALL_BYTES, LOOP_BYTES = 150_000, 2_000_000, 3_000_000
#: These stand for every kind of page: pictures, wide tables, code, long lists of headings.
LOOKED_AT = (
    "index.html", "recipes/doorbell.html", "what-models-see.html", "models.html", "reference/settings.html",
    "performance.html", "troubleshooting.html",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    zensical = Path(sys.executable).with_name("zensical")
    if not zensical.exists():
        pytest.skip("needs zensical (extra 'dev', Python 3.11 or later)")
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    done = subprocess.run(
        [zensical, "build", "--strict"], cwd=folder, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def _pages(site: Path) -> dict[Path, str]:
    return {page: page.read_text(encoding="utf-8") for page in sorted(site.rglob("*.html"))}


def test_every_link_and_anchor_leads_somewhere(site: Path) -> None:
    pages = _pages(site)
    anchors = {page: set(re.findall(r'\bid="([^"]+)"', text)) for page, text in pages.items()}
    wrong, checked = [], 0
    for page, text in pages.items():
        if page.name == "404.html":  # its links are absolute: it may be served for any address
            continue
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            place, anchor = urldefrag(unescape(target))
            if re.match(r"[a-z]+:", place):
                continue
            file = page if not place else (page.parent / unquote(place)).resolve()
            file = file / "index.html" if file.is_dir() else file
            checked += 1
            if not file.exists():
                wrong.append(f"{page.name}: {target}")
            elif anchor and file in anchors and unquote(anchor) not in anchors[file] | {"__skip"}:
                wrong.append(f"{page.name}: {target}: there is no such heading")
    assert not wrong, wrong[:20]
    assert checked > 2000


def test_anchors_in_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((docs/[^)#\s]+|)#([^)\s]+)\)", text):
        page = ROOT / (target or "README.md")
        headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
        assert anchor in slugs, f"{target}#{anchor}"


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    for page, text in _pages(site).items():
        loaded = re.findall(r'<(?:script|img|iframe|source|video)\b[^>]*\bsrc="([^"]+)"', text)
        loaded += re.findall(r'<link\b[^>]*\bhref="([^"]+)"', text)
        foreign = [address for address in loaded if re.match(r"(https?:)?//", address)]
        assert not foreign, (page.name, foreign)


def test_each_recipe_has_its_picture_and_pictures_are_light() -> None:
    for recipe in sorted((ROOT / "docs" / "recipes").glob("*.md")):
        text = recipe.read_text(encoding="utf-8")
        assert f"](../img/recipes/{recipe.stem}.webp)" in text, f"{recipe.name} shows no picture"
        assert "```sh" in text, f"{recipe.name} has no commands"
    sizes = {p: p.stat().st_size for p in IMAGES.rglob("*") if p.is_file() and p.name != "demo.gif"}
    assert not [p.name for p, size in sizes.items() if size > PICTURE_BYTES]
    assert sum(sizes.values()) < ALL_BYTES
    assert (IMAGES / "demo.gif").stat().st_size < LOOP_BYTES


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """The site, served on this machine."""
    with served(site) as address:
        yield address


def test_chromium_shows_it_on_a_phone_in_the_dark_and_on_a_desk(address: str) -> None:
    pytest.importorskip("playwright", reason="needs the package playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "color_scheme": "dark"}
    desk = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
    foreign: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        grounds = []
        for device in (phone, desk):
            context = browser.new_context(**device)
            context.set_default_timeout(60_000)
            page = context.new_page()
            page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith(address) else None)
            for name in LOOKED_AT:
                page.goto(f"{address}/{name}")
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{name} is {wide} px wider than a screen of {device['viewport']}"
                missing = page.evaluate(
                    "Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode()"
                    ".then(() => '', () => i.src); })).then(all => all.filter(Boolean))"
                )
                assert not missing, (name, missing)
            page.goto(f"{address}/recipes/doorbell.html")
            assert page.locator("button.md-code__button, button.md-clipboard").count() > 0, "nothing to copy"
            grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            context.close()
        browser.close()
    assert grounds[0] != grounds[1], "dark and light look the same"
    assert not [url for url in foreign if not url.startswith("data:")], foreign
