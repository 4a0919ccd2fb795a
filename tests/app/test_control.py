"""One owner per live setting: window, SIGHUP and Control agree, and every answer is true."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from changing import agree, config, everybody_changes

from edgecam.app import control as control_module
from edgecam.app import state as state_module
from edgecam.app.app import App
from edgecam.app.controls import Controls
from edgecam.config import Config
from edgecam.config.live import LIVE, LiveSettings
from edgecam.config.schema import NO_CLASS
from edgecam.core.errors import ConfigError


@pytest.fixture(scope="module")
def running() -> Iterator[App]:
    app = App(config(), paced=False)
    app.start()
    yield app
    app.stop()


def test_what_is_live_is_said_in_the_schema_only() -> None:
    assert LIVE == (
        "score",
        "classes",
        "detect_rate",
        "zone",
        "line",
        "rule",
        "overlay",
        "show",
        "show_areas",
        "max_watts",
        "max_temp",
    )
    with pytest.raises(ValueError, match="'size' is not live"):
        LiveSettings(config()).bind(("size",), lambda _: None)


def test_a_change_is_answered_and_seen_everywhere(running: App) -> None:
    changes = running.control.change(score="0.61", classes="dog,cat", detect_rate=7)
    assert dict(changes.applied) == {"score": 0.61, "classes": ("dog", "cat"), "detect_rate": 7.0}
    assert not changes.refused
    state = running.control.state()
    assert state.settings["score"] == 0.61 and running.config.classes == ("dog", "cat")
    assert state.detector is not None
    assert state.detector.score == 0.61 and state.detector.enabled == {"dog", "cat"}
    window = Controls(running, over=lambda: False).state().detector
    assert window is not None and (window.score, window.enabled) == (0.61, frozenset(("dog", "cat")))


def test_what_does_not_fit_is_refused_with_a_reason_and_the_rest_holds(running: App) -> None:
    running.control.change(score=0.5, classes=None)
    changes = running.control.change(score=1.5, classes="dgo", detect_rate=3, size="1x1", scroe=1)
    assert dict(changes.applied) == {"detect_rate": 3.0}
    assert changes.refused["score"] == "score: '1.5' must be 1.0 or less"
    assert "did you mean 'dog'" in changes.refused["classes"]
    assert "restart" in changes.refused["size"]
    assert changes.refused["scroe"] == "there is no setting 'scroe', did you mean 'score'?"
    assert (running.config.score, running.config.classes) == (0.5, ())


def test_a_rule_and_its_zone_are_taken_together_in_any_order(running: App) -> None:
    zone, rule = ["door=0,0 1,0 1,1"], ["person@door"]
    alone = running.control.change(rule=rule)
    assert "door" in alone.refused["rule"]
    assert set(running.control.change(rule=rule, zone=zone).applied) == {"rule", "zone"}
    assert "door" in running.control.change(zone=None).refused["zone"]
    # with something else that does not fit, what fits still holds
    changes = running.control.change(classes="unicorn", rule=None, zone=None)
    assert set(changes.refused) == {"classes"}
    assert (running.config.zone, running.config.rule) == ((), ())


def test_every_class_may_be_switched_off(running: App) -> None:
    assert running.control.change(classes=NO_CLASS).applied == {"classes": ("none",)}
    state = running.control.state()
    assert state.detector is not None and state.detector.enabled == frozenset()
    running.control.change(classes=None)
    state = running.control.state()
    assert state.detector is not None and "person" in state.detector.enabled


def test_a_file_read_again_changes_all_or_nothing(running: App) -> None:
    running.control.change(score=0.4, classes=None, max_temp=None)
    before = running.config
    with pytest.raises(ConfigError, match="prson"):
        running.control.reload(config(score=0.9, classes=["prson"], max_temp=50), set(LIVE))
    assert running.config == before
    detector = running.models.detector
    assert detector is not None and detector.least_score == pytest.approx(0.4)
    assert running.control.reload(config(score=0.9, max_temp=50, rate=5), set(LIVE)) == ["rate"]
    assert (running.config.score, running.config.max_temp) == (0.9, 50.0)


def test_without_a_detector_there_is_no_score() -> None:
    app = App(config(detector="off"), paced=False)
    try:
        assert "no detector" in app.control.change(score=0.5).refused["score"]
    finally:
        app.stop()
    assert app.control.change(detect_rate=1).refused == {"detect_rate": "edgecam is stopping"}


def test_a_full_queue_and_a_late_answer_are_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_module, "ANSWER_WITHIN_S", 0.05)
    held, holding = threading.Event(), threading.Event()

    def hold(_: Config) -> None:
        holding.set()
        assert held.wait(30)

    app = App(config(detector="off"), paced=False)
    app.live.bind(("max_watts",), hold)
    app.start()
    first: list[object] = []
    asking = threading.Thread(target=lambda: first.append(app.control.change(max_watts=5).applied))
    try:
        asking.start()
        assert holding.wait(30)
        late = app.control.change(detect_rate=3)
        assert "busy" in late.refused["detect_rate"] and app.config.detect_rate is None
        for _ in range(control_module.QUEUE_DEPTH):
            assert "busy" in app.control.change(detect_rate=4).refused["detect_rate"]
    finally:
        held.set()
        asking.join(30)
        app.stop()
    # what was being done is waited for; what was refused as late is not done after all
    assert first == [{"max_watts": 5.0}] and app.config.detect_rate is None


def test_a_defect_is_told_to_who_asked_and_the_owner_goes_on(running: App) -> None:
    live = running.live
    raising = [True]

    def broken(_: Config) -> None:
        if raising:
            raise RuntimeError("defect")

    live.bind(("max_watts",), broken)
    try:
        with pytest.raises(RuntimeError, match="defect"):
            running.control.change(max_watts=3)
    finally:
        raising.clear()
    assert running.control.change(max_watts=4).applied == {"max_watts": 4.0}
    assert running.control.change(max_watts=None).applied == {"max_watts": None}


def test_a_getter_has_no_effects_and_is_made_once(running: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "STATE_EVERY_NS", 10**12)  # however slow this machine is
    first = running.control.state()
    assert running.control.state() is first
    assert [s.name for s in first.sources] == ["synthetic:"] and first.sources[0].stats.notice == ""
    assert running.control.change(detect_rate=None).applied == {"detect_rate": None}
    assert running.control.state() is not first


def test_changed_by_everybody_in_any_order_all_agree(running: App, tmp_path: Path) -> None:
    """``benchmarks/changes.py`` does it ten thousand times."""
    window = Controls(running, over=lambda: False)
    everybody_changes(running, window, tmp_path, 900)
    agree(running, window)
    file = tmp_path / "edgecam.toml"
    file.write_text('score = 0.33\nclasses = ["dog"]\nmax_watts = 6.5\n')
    running.control.reload(config(config=str(file)), set(LIVE))
    agree(running, window)
    assert (running.config.score, running.config.classes) == (0.33, ("dog",))
    assert running.config.max_watts == 6.5 and running.config.max_temp is None
    assert not running.pipeline.finished


def test_zones_lines_and_rules_change_while_it_runs_and_a_wrong_one_is_refused(running: App) -> None:
    control = running.control
    changes = control.change(
        zone=["door=0,0.5 1,0.5 1,1 0,1"], line=[{"name": "gate", "points": "0,0.5 1,0.5"}]
    )
    assert set(changes.applied) == {"zone", "line"}
    assert control.change(rule="person@door").applied == {"rule": ("person@door",)}
    refused = control.change(zone=["door=0,0 1,1"], rule="person@nowhere").refused
    assert refused["zone"] == "zone 'door': a polygon has 3 to 64 corners, this one has 2"
    assert "there is no zone 'nowhere'" in refused["rule"]
    assert "there is no zone 'door'" in control.change(zone=None).refused["zone"]  # a rule still names it

    def shown() -> list[str]:
        areas = control.state().sources[0].areas
        return [zone.name for zone in areas.zones] + [line.name for line in areas.lines]

    deadline = time.monotonic() + 60
    while shown() != ["door", "gate"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert shown() == ["door", "gate"]
    assert control.change(rule=None).applied == {"rule": ()}
    assert control.change(zone=None).applied == {"zone": ()}
