"""The page in Chromium: every page, by keyboard too; the right boxes on the right frame; lost, found."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from browser import DESK, PHONE, READ_CODE, Watched, axe_findings, chromium_browser, drawn, wait
from web_board import PASSWORD, Serve

PAGES = {
    "#/live": ".picture canvas",
    "#/events": "h1:has-text('Events')",
    "#/zones": ".zone-head, .empty",
    "#/settings": ".setting",
    "#/system": ".plots, .card",
}


#: Draws boxes over the whole picture and around its credits, as those of a frame are drawn: what was written,
#: and how many pixels were painted on the credits and elsewhere.
WITH_BOXES = """async ([x, y, w, h]) => {
  const layer = document.querySelector('.picture canvas[aria-hidden]'), pens = CanvasRenderingContext2D.prototype;
  const box = (label, xyxy, more) => ({ label, class_id: 0, score: 0.678, xyxy, ...more });
  const words = [], write = pens.fillText;
  pens.fillText = function (text, ...at) { words.push(text); write.call(this, text, ...at); };
  const { player } = document.querySelector('.picture canvas');
  player.onFrame({ ...player.shown, detections: [
    box('dog', [0, 0, 960, 540], { track_id: 3, name: 'English springer' }), box('cat', [500, 100, 800, 400], { name: 'cat' }),
    box('person', [4, 500, 250, 538], { track_id: 4 }), box('bird', [400, 200, 500, 300], { state: 'tentative' })] });
  pens.fillText = write;
  const copy = new OffscreenCanvas(layer.width, layer.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(layer, 0, 0);
  const painted = (...at) => copy.getImageData(...at).data.filter((v, i) => i % 4 === 3 && v).length;
  const { width, height } = layer, over = painted(Math.ceil(x * width), Math.ceil(y * height), Math.floor(w * width), Math.floor(h * height));
  return [words, over, painted(0, 0, width, height) - over];
}"""  # noqa: E501
#: How far below its box's top a label is written (pixels of the page) while it rises to the camera's name.
RISING = """() => {
  const { player } = document.querySelector('.picture canvas'), pens = CanvasRenderingContext2D.prototype;
  const layer = document.querySelector('.picture canvas[aria-hidden]'), ratio = layer.width / layer.clientWidth;
  const name = document.querySelector('.pill').getBoundingClientRect(), at = layer.getBoundingClientRect();
  const scale = 960 / layer.clientWidth, write = pens.fillText, found = [];
  for (const higher of [0, 4, 12]) {
    const top = name.bottom - at.top + 22 - higher;
    pens.fillText = (text, x, y) => { if (text.startsWith('cat')) found.push(Math.round(2 * (y / ratio - top)) / 2); };
    const xyxy = [20 * scale, top * scale, 200 * scale, (top + 100) * scale];
    player.onFrame({ ...player.shown, detections: [{ label: 'cat', class_id: 0, score: 0.6, track_id: 9, xyxy }] });
  }
  pens.fillText = write;
  return found;
}"""  # noqa: E501


@pytest.mark.parametrize("options", [PHONE, DESK], ids=["phone-dark", "desk-light"])
def test_every_page_is_clean_and_accessible(
    serve: Serve, chromium: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    file = tmp_path / "edgecam.toml"
    file.write_text('rule = ["motion@yard"]\n')
    zone = {"name": "yard", "points": [[0.1, 0.2], [0.9, 0.2], [0.9, 0.9]], "use": "motion"}
    board = serve(config=str(file), record=str(tmp_path / "clips"), rule=["motion@yard"], zone=[zone])
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **options)
        for place, proof in PAGES.items():
            page = watched.open(place)
            page.wait_for_selector(proof)
            page.wait_for_timeout(300)
            assert axe_findings(page) == [], place
            width = page.evaluate("Math.max(document.documentElement.scrollWidth, innerWidth)")
            assert width == options["viewport"]["width"], f"{place} is too wide"
        watched.close()


@pytest.mark.parametrize("decoder", ["webcodecs", "mse", "jpeg"])
def test_boxes_are_never_on_another_frame(serve: Serve, chromium: str, decoder: str) -> None:
    board = serve(source=["synthetic:?live=1&size=960x540&rate=15"])
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, viewport={"width": 1000, "height": 900})
        page = watched.open(query=f"?decoder={decoder}")
        page.evaluate(f"() => {{ {READ_CODE} }}")
        drawn(page, 4)
        seen = page.evaluate(
            """async () => {
              const player = document.querySelector('.picture canvas').player, found = [];
              const before = player.onFrame;
              await new Promise((done) => { player.onFrame = (header) => {
                before(header);
                found.push([header.index, readCode(player.canvas)]);
                if (found.length === 40) { player.onFrame = before; done(); }
              }; });
              return { found, decoder: player.decoder, age: player.age_ms };
            }"""
        )
        assert seen["decoder"] == decoder, "the browser took another way"
        assert all(index == code for index, code in seen["found"]), seen["found"]
        assert seen["age"] > -100  # the clocks of page and board agree to some milliseconds
        watched.close()


def test_labels_are_the_windows_and_nothing_stands_on_credits(serve: Serve, chromium: str) -> None:
    zone = {"name": "foot", "points": [[0, 0.9], [1, 0.9], [1, 1], [0, 1]], "use": "motion"}
    board = serve(source=["demo:?live=1&size=960x540&rate=10"], rule=["motion@foot"], zone=[zone])
    ((_, clear),) = board.app.style.keep_clear
    assert board.json("/api/cameras")[0]["keep_clear"] == pytest.approx(list(clear))
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **PHONE)
        page = watched.open()
        drawn(page, 2)
        words, over, beside = page.evaluate(WITH_BOXES, list(clear))
        assert "foot" in words and sorted(w for w in words if w != "foot") == [
            "cat 68 %",
            "dog · English springer 65 %",
            "person 65 %",
        ]
        assert over == 0 and beside > 1000
        free, nearly, not_free = page.evaluate(RISING)
        assert free == nearly < 0 < not_free
        watched.close()


def test_live_by_keyboard_and_a_lost_board_that_comes_back(serve: Serve, chromium: str) -> None:
    board = serve()
    port = board.port
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **DESK)
        page = watched.open()
        drawn(page, 3)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        boxes = page.get_by_role("button", name="Boxes")
        assert boxes.get_attribute("aria-pressed") == "true"
        page.locator("main").focus()
        page.keyboard.press("b")
        wait(page, "document.querySelector('[aria-label=Boxes]').getAttribute('aria-pressed') === 'false'")
        page.keyboard.press("Space")
        page.wait_for_selector(".caption:has-text('paused')")
        page.keyboard.press("Space")
        page.wait_for_selector(".caption:has-text('live')")
        board.server.stop()
        page.wait_for_selector("text=does not answer")
        watched.misdeeds.clear()
        again = serve(web=f"127.0.0.1:{port}")
        assert again.port == port
        page.wait_for_selector("text=does not answer", state="detached")
        drawn(page, 3)
        watched.misdeeds = [m for m in watched.misdeeds if "ERR_CONNECTION_REFUSED" not in m]
        page.get_by_role("link", name="Events").press("Enter")
        page.wait_for_selector("h1:has-text('Events')")
        watched.close()


def test_an_event_whose_clip_and_picture_were_deleted_is_no_error(
    serve: Serve, chromium: str, tmp_path: Path
) -> None:
    zone = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "use": "motion"}
    board = serve(record=str(tmp_path / "clips"), segment="1s", rule=["motion@all"], zone=[zone])

    def deletable(event: dict[str, Any]) -> bool:
        clip = (event["clip"] or "").removesuffix(".mp4")
        found = board.json(f"/api/clips?id={clip}")["clips"] if clip else []
        return event["has_picture"] and bool(found) and not found[0]["growing"]

    deadline = time.monotonic() + 60
    while not (ready := [e for e in board.json("/api/events")["events"] if deletable(e)]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **DESK)
        page = watched.open(f"#/events/{ready[0]['id']}")
        page.wait_for_selector("dialog video")
        assert board.ask("DELETE", f"/api/events/{ready[0]['id']}")[0] == 200
        page.reload()
        page.wait_for_selector("text=Its clip is no longer there.")
        page.wait_for_selector(".event .thumb")
        watched.close()


def test_a_zone_is_drawn_by_keyboard_and_by_mouse(serve: Serve, chromium: str) -> None:
    board = serve()
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **DESK)
        page = watched.open("#/zones")
        page.get_by_role("button", name="Zone", exact=True).press("Enter")
        corner = page.get_by_role("button", name="zone, corner 1")
        corner.focus()
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        page.keyboard.press("Control+ArrowUp")
        page.keyboard.press("+")
        page.get_by_role("button", name="zone, corner 5").wait_for()
        page.get_by_role("button", name="zone, corner 2").press("Delete")
        page.get_by_role("button", name="zone, corner 5").wait_for(state="detached")
        page.get_by_role("button", name="zone, corner 1").press("Control+ArrowDown")
        page.get_by_label("Name").fill("door")
        box = page.get_by_role("button", name="door, corner 3").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 10, box["y"] + 10)
        page.mouse.down()
        page.mouse.move(box["x"] + 60, box["y"] + 10, steps=4)
        page.mouse.up()
        page.get_by_role("button", name="Save").press("Enter")
        page.wait_for_selector("text=it holds from the next picture on")
        (zone,) = board.json("/api/zones")["cameras"][0]["zones"]
        assert zone["name"] == "door" and zone["points"][0] == [0.25, 0.4] and zone["points"][2][0] > 0.67
        page.get_by_role("button", name="door", exact=False).first.wait_for()
        page.get_by_role("button", name="Remove").press("Enter")
        page.keyboard.press("Control+z")
        page.wait_for_selector(".zone")
        watched.close()


def test_log_in_pair_and_what_a_phone_may(serve: Serve, chromium: str) -> None:
    board = serve(PASSWORD)
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **PHONE)
        page = watched.open("")
        page.get_by_role("textbox", name="The board's password").fill("not this one")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=the password is wrong")
        assert axe_findings(page) == []
        page.get_by_role("textbox", name="The board's password").fill(PASSWORD)
        page.keyboard.press("Enter")
        drawn(page, 2)
        assert (
            watched.context.cookies()[0]["httpOnly"] and watched.context.cookies()[0]["sameSite"] == "Strict"
        )
        watched.misdeeds = [m for m in watched.misdeeds if "401" not in m]
        watched.close()
        code = board.server.site.store.new_pairing("viewer")
        other = Watched(browser, board.origin, **PHONE)
        page = other.open(f"#/pair/{code}")
        page.get_by_role("button", name="Pair").click()
        drawn(page, 2)
        assert page.get_by_role("button", name="Snapshot").count() == 0, "a viewer only looks"
        other.close()


def test_settings_are_changed_through_a_diff(serve: Serve, chromium: str, tmp_path: Path) -> None:
    file = tmp_path / "edgecam.toml"
    file.write_text("# mine\n")
    board = serve(config=str(file))
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **DESK)
        page = watched.open("#/settings")
        page.get_by_label("Max temp").fill("999")
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Review").click()
        page.wait_for_selector(".banner:has-text('must be 120.0 or less')")
        assert page.get_by_role("button", name="Save").is_disabled()
        page.get_by_role("button", name="Back", exact=True).click()
        page.get_by_label("Max temp").fill("71")
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Review").click()
        page.wait_for_selector(".diff .plus:has-text('max_temp = 71')")
        assert axe_findings(page) == []
        page.get_by_role("button", name="Save").click()
        page.wait_for_selector("dialog", state="detached")
        assert file.read_text() == "# mine\nmax_temp = 71\n"
        assert board.json("/api/stats")["settings"]["max_temp"] == 71
        watched.close()


def test_page_scripts_and_first_picture_are_small(serve: Serve, chromium: str) -> None:
    board = serve(source=["synthetic:?live=1&size=960x540&rate=10"])
    with chromium_browser(chromium) as browser:
        watched = Watched(browser, board.origin, **DESK)
        page = watched.open()
        drawn(page, 1)
        found = page.evaluate(
            """() => {
              const player = document.querySelector('.picture canvas').player;
              const all = ['resource', 'navigation'].flatMap((kind) => performance.getEntriesByType(kind));
              const files = all.reduce((sum, r) => sum + r.transferSize, 0);
              return { files, picture: player.bytes / player.count };
            }"""
        )
        assert found["files"] + found["picture"] < 150_000, json.dumps(found)
        watched.close()
