"""MQTT's share of a core at ten events a minute, and the memory that MQTT and metrics need.

    python benchmarks/wire_cost.py [--rounds 3] [--seconds 20] [--only cpu|memory]

CPU is measured in a process of its own that does nothing else, with a real Mosquitto. Idle: the connection,
reading the state twice a second, and the disk. Per event: one event with its picture (720p of `demo:`; making
the JPEG is counted too). The result is idle plus ten events a minute. Limit: 3 %. Memory: a headless
`edgecam`, plain and with `--mqtt` and `--metrics` (scraped every second), in turns; the median of the runs'
peaks. Limit: 12 MB more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "outputs"))

from broker import Mosquitto, free_port
from canned import demo_pictures, machine
from memory import resident_mb

LIMIT_SHARE, LIMIT_MB = 0.03, 12.0
EVENTS_A_MINUTE = 10
SETTLED_S = 6.0

CPU = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from dataclasses import replace
from pathlib import Path
import cv2
from mqtt_kit import board, event, until
from edgecam.outputs.mqtt.link import parse_broker
from edgecam.outputs.mqtt.output import MqttOptions, MqttOutput, MqttView
from edgecam.record.snapshot import encode_snapshot
cv2.setNumThreads(1)
port, folder, seconds, count = int(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
images = [cv2.imread(str(path)) for path in sorted(folder.glob("*.png"))]
of, made = board(), {}
broker = parse_broker(f"mqtt://127.0.0.1:{port}", client_id="cost")
out = MqttOutput(MqttOptions(broker, folder), MqttView(of, of.latest, lambda _: of.zones, made.get))
out.open()
until(lambda: not out.fault)
time.sleep(1.5)
before, begun = time.process_time(), time.monotonic()
time.sleep(seconds)
idle = (time.process_time() - before) / (time.monotonic() - begun)
before, begun = time.process_time(), time.monotonic()
for number in range(count):
    one = event(number, snapshot=f"{number}.jpg")
    made[one.snapshot] = encode_snapshot(images[number % len(images)], one.to_dict())
    out.write(one)
    until(lambda: out.waiting == 0)
    made.clear()
spent = time.process_time() - before - idle * (time.monotonic() - begun)
out.close()
print(json.dumps({"idle": idle, "event_s": spent / count}))
"""


def cpu(seconds: float, count: int) -> dict[str, float]:
    """Shares of a core, and CPU seconds per event."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        import cv2

        for number, picture in enumerate(demo_pictures(6)):
            cv2.imwrite(str(folder / f"{number}.png"), picture)
        (folder / "broker").mkdir()
        mosquitto = Mosquitto(folder / "broker")
        try:
            command = [sys.executable, "-c", CPU, str(Path(sys.path[0])), str(mosquitto.port), name]
            done = subprocess.run(
                [*command, str(seconds), str(count)], check=True, stdout=subprocess.PIPE, text=True
            )
        finally:
            mosquitto.kill()
    found: dict[str, float] = json.loads(done.stdout)
    found["share"] = found["idle"] + found["event_s"] * EVENTS_A_MINUTE / 60
    return found


def memory(seconds: float, port: int, told: bool, folder: Path) -> dict[str, float]:
    """The peaks of one run in megabytes: RSS and its anonymous part."""
    metrics = free_port()
    command = [
        sys.executable, "-m", "edgecam", "--source", "demo:?live=1", "--display", "none", "--classify", "off",
        "--tune", "off", "--threads", "1", "--zone", "all=0,0 1,0 1,1 0,1", "--detect-rate", "5",
    ]  # fmt: skip
    if told:
        command += ["--mqtt", f"mqtt://127.0.0.1:{port}", "--metrics", str(metrics)]
    environment = {**os.environ, "STATE_DIRECTORY": str(folder)}
    worst = {"rss": 0.0, "anonymous": 0.0}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as process:
        begun = time.monotonic()
        while time.monotonic() - begun < seconds and process.poll() is None:
            time.sleep(1.0)
            if told:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as page:
                        page.read()
                except OSError:
                    continue
            if time.monotonic() - begun > SETTLED_S:
                now = resident_mb(process.pid)
                worst = {name: max(worst[name], now[name]) for name in worst}
        process.terminate()
        process.wait(30)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--only", choices=("cpu", "memory"))
    options = parser.parse_args()
    figures: dict[str, object] = {}
    within = True
    if options.only != "memory":
        found = cpu(options.seconds, options.events)
        within &= found["share"] < LIMIT_SHARE
        figures["cpu"] = found
        print(
            f"MQTT: {found['idle']:.2%} of a core at rest, {found['event_s'] * 1e3:.1f} ms an event with its "
            f"picture; at ten a minute {found['share']:.2%} (limit {LIMIT_SHARE:.0%})"
        )
    if options.only != "cpu":
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "broker").mkdir()
            mosquitto = Mosquitto(Path(name) / "broker")
            runs: dict[bool, list[dict[str, float]]] = {False: [], True: []}
            try:
                for number in range(options.rounds):
                    for told in (False, True):
                        state = Path(name) / f"{number}-{told}"
                        runs[told].append(memory(options.seconds, mosquitto.port, told, state))
            finally:
                mosquitto.kill()
        middle = {
            told: {k: statistics.median(run[k] for run in runs[told]) for k in ("rss", "anonymous")}
            for told in runs
        }
        more = {k: middle[True][k] - middle[False][k] for k in ("rss", "anonymous")}
        within &= more["rss"] <= LIMIT_MB
        figures["mb"] = {"plain": middle[False], "told": middle[True]}
        print(
            f"memory: {middle[False]['rss']:.1f} MB plain, {middle[True]['rss']:.1f} with MQTT and metrics: "
            f"{more['rss']:.1f} more (limit {LIMIT_MB:.0f}), {more['anonymous']:.1f} of it anonymous"
        )
    print(json.dumps({**machine(), **figures, "within": within}))
    raise SystemExit(0 if within else 1)


if __name__ == "__main__":
    main()
