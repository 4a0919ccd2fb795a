"""Home Assistant itself meets edgecam: run by scripts/test-home-assistant, which installs it.

A broker, Home Assistant with its MQTT integration, and edgecam with two cameras and two zones. Checked
through Home Assistant's API: the entities, an occupancy that turns on and off, a number that changes
edgecam's score, and that the device goes when it is asked to.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "outputs"))

from broker import Mosquitto, free_port

BOARD = "edgecam_ha_test"
CLIENT = "http://127.0.0.1/"


def until(what: str, met: Callable[[], Any], within_s: float = 240.0) -> Any:
    deadline = time.monotonic() + within_s
    while True:
        found = met()
        if found:
            print(f"  {what}: yes", flush=True)
            return found
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: NOT within {within_s:g} s")
        time.sleep(0.5)


class HomeAssistant:
    """``folder``: the configuration, made anew, with ``more`` lines. Its API answers after :meth:`log_in`."""

    def __init__(self, hass: Path, folder: Path, broker_port: int, more: str = "") -> None:
        self.port = free_port()
        self.token = ""
        storage = folder / ".storage"
        storage.mkdir(parents=True)
        (folder / "configuration.yaml").write_text(
            f"http:\n  server_host: 127.0.0.1\n  server_port: {self.port}\napi:\nonboarding:\n"
            f"logger:\n  default: warning\n{more}"
        )
        now = "2026-01-01T00:00:00+00:00"
        entry: dict[str, Any] = {
            "created_at": now, "modified_at": now, "entry_id": "mqtt0001", "domain": "mqtt",
            "title": "broker",
            "data": {"broker": "127.0.0.1", "port": broker_port, "discovery": True}, "options": {},
            "source": "user", "unique_id": None, "version": 1, "minor_version": 2, "disabled_by": None,
            "discovery_keys": {}, "subentries": [], "pref_disable_new_entities": False,
            "pref_disable_polling": False,
        }  # fmt: skip
        kept = {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [entry]}}
        (storage / "core.config_entries").write_text(json.dumps(kept))
        self._log = (folder / "out.log").open("w")
        self._process = subprocess.Popen(
            [hass, "-c", folder, "--skip-pip"],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ask(self, path: str, body: object = None, form: bool = False) -> Any:
        data = None
        if body is not None:
            data = (urlencode(body) if form else json.dumps(body)).encode()  # type: ignore[arg-type]
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        request.add_header(
            "Content-Type", "application/x-www-form-urlencoded" if form else "application/json"
        )
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def log_in(self) -> None:
        def create() -> Any:
            try:
                return self.ask(
                    "/api/onboarding/users",
                    {
                        "client_id": CLIENT,
                        "name": "t",
                        "username": "t",
                        "password": "test-only",
                        "language": "en",
                    },
                )
            except (OSError, urllib.error.HTTPError):
                return None

        code = until("Home Assistant is up", create)["auth_code"]
        grant = {"client_id": CLIENT, "grant_type": "authorization_code", "code": code}
        self.token = self.ask("/auth/token", grant, form=True)["access_token"]

    def states(self) -> dict[str, str]:
        return {s["entity_id"]: s["state"] for s in self.ask("/api/states") if "edgecam" in s["entity_id"]}

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._log.close()
        print("Home Assistant said:\n" + "".join(Path(self._log.name).read_text().splitlines(True)[-60:]))


LEFT = ("--zone", "left=0,0 0.5,0 0.5,1 0,1")


def edgecam(broker: Mosquitto, state: Path, *more: str) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if k != "EDGECAM_PYTHON"}  # the script's, no setting
    return subprocess.Popen(
        [
            sys.executable, "-m", "edgecam", "--source", "demo:?live=1",
            "--source", "synthetic:?live=1&rate=5", "--display", "none", "--classify", "off", "--tune", "off",
            "--zone", "everywhere=0,0 1,0 1,1 0,1",
            "--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--mqtt-client-id", BOARD, *more,
        ],
        env={**environment, "STATE_DIRECTORY": str(state)},
    )  # fmt: skip


def main(work: Path) -> int:
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "broker").mkdir()
        broker = Mosquitto(folder / "broker")
        home = HomeAssistant(work / "venv" / "bin" / "hass", folder / "ha", broker.port)
        camera = None
        try:
            home.log_in()
            camera = edgecam(broker, folder / "state", *LEFT)
            until("entities of the board appear", lambda: len(home.states()) > 10)
            until("its zones appear", lambda: any("everywhere" in name for name in home.states()))
            time.sleep(3)
            names = sorted(home.states())
            print(f"  {len(names)} entities:\n    " + "\n    ".join(names))
            # Home Assistant before 2025.10 makes ids of its own, from the entities' names
            for part in ("demo_person", "demo_snapshot", "everywhere_", "left_", "_score", "recording"):
                if not any(part in name for name in names):
                    raise SystemExit(f"no entity with {part}")
            seat = next(n for n in names if n.startswith("binary_sensor") and "demo_person" in n)
            until("a person's occupancy turns on", lambda: home.states()[seat] == "on")
            until("and off", lambda: home.states()[seat] == "off")
            score = next(n for n in names if n.startswith("number") and n.endswith("score"))
            home.ask("/api/services/number/set_value", {"entity_id": score, "value": 0.8})
            until("the score set there is edgecam's", lambda: home.states()[score] == "0.8")
            rate = next(n for n in names if n.startswith("number") and "rate" in n)
            home.ask("/api/services/number/set_value", {"entity_id": rate, "value": 3})
            until("and so is the detection rate", lambda: home.states()[rate] in ("3", "3.0"))
            model = next(n for n in names if n.startswith("update"))
            until("the model is up to date", lambda: home.states()[model] == "off")
            happened = next(n for n in names if n.startswith("event") and "demo" in n)
            until("an event came", lambda: home.states()[happened][:2] == "20")
            camera.terminate()
            camera.wait(60)
            until("a board that ended is unavailable", lambda: home.states()[seat] == "unavailable")
            camera = edgecam(broker, folder / "state")
            until("a zone that went between two runs", lambda: not any("left" in n for n in home.states()))
            if not any("everywhere" in name for name in home.states()):
                raise SystemExit("the other zone went, too")
            camera.terminate()
            camera.wait(60)
            camera = edgecam(broker, folder / "state", "--mqtt-discovery", "off")
            until("--mqtt-discovery off removes the device", lambda: not home.states())
            print("Home Assistant: all of it works")
            return 0
        finally:
            if camera is not None:
                camera.terminate()
                camera.wait(60)
            home.stop()
            broker.kill()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
