"""Prometheus itself scrapes a running edgecam, and loads the alert rules that ship."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="needs the extra 'metrics'")
if shutil.which("prometheus") is None or shutil.which("promtool") is None:
    pytest.skip("needs Prometheus: apt-get install prometheus", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parents[1] / "outputs"))

from broker import free_port

pytestmark = pytest.mark.once

ALERTS = Path(__file__).parents[2] / "docs" / "edgecam-alerts.yml"
LIMIT_S = 120.0


def until(true: Callable[[], Any], *running: subprocess.Popen[bytes]) -> Any:
    """What it gives, once that is something."""
    end = time.monotonic() + LIMIT_S
    while not (found := true()):
        assert time.monotonic() < end, "it did not come"
        assert all(process.poll() is None for process in running), "a process has ended"
        time.sleep(0.25)
    return found


def get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


class Prometheus:
    """A server that scrapes one page every second."""

    def __init__(self, folder: Path, target: int) -> None:
        self.port = free_port()
        config = folder / "prometheus.yml"
        config.write_text(
            f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{ALERTS}"]
scrape_configs:
  - job_name: edgecam
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""
        )
        self.process = subprocess.Popen(
            [
                "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
            ],
        )  # fmt: skip

    def api(self, path: str, **query: str) -> Any:
        text = get(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        return json.loads(text)["data"] if text else None

    def value(self, expression: str) -> float | None:
        """The value of the first series that an expression gives; None while there is none."""
        data = self.api("query", query=expression)
        return float(data["result"][0]["value"][1]) if data and data["result"] else None


@pytest.fixture(scope="module")
def scraped(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Prometheus, int, subprocess.Popen[bytes]]]:
    folder = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    edgecam = subprocess.Popen(
        [
            sys.executable, "-m", "edgecam", "--source", "demo:?live=1", "--display", "none", "--classify",
            "off", "--tune", "off", "--detect-rate", "4", "--metrics", str(port),
            "--record", str(folder / "clips"), "--zone", "all=0,0 1,0 1,1 0,1",
        ],
        env={**os.environ, "STATE_DIRECTORY": str(folder / "state")},
    )  # fmt: skip
    server = Prometheus(folder, port)
    try:
        yield server, port, edgecam
    finally:
        for process in (edgecam, server.process):
            process.terminate()
        for process in (edgecam, server.process):
            process.wait(30)


def test_prometheus_has_every_series(scraped: tuple[Prometheus, int, subprocess.Popen[bytes]]) -> None:
    server, port, edgecam = scraped
    running = (edgecam, server.process)
    until(lambda: server.value("sum(edgecam_detections_total)"), *running)
    (target,) = server.api("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert server.value("edgecam_camera_up") == 1.0
    until(lambda: server.value('edgecam_rate_hertz{stage="capture"}'), *running)
    until(lambda: server.value("edgecam_uptime_seconds"), *running)
    assert server.value("edgecam_recording_fault") == 0.0
    until(lambda: server.value('edgecam_events_total{kind="zone"}'), *running)
    # the age of one frame in twenty, as the alert asks for it; by then there are two scrapes
    age = "histogram_quantile(0.95, sum by (le) (rate(edgecam_frame_age_seconds_bucket[1m])))"
    assert 0 < until(lambda: server.value(age), *running) <= 2.5
    page = get(f"http://127.0.0.1:{port}/metrics")
    shown = {re.split(r"[ {]", line)[0] for line in page.splitlines() if not line.startswith("#")}
    until(lambda: shown <= set(server.api("label/__name__/values")), *running)
    used = set(re.findall(r"edgecam_\w+", ALERTS.read_text()))
    declared = set(re.findall(r"# TYPE (edgecam_\w+)", page))
    assert {re.sub(r"_bucket$", "", name) for name in used} <= declared
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_shipped_alerts_are_loaded_and_evaluated(
    scraped: tuple[Prometheus, int, subprocess.Popen[bytes]],
) -> None:
    server, _, edgecam = scraped

    def evaluated() -> Any:
        groups = (server.api("rules") or {}).get("groups", [])
        rules = [rule for group in groups for rule in group["rules"]]
        return rules if rules and all(rule["health"] != "unknown" for rule in rules) else None

    rules = until(evaluated, edgecam, server.process)
    assert {rule["name"] for rule in rules} == set(re.findall(r"alert: (\w+)", ALERTS.read_text()))
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}


#: By alert: the series that set it off, as promtool writes them.
SETS_OFF = {
    "EdgecamCameraLost": "edgecam_camera_up{camera='front', instance='board'}: 0x30",
    "EdgecamNotRecording": "edgecam_recording_fault{camera='front', instance='board'}: 1x30",
    "EdgecamHot": "edgecam_temperature_celsius{instance='board'}: 85x30",
    "EdgecamThrottled": "edgecam_throttled{reason='under-voltage', instance='board'}: 1x30",
    "EdgecamEventsWait": "edgecam_events_waiting{destination='mqtt', instance='board'}: 99x30",
    "EdgecamOldFrames": "edgecam_frame_age_seconds_bucket{le='0.5', instance='board'}: 0x30",
}


def test_each_alert_goes_off_when_it_should_and_only_then(tmp_path: Path) -> None:
    """promtool's own unit test: half an hour of series for each rule, and half an hour of a healthy board."""
    old = [
        {"series": f"edgecam_frame_age_seconds_bucket{{le='{le}', instance='board'}}", "values": values}
        for le, values in (("0.5", "0x30"), ("1.0", "0+60x30"), ("+Inf", "0+60x30"))
    ]
    tests = []
    for name, text in SETS_OFF.items():
        series, _, values = text.rpartition(": ")
        inputs = old if name == "EdgecamOldFrames" else [{"series": series, "values": values}]
        tests.append(
            {
                "interval": "1m",
                "input_series": inputs,
                "promql_expr_test": [
                    {
                        "expr": f"count(ALERTS{{alertname='{name}', alertstate='firing'}})",
                        "eval_time": "29m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    },
                    {"expr": "count(ALERTS{alertstate='firing'})", "eval_time": "0m", "exp_samples": []},
                ],
            }
        )
    healthy = {
        "edgecam_camera_up{camera='front'}": "1x30",
        "edgecam_recording_fault{camera='front'}": "0x30",
        "edgecam_temperature_celsius": "61x30",
        "edgecam_events_waiting{destination='mqtt'}": "3x30",
        "edgecam_frame_age_seconds_bucket{le='0.5'}": "0+60x30",
        "edgecam_frame_age_seconds_bucket{le='+Inf'}": "0+60x30",
    }
    tests.append(
        {
            "interval": "1m",
            "input_series": [{"series": s, "values": v} for s, v in healthy.items()],
            "promql_expr_test": [{"expr": "count(ALERTS)", "eval_time": "29m", "exp_samples": []}],
        }
    )
    file = tmp_path / "test.yml"  # JSON is YAML
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(SETS_OFF) == set(re.findall(r"alert: (\w+)", ALERTS.read_text()))
