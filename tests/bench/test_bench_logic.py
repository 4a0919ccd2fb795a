"""What ``edgecam bench`` decides and says, on figures made up for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecam.bench import bottleneck, chart, reference, report
from edgecam.bench.case import Parts, Row, make_cases, pick_providers, pick_threads
from edgecam.core.errors import ConfigError, MissingExtraError
from edgecam.inference.models.card import Card


def row(model: str = "net", precision: str = "fp32", threads: int = 1, **more: object) -> Row:
    figures: dict[str, object] = {
        "source": "/tmp/clip.mp4",
        "inference_p50_ms": 10.0,
        "rate_per_s": 80.0,
        "accuracy": 0.5,
        "accuracy_name": "AP50",
        "parts": Parts(detect=11.0),
    }
    return Row(
        model=model,
        task="detection",
        precision=precision,
        threads=threads,
        provider="cpu",
        **{**figures, **more},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("parts", "limit"),
    [
        (Parts(decode=6, detect=11, paint=2), "detect"),
        (Parts(decode=16, detect=11, paint=2), "decode"),
        (Parts(decode=6, detect=7, track=4, classify=5, paint=8), "classify"),  # together the slowest thread
        (Parts(decode=6, detect=11, concurrency=2, paint=2), "decode"),
        (Parts(decode=6, detect=4, paint=12), "paint"),
        (Parts(decode=6, detect=8, paint=2, cpu=14), "cpu"),
        (Parts(capture_hz=30, decode=6, detect=11, paint=2), "capture"),
        (Parts(capture_hz=30, decode=6, detect=40, paint=2), "detect"),
    ],
)
def test_the_slowest_thread_is_the_limit(parts: Parts, limit: str) -> None:
    assert bottleneck.limit_of(parts) == limit


def test_the_line_names_the_limit_and_leaves_trifles_out() -> None:
    line = bottleneck.line(Parts(capture_hz=30, decode=6, detect=50, track=0.1, paint=2, cpu=5))
    assert line == "capture 30 | decode 6.0 ms | detect 50 ms (limit) | paint 2.0 ms"
    assert "all CPUs 60 ms (limit)" in bottleneck.line(Parts(detect=50, cpu=60))


def test_pareto_front() -> None:
    points = [(5.0, 0.4), (3.0, 0.3), (6.0, 0.4), (4.0, 0.2), (9.0, 0.6), (3.0, 0.25)]
    assert chart.pareto(points) == [1, 0, 4]


def test_a_chart_takes_each_files_best_row() -> None:
    rows = [
        row(threads=1),
        row(threads=2, inference_p50_ms=6.0),
        row(precision="int8", inference_p50_ms=7.0),
        row(model="bare", accuracy=None),
        row(model="dead", error="gone"),
    ]
    assert chart.best_per_file(rows, "inference_p50_ms") == [rows[1], rows[2]]


def test_chart_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib import image

    rows = [row(), row("small", inference_p50_ms=4.0, accuracy=0.3, mj_per_frame=20.0)]
    chart.draw(rows, tmp_path / "chart.png", "board")
    assert image.imread(tmp_path / "chart.png").std() > 0.01
    with pytest.raises(ConfigError, match="accuracy in its card"):
        chart.draw([row(accuracy=None)], tmp_path / "none.png", "board")
    with pytest.raises(ConfigError, match="cannot be written"):
        chart.draw(rows, tmp_path / "missing" / "chart.png", "board")


def test_chart_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[evaluate\]"):
        chart.draw([row()], tmp_path / "chart.png", "board")


def test_reference_flags_too_slow_and_too_fast(tmp_path: Path) -> None:
    file = tmp_path / "reference" / "board.csv"
    assert reference.load(file) == {}
    assert reference.keep(file, [row(), row(threads=2), row(model="dead", error="gone")], 0.1) == 2
    known = reference.load(file)
    today = [
        row(inference_p50_ms=14.0),
        row(threads=2, rate_per_s=200.0, source="/elsewhere/clip.mp4"),
        row(threads=3, inference_p50_ms=99.0),
        row(threads=2, inference_p50_ms=10.5),
    ]
    assert reference.compare(today, known, 0.25) == {
        0: "inference too slow: 1.40 × the reference",
        1: "end to end too fast: 0.40 × the reference",
    }
    # a second run replaces its own rows and keeps the others
    reference.keep(file, [row(inference_p50_ms=14.0)], None)
    assert sorted(r["inference_p50_ms"] for r in reference.load(file).values()) == ["10", "14"]


def test_a_reference_that_is_not_one(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="no column model"):
        reference.load(file)
    with pytest.raises(ConfigError, match=r"other\.csv.* cannot be"):
        reference.keep(tmp_path / "other.csv" / "x.csv", [row()], None)


def test_slug() -> None:
    assert reference.slug("Raspberry Pi 5 Model B Rev 1.0 x4") == "raspberry-pi-5-model-b-rev-1-0-x4"


def test_the_fastest_of_a_model_is_chosen_over_both_precisions() -> None:
    rows = [row(), row(precision="int8", rate_per_s=120.0), row("other", rate_per_s=None), row(error="gone")]
    assert report.fastest(rows) == {"net": 1, "other": 2}


def test_table_and_notes_show_failures() -> None:
    from rich.console import Console

    console = Console(width=80, record=True, file=(Path("/dev/null").open("w")))  # noqa: SIM115
    rows = [row(power_w=11.0, power_kind="estimated"), row(threads=2, error="killed by SIGILL")]
    with console.file:
        console.print(report.table(rows, {}, "board"))
        text = console.export_text()
    assert "≈11" in text
    assert "failed" in text
    assert report.notes(rows, {0: "inference too slow"}) == [
        "net fp32, 2 thr. on cpu failed: killed by SIGILL",
        "net fp32, 1 thr. on cpu: inference too slow",
        "net: detect 11 ms (limit)",
    ]


def test_json_is_versioned_and_names_the_limit() -> None:
    document = json.loads(report.to_json([row(), row(error="gone")], {0: "x"}, "board", 0.2))
    assert document["v"] == 1
    assert document["rows"][0]["limit"] == "detect"
    assert document["rows"][0]["flag"] == "x"
    assert "limit" not in document["rows"][1]


def test_a_gpu_is_measured_once_per_model() -> None:
    card = Card(name="net-int8", task="detection", architecture="", labels=("a",), resolution=(8, 8))
    cases = make_cases([(Path("net-int8.onnx"), card)], [1, 2], ["cuda", "cpu"], "x", 1.0, True)
    assert [(c.model, c.provider, c.threads) for c in cases] == [
        ("net", "cuda", 1),
        ("net", "cpu", 1),
        ("net", "cpu", 2),
    ]


def test_threads_and_providers() -> None:
    assert pick_threads([2, 1, 2]) == [1, 2]
    assert pick_threads(None)[0] == 1
    assert pick_providers(["cpu", "cpu"]) == ["cpu"]
    with pytest.raises(ConfigError, match="unknown"):
        pick_providers(["gpu"])
