"""Tuning: what is tried, what is chosen, and that it is remembered for this model on this board only."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import card, detector_graph, save

from edgecam.core.errors import ConfigError
from edgecam.core.types import PowerReading
from edgecam.host import boards as host
from edgecam.inference.models import store
from edgecam.inference.tuning import cache as tuning_cache
from edgecam.inference.tuning import measure as measuring
from edgecam.inference.tuning import tune
from edgecam.inference.tuning.choose import choose
from edgecam.inference.tuning.measure import Measurement

Call = tuple[str, int, str]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    save(detector_graph(), folder / "net.onnx", card(name="net", extra={"role": "default"}))
    save(detector_graph(), folder / "net-int8.onnx", card(name="net-int8", precision="int8"))
    save(detector_graph(), folder / "less.onnx", card(name="less", extra={"role": "fast"}))
    monkeypatch.setattr(store, "user_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(store, "shipped_folder", lambda: folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tune, "cpu_count", lambda: 3)
    monkeypatch.setattr(tune, "available_providers", lambda: ("tensorrt", "cpu"))
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Stands in for the clock: int8 takes half of fp32, two threads two thirds of one, three no less.

    The smaller model takes a quarter.
    """
    made: list[Call] = []

    def measure(path: Path, threads: int, provider: str, meter: object = None) -> Measurement:
        ms = 20.0 * {1: 1.0, 2: 0.66, 3: 0.64}[threads]
        precision = "int8" if "int8" in path.name else "fp32"
        ms *= (0.5 if precision == "int8" else 1) * (0.25 if path.name == "less.onnx" else 1)
        made.append((path.name, threads, provider))
        return Measurement(path.name, precision, threads, provider, ms, ms * (1 + 0.5 * (threads - 1)))

    monkeypatch.setattr(tune, "measure", measure)
    return made


def test_progress_only_goes_on_and_ends(models: Path, calls: list[Call]) -> None:
    shown: list[tuple[int, int, str]] = []
    tune.tune("default", progress=lambda *step: shown.append(step))
    assert shown[-1] == (1, 1, "")
    steps = shown[:-1]
    assert steps[0] == (0, 12, "fp32, 1 thread on cpu")  # 6 ways, each perhaps twice
    assert [done for done, _, _ in steps] == sorted({done for done, _, _ in steps})
    shown.clear()
    tune.tune("default", progress=lambda *step: shown.append(step))
    assert not shown  # remembered


def test_the_fastest_is_found_and_remembered(models: Path, calls: list[Call]) -> None:
    said: list[str] = []
    first = tune.tune("default", say=said.append)
    assert first.path == models / "net-int8.onnx"
    assert first.threads == 2  # three gain next to nothing
    assert first.providers == ("cpu",)
    assert len(set(calls)) == 6
    assert len(said) == 1
    for part in (
        "int8, 2 threads on cpu: 6.6 ms",
        "fp32 12.8",
        "1 thread 10.0",
        "for rate",
        "measured now",
    ):
        assert part in first.explanation
    assert "\n" not in first.explanation
    calls.clear()
    again = tune.tune("default", say=said.append)
    assert (again.path, again.threads) == (first.path, first.threads)
    assert "remembered" in again.explanation
    assert not calls
    assert len(said) == 1


def test_for_watts_the_cheapest_in_cpu_time_wins(models: Path, calls: list[Call]) -> None:
    cheapest = tune.tune("default", purpose="watts")
    assert cheapest.threads == 1
    assert "for rate per watt (by CPU time)" in cheapest.explanation


def test_again_measures_again_and_off_never(models: Path, calls: list[Call]) -> None:
    off = tune.tune("default", mode="off")
    assert not calls
    assert off.path == models / "net.onnx"
    assert "not tuned" in off.explanation
    tune.tune("default", mode="again")
    first = len(calls)
    tune.tune("default", mode="again")
    assert len(calls) == 2 * first > 0


def test_what_the_user_fixed_stays(models: Path, calls: list[Call]) -> None:
    assert tune.tune("default", threads=1).threads == 1
    assert {threads for _, threads, _ in calls} == {1}
    calls.clear()
    exact = tune.tune("net-int8")
    assert exact.path.name == "net-int8.onnx"
    assert {name for name, _, _ in calls} == {"net-int8.onnx"}
    calls.clear()
    assert tune.tune(models / "net.onnx", threads=1).path == models / "net.onnx"
    assert not calls  # one way to run it: nothing to measure


def test_a_changed_file_or_board_is_measured_anew(
    models: Path, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    tune.tune("default")
    once = len(calls)
    save(detector_graph(), models / "net.onnx", card(name="net", extra={"role": "default"}, seed=2))
    tune.tune("default")
    assert len(calls) == 2 * once
    monkeypatch.setattr(tuning_cache, "board_name", lambda: "another board x4")
    tune.tune("default")
    assert len(calls) == 3 * once


def test_a_spoilt_cache_or_no_place_for_it_is_no_obstacle(
    models: Path, calls: list[Call], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cache" / "edgecam" / "tuning.json"
    file.parent.mkdir(parents=True)
    file.write_text("{ not json")
    assert tune.tune("default").threads == 2
    assert "remembered" in tune.tune("default").explanation
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert tune.tune("default").threads == 2


def test_fp32_and_few_threads_win_a_draw() -> None:
    def one(precision: str, threads: int, ms: float, mj: float | None = None) -> Measurement:
        return Measurement("f", precision, threads, "cpu", ms, ms, mj)

    assert choose([one("int8", 2, 10.0), one("fp32", 2, 10.5)], "rate").precision == "fp32"
    assert choose([one("fp32", 4, 10.0), one("fp32", 2, 10.5)], "rate").threads == 2
    assert choose([one("fp32", 1, 30.0, mj=5.0), one("fp32", 2, 10.0, mj=9.0)], "watts").threads == 1
    # a meter that fell silent: millijoules are not compared with milliseconds
    assert choose([one("fp32", 1, 30.0, mj=5.0), one("fp32", 2, 10.0)], "watts").threads == 2


def test_a_moments_other_work_does_not_decide(
    models: Path, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tune.measure  # type: ignore[attr-defined]
    disturbed: list[Call] = []

    def once(path: Path, threads: int, provider: str, meter: object = None) -> Measurement:
        found = usual(path, threads, provider)
        assert found is not None
        way = (path.name, threads, provider)
        if threads > 1 and way not in disturbed:
            disturbed.append(way)
            return Measurement(path.name, found.precision, threads, provider, found.ms * 2, found.cpu_ms)
        return found

    monkeypatch.setattr(tune, "measure", once)
    assert tune.tune("default").threads == 2


def test_a_smaller_scale_is_taken_only_for_a_rate_the_larger_does_not_reach(
    models: Path, calls: list[Call]
) -> None:
    enough = tune.tune("default", least_hz=100)  # 152 a second
    assert enough.path.name == "net-int8.onnx"
    assert "8x8, 152 a second alone (wanted 100)" in enough.explanation
    assert not any(name == "less.onnx" for name, _, _ in calls)
    less = tune.tune("default", least_hz=200)
    assert less.path.name == "less.onnx"
    assert "303 a second alone (wanted 200; 8x8 does 152)" in less.explanation
    assert "the best there is" not in less.explanation
    assert "the best there is" in tune.tune("default", least_hz=5000).explanation


def test_a_rate_is_kept_to_models_there_are_and_needs_measuring(models: Path, calls: list[Call]) -> None:
    assert tune.tune("net", least_hz=5000).path.name == "net-int8.onnx"  # named, so no other will do
    assert (
        tune.tune(models / "net.onnx", threads=1, least_hz=1).ms == 20.0
    )  # measured, though nothing to choose
    (models / "less.onnx").unlink()
    assert tune.tune("default", least_hz=5000).path.name == "net-int8.onnx"
    with pytest.raises(ConfigError, match="--tune off"):
        tune.tune("default", mode="off", least_hz=5)


class Meter:
    """2 W, measured or estimated."""

    name = "test"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def read(self) -> PowerReading:
        return PowerReading(2.0, self.kind, self.name, 0)  # type: ignore[arg-type]


def test_a_real_measurement_is_made_on_a_real_session(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "MOST_S", 0.01)
    found = tune.measure(models / "net.onnx", 1, "cpu", Meter("measured"))  # type: ignore[attr-defined]
    assert found is not None
    assert found.ms >= 0  # a graph of microseconds
    assert (found.threads, found.provider, found.precision) == (1, "cpu", "fp32")
    assert found.mj is not None
    assert found.mj > 0
    estimated = tune.measure(models / "net.onnx", 2, "cpu", Meter("estimated"))  # type: ignore[attr-defined]
    assert estimated is not None
    assert estimated.mj is None
    assert tune.measure(models / "net.onnx", 1, "acl") is None  # type: ignore[attr-defined]
    monkeypatch.setattr(host, "cpu_count", lambda: 3)
    assert host.board_name().endswith("x3")
