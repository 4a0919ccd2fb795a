# Private names are touched here, for the child that hangs must be ended by the test, whatever becomes of
# the doctor.

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor_board import GOOD, FakeProbes, broken, find, not_green, with_probe

from edgecam.cli import doctor as cli_doctor
from edgecam.host.disk import disk_space
from edgecam.service.doctor import page
from edgecam.service.doctor.core import (
    Around,
    Line,
    installed_distributions,
    version_tuple,
)
from edgecam.service.doctor.page import as_json, examine, render, verdict
from edgecam.service.doctor.probe import SCRIPTS, ChildProbes, Probe, interpret, script


def test_a_healthy_board_is_all_green(healthy: Around) -> None:
    lines = examine(healthy)
    assert not_green(lines) == {}
    assert verdict(lines) == "all good"
    assert find(lines, "board").detail == "Raspberry Pi 4 Model B Rev 1.4, 3.7 GB"
    assert "imx708: RGB888 1536x864 30" in find(lines, "csi:0").detail
    assert "1 verified" in find(lines, "models").detail
    sections = [line.section for line in lines]
    assert sections == sorted(sections, key=sections.index)  # each section once, in one piece


def test_every_line_that_is_not_green_has_a_fix(healthy: Around) -> None:
    everything_wrong = dict.fromkeys(GOOD, Probe(error="ImportError: no"))
    lines = broken(
        healthy,
        bits=32,
        machine="armv7l",
        python=(3, 9, 2),
        folder=Path("/no/such/folder"),
        disk_space=disk_space,
        probes=lambda names: FakeProbes(everything_wrong),
    )
    assert len(not_green(lines)) >= 10
    assert all(line.fix for line in lines if line.status != "ok")
    assert not any(line.fix for line in lines if line.status == "ok")


def test_a_check_that_raises_is_a_line(healthy: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(around: Around) -> Iterator[Line]:
        yield from ()
        raise RuntimeError("no such luck")

    monkeypatch.setitem(page._ALONE, "disk", explode)
    lines = examine(healthy)
    line = find(lines, "disk")
    assert line.status == "warn" and "no such luck" in line.detail
    assert find(lines, "clock").status == "ok"  # the rest of the page is there


def test_a_child_that_dies_by_sigill_hangs_or_babbles_is_a_result() -> None:
    probes = ChildProbes(
        {
            "sigill": "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
            "hangs": "import time; time.sleep(600)",
            "babbles": "print('x' * 300000); print('not json')",
            "silent": "raise SystemExit(3)",
            "noisy": "print('a library says hello'); print('{\"version\": \"1\"}')",
            "list": "print('[1]')",
        },
        deadline_s=2.0,
    )
    try:
        assert probes.result("sigill").signal == "SIGILL"
        assert "status 3" in probes.result("silent").error
        assert probes.result("noisy").data == {"version": "1"}
        assert probes.result("babbles").error and probes.result("list").error
        hung = probes.result("hangs")
        assert hung.timed_out and not hung.slow
        assert probes.result("hangs") is probes.result("hangs")
    finally:
        probes.close()


def test_a_child_that_still_works_is_slow_and_not_hung() -> None:
    works = "import time\nend = time.monotonic() + {}\nwhile time.monotonic() < end: pass\nprint('{{}}')"
    probes = ChildProbes(
        {"slow": works.format(4.0), "slower": works.format(600.0), "hangs": "import time; time.sleep(600)"},
        deadline_s=2.5,
        slow_limit_s=6.0,
    )
    try:
        assert probes.result("hangs") == Probe(timed_out=True)
        assert probes.result("slow").ok
        assert probes.result("slower") == Probe(timed_out=True, slow=True)
    finally:
        probes.close()


def test_closing_early_leaves_no_child() -> None:
    probes = ChildProbes({"hangs": "import time; time.sleep(600)"})
    child = probes._children["hangs"][0]
    probes.close()
    assert child.poll() is not None


def test_unknown_signal() -> None:
    assert interpret(-123, b"").signal == "signal 123"


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_scripts_are_python(name: str) -> None:
    compile(script(name), name, "exec")


def test_errors_in_a_child_are_one_line() -> None:
    SCRIPTS["explodes"] = "raise ValueError('first\\nsecond')"
    try:
        done = subprocess.run([sys.executable, "-c", script("explodes")], capture_output=True, timeout=60)
    finally:
        del SCRIPTS["explodes"]
    assert interpret(done.returncode, done.stdout).error == "ValueError: first"


def test_the_page_on_this_very_machine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status = cli_doctor.main(["--folder", str(tmp_path), "--json"])
    found = json.loads(capsys.readouterr().out)
    titles = {line["title"] for line in found["lines"]}
    assert {"board", "system", "64 bit", "python", "environment", "numpy", "onnxruntime", "screen"} <= titles
    assert {"models", "power", "throttling", "temperature", "space", "writing", "clock", "service"} <= titles
    assert found["v"] == 1
    assert status == (1 if any(line["status"] == "bad" for line in found["lines"]) else 0)
    assert not any(line["section"] == "doctor" for line in found["lines"])  # no check failed


def test_rendering(healthy: Around) -> None:
    lines = with_probe(healthy, av=Probe(error="ModuleNotFoundError: No module named 'av'"))
    plain = "\n".join(render(lines, colour=False))
    assert (
        "\x1b" not in plain
        and "→ sudo /opt/edgecam/bin/python -m pip install" in plain
        and "1 to put right, 0 to look at" in plain
    )
    for line in (line for text in render(lines, False, 80) for line in text.splitlines()):
        # a command to copy, or a path in it, is never broken
        assert len(line) <= 80 or max(map(len, line.split())) > 40, line
    assert "\x1b[31m✗" in "\n".join(render(lines, colour=True))
    assert json.loads(as_json(lines))["verdict"] == "1 to put right, 0 to look at"
    assert "good, 1 to look at" in verdict([Line("a", "b", "warn", "c", "d")])


def test_cli_exit_codes(healthy: Around, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_doctor.main([], healthy) == 0
    assert "all good" in capsys.readouterr().out
    assert cli_doctor.main([], dataclasses.replace(healthy, bits=32)) == 1
    with pytest.raises(SystemExit) as end:
        cli_doctor.main(["--help"])
    assert end.value.code == 0 and "red to put right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("4.11.0.86", (4, 11, 0, 86)), ("2.0rc1", (2, 0)), ("", ()), ("dev", ()), ("1.21", (1, 21))],
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert version_tuple(text) == numbers


def test_distributions_in_the_order_of_the_path(tmp_path: Path) -> None:
    for folder, version in (("a", "2.0"), ("b", "1.0")):
        info = tmp_path / folder / f"thing-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Thing_X\nVersion: {version}\n")
    broken_info = tmp_path / "a" / "half-1.0.dist-info"
    broken_info.mkdir()
    found = installed_distributions([str(tmp_path / "a"), str(tmp_path / "b")])
    assert [(d.name, d.version) for d in found if d.name == "thing-x"] == [
        ("thing-x", "2.0"),
        ("thing-x", "1.0"),
    ]
