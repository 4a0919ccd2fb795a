"""The registry of plug-ins, and that a broken one costs one sentence with its package's name."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import edgecam
from edgecam import plugins
from edgecam.core import ports
from edgecam.core.errors import CaptureError, ConfigError, EdgecamError, ModelError, SourceOpenError
from edgecam.inference.detector import OnnxDetector
from edgecam.plugins import BUILT_IN, GROUPS, attributes_of
from edgecam.telemetry.meters.choose import find_meters

ROOT = Path(__file__).resolve().parents[2]

CODE = '''
import numpy as np
from edgecam import Detections, Frame
from edgecam.capture.base import BaseSource
from edgecam.core.ports import TensorSpec

class Good(BaseSource):
    is_live = False
    def __init__(self, uri, options):
        super().__init__("good:")
        self._size_wh = (64, 48)
        self.fault = uri.partition(":")[2]
    def _read(self, timeout_s):
        if self._index == 3 and self.fault == "raises":
            raise ZeroDivisionError("three is too many")
        if self._index == 3 and self.fault == "grey":
            return Frame(np.zeros((48, 64), np.uint8), 3, 0, "good:")
        self._index += 1
        return Frame(np.zeros((48, 64, 3), np.uint8), self._index - 1, 0, "good:", media_ns=self._index)

class Bare:
    is_live, name, size_wh, rate_hz, description = False, "bare", (64, 48), None, "bare"
    def __init__(self, uri, options): pass
    def close(self): pass

def raising(*arguments, **options):
    raise RuntimeError("no such   thing\\nhere")

class Sink:
    def __init__(self, argument): self.argument = argument
    def open(self):
        if self.argument == "open": raise OSError("no")
    def write(self, result): raise KeyError("label")
    def close(self): raise KeyError("label")

def nothing(root): return None

class Meter:
    name = "wall plug"
    def __init__(self, root): self.calls = 0
    def read(self): raise TimeoutError("the plug does not answer")

class Sees:
    name, labels, input_wh = "sees", ("cat", "dog"), (8, 8)
    def __init__(self, name_or_path, *, threads, score, classes): self.path = name_or_path
    def detect(self, frame):
        boxes = np.array([[0, 0, 9, 9], [5, 5, 30, 30]])
        return Detections(boxes, np.array([0.9, 0.3]), np.array([0, 1]), self.labels)

class Zeros:
    """A runtime that finds nothing, at once."""
    def __init__(self, path, threads):
        side = 160 if "160" in path.name else 320
        anchors = {320: 2125, 160: 525}[side]
        self.inputs = [TensorSpec("image", np.dtype(np.uint8), (1, side, side, 3))]
        self.outputs = [TensorSpec("boxes", np.dtype(np.float32), (1, anchors, 4)),
                        TensorSpec("scores", np.dtype(np.float32), (1, anchors, 80))]
    def bind(self, buffer, outputs=None): return self
    def run(self): return tuple(np.zeros(spec.shape, spec.dtype) for spec in self.outputs)
'''
ENTRIES = """
[console_scripts]
something = else:main
[edgecam.sources]
good = some_plugin:Good
bare = some_plugin:Bare
missing = no_such_module:Source
raising = some_plugin : raising
[edgecam.sinks]
sink = some_plugin:Sink
[edgecam.actions]
act = some_plugin:Sink
lost = no_such_module:Action
[edgecam.meters]
plug = some_plugin:Meter
unfit = some_plugin:Unfit
none = some_plugin:nothing
[edgecam.detectors]
sees = some_plugin:Sees
.tflite = some_plugin:Sees [extra]
[edgecam.runtimes]
zeros = some_plugin:Zeros
broken = some_plugin:raising
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with plug-ins of every sort on the path; how it is called in messages."""
    (tmp_path / "some_plugin.py").write_text(CODE)
    told = tmp_path / "Some_Plugin-2.5.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: some-plugin\nVersion: 2.5\n\nName: not this\n"
    )
    (told / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "some_plugin", raising=False)
    plugins.installed.cache_clear()
    return "of the package some-plugin 2.5"


@pytest.fixture(autouse=True)
def forget() -> object:
    yield
    plugins.installed.cache_clear()


def test_what_edgecam_ships_is_there_and_fits_the_registry() -> None:
    for group in GROUPS:
        assert issubclass(getattr(ports, plugins.PORTS[group]), object) and attributes_of(group)
        for name in BUILT_IN[group]:
            found = plugins.find(group, name)
            assert found is not None and found.is_built_in and callable(found.load()), (group, name)
    assert "read" in attributes_of("sources") and attributes_of("sinks") == ["close", "open", "write"]


def test_built_in_sources_are_opened_without_looking_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked() -> None:
        raise AssertionError("looked for plug-ins")

    monkeypatch.setattr(plugins, "installed", looked)
    monkeypatch.setattr(looked, "cache_clear", lambda: None, raising=False)
    with edgecam.open_source("synthetic:?frames=1") as source:
        assert len(list(source)) == 1


def test_looking_for_plug_ins_does_not_import_metadata() -> None:
    code = (
        "import sys; from edgecam import plugins; plugins.installed(); "
        "print('importlib.metadata' in sys.modules)"
    )
    # without site, whose hooks of editable installs may import it
    found = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60, env=found
    )
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize(
    ("uri", "kind", "message"),
    [
        (
            "missing:",
            SourceOpenError,
            "'missing' {} cannot be imported: ModuleNotFoundError: No module named",
        ),
        ("bare:", SourceOpenError, "'bare' {} gives a Bare without "),
        ("raising:", SourceOpenError, "'raising' {} failed: RuntimeError: no such thing here"),
    ],
)
def test_a_broken_source_is_one_sentence(
    package: str, uri: str, kind: type[EdgecamError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        edgecam.open_source(uri)
    assert str(caught.value).startswith("plug-in " + message.format(package)) and "\n" not in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("fault", "message"),
    [("raises", "failed: ZeroDivisionError: three is too many"), ("grey", "but (48, 64) uint8")],
)
def test_a_source_that_breaks_later_is_one_sentence_in_the_loop(
    package: str, fault: str, message: str
) -> None:
    seen = []
    with pytest.raises(CaptureError, match=r"^plug-in 'good' of the package some-plugin 2\.5") as caught:
        for result in edgecam.watch(f"good:{fault}", detector="off"):
            seen.append(result.frame.index)  # noqa: PERF401
    assert seen == [0, 1, 2] and message in str(caught.value)


@pytest.mark.allow_error_log
def test_a_sink_that_fails_is_told_once_and_left_out(package: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match=f"'sink' {package} failed: OSError: no"):
        next(edgecam.watch("good:", detector="off", sink="sink:open"))
    with pytest.raises(ConfigError, match=r"--sink 'sinc' is not known, did you mean 'sink'"):
        next(edgecam.watch("good:", detector="off", sink="sinc"))
    assert len(list(edgecam.watch("good:", detector="off", sink=["sink:x"], frames=20))) == 20
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert told == [f"plug-in 'sink' {package} failed: KeyError: 'label'; the run goes on without it"]


def test_an_action_that_does_not_start_is_told_at_once(package: str) -> None:
    for action, message in (("*=act:open", "failed: OSError: no"), ("*=lost:x", "cannot be imported")):
        with pytest.raises(ConfigError, match=f"{package} {message}"):
            next(edgecam.watch("good:", detector="off", action=action))


def test_meters_that_fail_are_told_and_the_others_are_asked(
    package: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    found = find_meters(tmp_path)
    assert found.meters[0].name == "wall plug"
    assert [meter.read() for meter in found.meters[:1] * 3] == [None, None, None]
    told = [record.getMessage() for record in caplog.records]
    assert [line.partition(" failed")[0].partition(" cannot")[0] for line in told] == [
        f"power: plug-in 'unfit' {package}",
        f"power: plug-in 'plug' {package}",
    ]


def test_a_detector_by_name_and_by_suffix(package: str) -> None:
    frame = next(iter(edgecam.open_source("good:")))
    for name in ("sees", "model.tflite"):
        detector = edgecam.load_detector(name, score=0.5)
        assert [d.label for d in detector.detect(frame)] == ["cat"]
        detector.set_score(None)
        detector.set_classes(["dog"])
        assert [d.label for d in detector.detect(frame)] == ["dog"]
        with pytest.raises(ConfigError, match="does not know the class 'dgo', did you mean 'dog'"):
            detector.set_classes(["dgo"])
    results = list(edgecam.watch("good:", detector="sees", classify="off", frames=3))
    assert [sorted(d.label for d in result.detections)[:1] for result in results[1:]] == [["cat"], ["cat"]]


def test_a_runtime_is_a_provider(package: str, caplog: pytest.LogCaptureFixture) -> None:
    frame = next(iter(edgecam.open_source("synthetic:?frames=1")))
    detector = edgecam.load_detector("default", provider="zeros")
    assert len(detector.detect(frame)) == 0
    with pytest.raises(ModelError, match=f"'broken' {package} failed: RuntimeError"):
        edgecam.load_detector("default", provider="broken")
    with pytest.raises(ConfigError, match="did you mean 'zeros'"):
        edgecam.load_detector("default", provider="zero")
    with caplog.at_level(logging.WARNING):
        found = edgecam.load_detector("fast", tune="again")
    assert isinstance(found, OnnxDetector)
    assert found.session.provider == "zeros", "tuning measured it, and nothing is faster"
    # of which file, fp32 or int8, is the measuring's to say
    (told,) = [record.getMessage().split(":")[0] for record in caplog.records]
    assert told.startswith("broken cannot run pan-mobilenet-v1-160-fast")


def test_the_command_lists_all_with_origin_and_tells_what_is_broken(package: str, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "edgecam", "plugins", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        env=env,
    )
    assert done.returncode == 1, done.stderr
    rows = {(row["group"], row["name"]): row for row in json.loads(done.stdout)["plugins"]}
    assert rows["sources", "good"]["package"] == "some-plugin" and rows["sources", "good"]["version"] == "2.5"
    assert rows["detectors", ".tflite"]["target"] == "some_plugin:Sees"
    assert rows["sources", "rtsp"]["package"] == "edgecam" and not rows["sources", "rtsp"]["problem"]
    broken = {name for (_, name), row in rows.items() if row["problem"]}
    assert broken == {"missing", "unfit", "lost"}
    done = subprocess.run(
        [sys.executable, "-m", "edgecam", "plugins", "--added"],
        capture_output=True,
        text=True,
        timeout=60,
        env=env,
    )
    assert "rtsp" not in done.stdout and f"plug-in 'missing' {package} cannot be imported" in done.stdout
