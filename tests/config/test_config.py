"""One schema, four layers, and messages that name the nearest right key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.config import Config, load, options
from edgecam.core.errors import ConfigError
from edgecam.core.units import Bytes, Seconds, Size, days_text


def test_defaults() -> None:
    assert load({}, {}) == Config()


def test_the_command_line_wins_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('score = 0.1\nrate = 10\nsize = "640x480"\nclasses = ["cat"]\n')
    found = load(
        {"config": str(file), "score": "0.3"},
        {"EDGECAM_SCORE": "0.2", "EDGECAM_RATE": "20", "HOME": "/"},
    )
    assert (found.score, found.rate, found.size, found.classes) == (0.3, 20.0, (640, 480), ("cat",))


def test_the_file_may_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("threads = 2\n")
    assert load({}, {"EDGECAM_CONFIG": str(file)}).threads == 2


def test_lists_split_at_commas_but_sources_do_not() -> None:
    found = load({"classes": ["person, car", "dog"], "source": ["a,b.mp4", "0"]}, {})
    assert found.classes == ("person", "car", "dog") and found.source == ("a,b.mp4", "0")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": "1280"}, "--size: '1280' is not a size; write WIDTHxHEIGHT"),
        ({"rate": "fast"}, "--rate: 'fast' must be a number"),
        ({"rate": "0"}, "--rate: '0' must be above 0"),
        ({"score": "1.5"}, "--score: '1.5' must be 1.0 or less"),
        ({"threads": "-1"}, "--threads: '-1' must be 0 or more"),
        (
            {"display": "windw"},
            "'windw' must be one of auto, window, fullscreen, none, did you mean 'window'?",
        ),
        ({"segment": "5 parsecs"}, "--segment: '5 parsecs' is not a duration"),
        ({"keep_bytes": "many"}, "--keep-bytes: 'many' is not an amount of bytes"),
        ({"record": ""}, "--record is empty"),
        ({"segment": "1ms"}, "--segment: pieces of 0.001 s are too short; give 1s or more"),
        ({"keep_bytes": "0"}, "--keep-bytes: 0 bytes hold no clip, so all would be deleted; give 1MB"),
    ],
)
def test_bad_values_are_told_with_the_value(given: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(given, {})
    assert message in str(caught.value)


def test_a_file_from_windows_editors_is_read(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_bytes(b"\xef\xbb\xbfrate = 7\n")
    assert load({"config": str(file)}, {}).rate == 7


def test_unknown_keys_name_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('config = "x.toml"\n')
    with pytest.raises(ConfigError, match="settings files name no others"):
        load({"config": str(file)}, {})
    file.write_text('sorce = "demo:"\n')
    with pytest.raises(ConfigError, match=r"unknown key 'sorce' in .*s.toml, did you mean 'source'\?"):
        load({"config": str(file)}, {})
    with pytest.raises(ConfigError, match=r"EDGECAM_SCROE, did you mean 'EDGECAM_SCORE'\?"):
        load({}, {"EDGECAM_SCROE": "1"})


@pytest.mark.parametrize("content", [None, "a = = 1", "\xff"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "s.toml"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"settings file '.*s.toml'"):
        load({"config": str(file)}, {})


def test_every_option_is_described_and_has_a_group() -> None:
    groups = {"source", "vision", "rules", "output", "wire", "web", "run"}
    assert all(o.description and o.group in groups for o in options())
    assert len({o.flag for o in options()}) == len(Config.__struct_fields__)


@given(st.integers(16, 9999), st.integers(16, 9999))
def test_sizes_round_trip(width: int, height: int) -> None:
    assert Size.parse(str(Size((width, height)))) == (width, height)


def test_units() -> None:
    assert Seconds.parse("150ms") == pytest.approx(0.15)
    assert (Seconds.parse("5m"), Seconds.parse("2h"), Seconds.parse(7)) == (
        Seconds(300),
        Seconds(7200),
        Seconds(7),
    )
    assert (Bytes.parse("20GB"), Bytes.parse("1GiB"), Bytes.parse("0.5kB")) == (20 * 10**9, 2**30, 500)


@pytest.mark.parametrize(("days", "text"), [(12.4, "12 days"), (2.5, "2.5 days"), (0.375, "9 hours")])
def test_space_in_words(days: float, text: str) -> None:
    assert days_text(days) == text
