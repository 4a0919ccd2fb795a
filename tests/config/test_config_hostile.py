"""Settings that are devices, endless, deep or absurd end in one sentence and exit code 2."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgecam.cli.main import main
from edgecam.config import load
from edgecam.config.toml_edit import changed, parse
from edgecam.core.errors import ConfigError
from edgecam.core.units import Bytes, Seconds, number_within, whole_within


@pytest.mark.parametrize(
    "text",
    [
        'source = "demo:"\nrecord_rate = 1e300',
        'source = "demo:"\nrate = nan',
        'source = "demo:"\nrecord_rate = inf',
        'source = "a\\u0000b.mp4"',
        'record = "a\\u0000b"\nsource = "demo:"',
        "source = " + "[" * 20_000,
        "x." * 20_000 + "y = 1",
        f'source = "demo:"\nduration = "{"9" * 5000}h"',
        f'source = "demo:"\nkeep_bytes = "{"9" * 5000}TB"',
        f"source = {'9' * 5000}",
    ],
)
def test_absurd_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "edgecam.toml"
    file.write_text(text)
    assert main(["--config", str(file), "--display", "none"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("edgecam: ") and "unexpected" not in said


def test_settings_that_are_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("/dev/zero", "/dev", "/proc/self/mem"):
        assert main(["--config", path]) == 2
        assert "cannot be read" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="NUL"):
        load({"source": ["a\0b"]}, {})


def test_numbers_from_outside() -> None:
    wrong: object
    for wrong in ("nan", "inf", "1e400", "", "x", None, [], True, 10**400, "9" * 5000, "1" * 100):
        assert number_within(wrong, -1e9, 1e9) is None
    assert number_within("2.5", 0, 3) == 2.5 and number_within(4, 0, 3) is None
    for wrong in ("²", "1.0", "-1", "1e2", "", None, 1.0, True, "9" * 5000):
        assert whole_within(wrong, 0, 10**9) is None
    assert whole_within(" 17", 0, 17) == 17
    for text in ("9" * 70 + "d", "99999999999999999d"):
        with pytest.raises(ValueError):
            Seconds.parse(text)
        with pytest.raises(ValueError):
            Bytes.parse(text.replace("d", "TB"))


def test_the_pages_parser_is_as_careful() -> None:
    """100,000 dots took Python's parser minutes."""
    began = time.process_time()
    for text in ("x." * 100_000 + "y = 1", "a = " + "[" * 50_000, "a = \ud800"):
        with pytest.raises(ConfigError):
            parse(text)
    assert time.process_time() - began < 5
    deep: dict[str, object] = {}
    for _ in range(900):
        deep = {"a": deep}
    with pytest.raises(ConfigError, match="nested too deeply"):
        changed("", {"zone": [deep]})
