"""Tuning: what is tried, what is chosen, and that it is remembered for this model on this board only."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import card, detector_graph, save

from edgecam.inference import store, tune
from edgecam.inference.tune import Measurement, choose


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    save(detector_graph(), folder / "net.onnx", card(name="net", extra={"role": "default"}))
    save(detector_graph(), folder / "net-int8.onnx", card(name="net-int8", precision="int8"))
    monkeypatch.setattr(store, "user_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(store, "shipped_folder", lambda: folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tune, "cpu_count", lambda: 3)
    monkeypatch.setattr(tune, "available_providers", lambda: ("tensorrt", "cpu"))
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """Stands in for the clock: int8 takes half of fp32, two threads two thirds of one, three no less."""
    made: list[tuple[str, int, str]] = []

    def measure(path: Path, threads: int, provider: str, joules: object = None) -> Measurement:
        made.append((path.name, threads, provider))
        precision = "int8" if "int8" in path.name else "fp32"
        ms = (10.0 if precision == "int8" else 20.0) * {1: 1.0, 2: 0.66, 3: 0.64}[threads]
        return Measurement(path.name, precision, threads, provider, ms, ms * (1 + 0.5 * (threads - 1)))

    monkeypatch.setattr(tune, "measure", measure)
    return made


def test_the_fastest_is_found_and_remembered(models: Path, calls: list[tuple[str, int, str]]) -> None:
    said: list[str] = []
    first = tune.tune("default", say=said.append)
    assert first.path == models / "net-int8.onnx"
    assert first.threads == 2  # three gain next to nothing
    assert first.providers == ("cpu",)
    assert len(calls) == 6
    assert len(said) == 1
    for part in ("int8, 2 threads on cpu: 6.6 ms", "fp32 12.8", "1 thread 10.0", "for rate", "measured now"):
        assert part in first.explanation
    assert "\n" not in first.explanation
    again = tune.tune("default", say=said.append)
    assert (again.path, again.threads) == (first.path, first.threads)
    assert "remembered" in again.explanation
    assert len(calls) == 6
    assert len(said) == 1


def test_for_watts_the_cheapest_in_cpu_time_wins(models: Path, calls: list[tuple[str, int, str]]) -> None:
    assert tune.tune("default", purpose="watts").threads == 1


def test_again_measures_again_and_off_never(models: Path, calls: list[tuple[str, int, str]]) -> None:
    off = tune.tune("default", mode="off")
    assert not calls
    assert off.path == models / "net.onnx"
    assert "not tuned" in off.explanation
    tune.tune("default", mode="again")
    tune.tune("default", mode="again")
    assert len(calls) == 12


def test_what_the_user_fixed_stays(models: Path, calls: list[tuple[str, int, str]]) -> None:
    assert tune.tune("default", threads=1).threads == 1
    assert {threads for _, threads, _ in calls} == {1}
    calls.clear()
    exact = tune.tune("net-int8")
    assert exact.path.name == "net-int8.onnx"
    assert {name for name, _, _ in calls} == {"net-int8.onnx"}
    calls.clear()
    assert tune.tune(models / "net.onnx", threads=2).path == models / "net.onnx"
    assert not calls  # one way to run it: nothing to measure


def test_a_changed_file_or_board_is_measured_anew(
    models: Path, calls: list[tuple[str, int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tune.tune("default")
    save(detector_graph(), models / "net.onnx", card(name="net", extra={"role": "default"}, seed=2))
    tune.tune("default")
    assert len(calls) == 12
    monkeypatch.setattr(tune, "board_name", lambda: "another board x4")
    tune.tune("default")
    assert len(calls) == 18


def test_a_spoilt_cache_or_no_place_for_it_is_no_obstacle(
    models: Path, calls: list[tuple[str, int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_a_real_measurement_is_made_on_a_real_session(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "MOST_S", 0.01)
    found = tune.measure(models / "net.onnx", 1, "cpu", joules=iter([1.0, 3.0]).__next__)
    assert found is not None
    assert found.ms >= 0  # a graph of microseconds
    assert (found.threads, found.provider, found.precision) == (1, "cpu", "fp32")
    assert found.mj is not None
    assert found.mj > 0
    assert tune.measure(models / "net.onnx", 1, "acl") is None
    assert tune.board_name().endswith("x3")
