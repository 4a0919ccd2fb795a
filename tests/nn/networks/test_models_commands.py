"""What ``edgecam models`` says of published, shipped and misspelt models, and what the registry holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from edgecam.cli import models as cli_models
from edgecam.core.errors import EdgecamError
from edgecam.inference.models.store import list_models
from edgecam.nn.hub.registry import OFFICIAL

pytestmark = pytest.mark.torch


def test_what_nobody_publishes_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EdgecamError, match="nobody publishes torch weights"):
        cli_models.main(["pull", "mobilenet_edgetpu"])


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["pull", "mobilenet_v22"], "did you mean 'mobilenet_v2'"),
        (["info", "ssdlite320_mobilenet_v3"], "did you mean 'ssdlite320"),
        (["verify", "nothing"], "no model is called 'nothing'"),
        (["rm", "nothing"], "no model 'nothing' in"),
        (["describe", "mobilenetv2"], "did you mean 'mobilenet_v2'"),
        (["describe", "mobilenet_v2", "--resolution", "7"], "not between 32 and 2048"),
    ],
)
def test_wrong_names(argv: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(EdgecamError, match=says):
        cli_models.main(argv)


def test_describe_prints_the_papers_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_models.main(["describe", "mobilenet_v1"]) == 0
    out = capsys.readouterr().out
    assert "4,231,976" in out
    assert "568.74" in out
    assert "4,867 M multiply-adds (8.6x)" in out
    assert "569 M multiply-adds" in out
    assert "agrees" in out


def test_shipped_models_are_good(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shipped = list_models()
    if not shipped:
        pytest.skip("no model is shipped in this checkout")
    assert cli_models.main(["verify"]) == 0
    out = capsys.readouterr().out
    assert out.count(" good") == len(shipped)  # int8 files too, whose tensors are typed


def test_describe_knows_the_published_detector(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_models.main(["describe", "ssdlite320_mobilenet_v3_large"]) == 0
    out = capsys.readouterr().out
    assert "3,440,060" in out
    assert "tap: expansion" in out
    total = float(out.split("sum")[1].split()[1])
    assert total == pytest.approx(583, rel=0.02)  # torchvision's own count, `_ops` 0.583 G


def test_looking_at_models_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None\n"
        "from edgecam.cli.models import main\n"
        "assert main(['list']) == 0 and main(['info', 'mobilenet_v2']) == 0 and main(['verify']) in (0, 4)\n"
        "try: main(['describe', 'mobilenet_v2'])\n"
        "except ImportError as error: print('REFUSED', error)\n"
    )
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "REFUSED `edgecam models describe` needs the package 'torch'" in done.stdout


def test_the_registry_is_complete() -> None:
    names = [entry.name for entry in OFFICIAL]
    assert len(set(names)) == len(names)
    for entry in OFFICIAL:
        assert entry.licence
        assert entry.url.startswith("https://") or entry.note
        if entry.url:
            assert bool(entry.sha256) != bool(entry.hash_url)
            if len(entry.sha256) == 8:
                assert f"-{entry.sha256}.pth" in entry.url
            elif entry.sha256:
                assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
                assert re.search("/resolve/[0-9a-f]{40}/", entry.url), "a fixed hash needs a fixed revision"
            assert entry.score is not None
