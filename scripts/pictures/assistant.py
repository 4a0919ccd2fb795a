"""Home Assistant's own page of a board. Needs the environment that scripts/test-home-assistant makes."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import films
from shots import ROOT, browser_page, running, save, shot, until
from stage import film

sys.path[:0] = [str(ROOT / "tests" / "system"), str(ROOT / "tests" / "outputs")]

HASS = Path(os.environ.get("EDGECAM_HA", Path.home() / ".cache/edgecam-ha")) / "venv/bin/hass"


def home_assistant(folder: Path) -> None:
    if not HASS.exists():
        print(f"home-assistant: no {HASS}: run scripts/test-home-assistant, or set EDGECAM_HA; left as it is")
        return
    from broker import Mosquitto
    from home_assistant import HomeAssistant

    film(folder / "front.mp4", films.at_the_door, 15)
    (folder / "broker").mkdir()
    broker = Mosquitto(folder / "broker")
    home = HomeAssistant(HASS, folder / "ha", broker.port, "frontend:\nconfig:\nhistory:\nlogbook:\n")
    zone = ("--zone", "door=0.28,0.45 0.66,0.45 0.66,0.98 0.28,0.98")
    asked = ("--loop", "--display", "none", "--classify", "off", "--tune", "off", "--rate", "15")
    try:
        home.log_in()
        for step in ("core_config", "analytics"):
            home.ask(f"/api/onboarding/{step}", {})
        client = f"http://127.0.0.1:{home.port}/"
        home.ask("/api/onboarding/integration", {"client_id": client, "redirect_uri": client})
        web = ("--web", "0", *asked)
        wire = ("--mqtt", f"mqtt://127.0.0.1:{broker.port}")
        with running(folder, "--source", "front.mp4", *web, *zone, *wire):
            until("the entities", lambda: any("door" in name for name in home.states()), 240)
            seat = next(n for n, state in home.states().items() if n.startswith("sensor") and "door" in n)
            device = home.ask("/api/template", {"template": '"{{ device_id("' + seat + '") }}"'})
            until("somebody at the door", lambda: "on" in home.states().values(), 120)
            time.sleep(3)
            with browser_page(1240, 900) as page:
                tokens = {
                    "access_token": home.token, "token_type": "Bearer", "expires_in": 1800,
                    "refresh_token": "",
                    "hassUrl": client[:-1], "clientId": client, "expires": int(1000 * (time.time() + 1700)),
                }  # fmt: skip
                page.add_init_script(f"localStorage.hassTokens = {json.dumps(json.dumps(tokens))}")
                page.goto(f"{client}config/devices/device/{device}")
                page.get_by_text("Device info").wait_for(timeout=120_000)
                page.wait_for_timeout(5_000)
                save("recipes/home-assistant", shot(page))
    finally:
        home.stop()
        broker.kill()
