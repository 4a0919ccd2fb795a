"""One typed configuration: command line > environment (``EDGECAM_*``) > TOML file > defaults.

:mod:`edgecam.config.schema` holds the list of settings; here they are read, merged and checked.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from edgecam.config.options import Option, options
from edgecam.config.schema import Config
from edgecam.core.errors import ConfigError, suggest
from edgecam.core.files import read_limited
from edgecam.core.toml import parse_toml
from edgecam.core.units import Bytes, Seconds, Size

__all__ = ["Config", "Option", "load", "options"]

ENV_PREFIX = "EDGECAM_"

_LISTS = frozenset(o.name for o in options() if o.kind == "list")
#: A source, a control or a zone may hold commas of its own; it is repeated, not split.
_REPEATED = frozenset({"source", "control", "zone", "line", "rule", "sink", "webhook", "notify", "action"})

#: A clip has a head and a key frame: shorter pieces, or less room, would keep nothing that is worth it.
LEAST_SEGMENT_S = 1.0
LEAST_KEEP_BYTES = 1_000_000


def _decode(kind: type, value: Any) -> Any:
    if kind in (Size, Seconds, Bytes):
        return kind.parse(value)
    raise NotImplementedError(kind)


def _as_list(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return [value] if name in _REPEATED else [v.strip() for v in value.split(",") if v.strip()]
    return value


_PLAIN_WORDS = (
    (re.compile(r"Expected `(?:int|float).*got `\w+`"), "must be a number"),
    (re.compile(r"Expected `bool.*"), "must be true or false"),
    (re.compile(r"Expected `\w+` >= (\S+).*"), r"must be \1 or more"),
    (re.compile(r"Expected `\w+` > (\S+).*"), r"must be above \1"),
    (re.compile(r"Expected `\w+` <= (\S+).*"), r"must be \1 or less"),
)


def _explain(option: Option, value: Any, error: msgspec.ValidationError) -> str:
    """msgspec's message, in words for users."""
    shown = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    if option.choices:
        return f"'{shown}' must be one of {', '.join(option.choices)}{suggest(shown, option.choices)}"
    why = str(error).split(" - at ")[0]
    if why.startswith("'"):  # our own sentence, from edgecam.core.units
        return why
    for pattern, words in _PLAIN_WORDS:
        why = pattern.sub(words, why)
    return f"'{shown}' {why}"


def parse_one(option: Option, value: Any, origin: str) -> Any:
    """One setting's ``value``, as its type. Raises ConfigError naming ``origin`` and the value."""
    for text in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(text, str) and "\0" in text:
            raise ConfigError(f"{origin}: {text!r} has a NUL character in it; leave it out")
    if option.kind == "list":
        value = _as_list(option.name, value)
    try:
        found = msgspec.convert({option.name: value}, Config, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_explain(option, value, error)}") from None
    return getattr(found, option.name)


def _convert(values: Mapping[str, Any], origin: Mapping[str, str]) -> Config:
    known = {o.name: o for o in options()}
    for name, value in values.items():
        # One field at a time, so that the message can name the field, its value and where it was set.
        parse_one(known[name], value, origin[name])
    return msgspec.convert(dict(values), Config, strict=False, dec_hook=_decode)


def _read_toml(path: str) -> dict[str, Any]:
    try:
        # Windows' editors put a mark of three bytes before the text
        return parse_toml(read_limited(Path(path).expanduser(), pipes=True).removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise ConfigError(
            f"settings file '{path}' cannot be read: {error.strerror}; check --config"
        ) from None
    except ValueError as error:
        raise ConfigError(f"settings file '{path}' is not valid TOML: {error}") from None


def load(
    arguments: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    base: Mapping[str, Any] | None = None,
) -> Config:
    """Merge the layers and validate.

    arguments: what the command line gave, by field name; absent ones are not in it.
    environment: ``os.environ`` by default.
    base: values below every layer (a test's own defaults).

    Raises ConfigError for an unknown key (naming the nearest right one) or a value that does not fit.
    """
    values, origin = _layers(arguments, environment, base)
    config = _convert(values, origin)
    if config.segment is not None and config.segment < LEAST_SEGMENT_S:
        raise ConfigError(
            f"{origin['segment']}: pieces of {config.segment:g} s are too short; "
            f"give {LEAST_SEGMENT_S:g}s or more"
        )
    if config.keep_bytes is not None and config.keep_bytes < LEAST_KEEP_BYTES:
        raise ConfigError(
            f"{origin['keep_bytes']}: {config.keep_bytes} bytes hold no clip, so all would be deleted; "
            f"give {LEAST_KEEP_BYTES // 1_000_000}MB or more, or leave it out"
        )
    return config


def given(arguments: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """The names of the settings that the command line, the environment or the file sets. As :func:`load`."""
    return frozenset(_layers(arguments, environment, None)[0])


def _layers(
    arguments: Mapping[str, Any], environment: Mapping[str, str] | None, base: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The merged values and where each was set, by name."""
    environment = os.environ if environment is None else environment
    known = {o.name: o for o in options()}
    values: dict[str, Any] = dict(base or {})
    origin = dict.fromkeys(values, "default")
    from_env: dict[str, Any] = {}
    for key, text in environment.items():
        if not key.startswith(ENV_PREFIX):
            continue
        name = key[len(ENV_PREFIX) :].lower()
        if name not in known:
            near = suggest(key, [ENV_PREFIX + n.upper() for n in known])
            raise ConfigError(f"unknown environment variable {key}{near or '; see edgecam --help'}")
        from_env[name] = text
    file = arguments.get("config") or from_env.get("config")
    if file:
        for key, value in _read_toml(str(file)).items():
            name = key.replace("-", "_")
            if name == "config":
                raise ConfigError(f"'config' in {file}: settings files name no others; leave it out")
            if name not in known:
                raise ConfigError(f"unknown key '{key}' in {file}{suggest(name, known)}")
            values[name], origin[name] = value, f"'{key}' in {file}"
    for name, text in from_env.items():
        values[name], origin[name] = text, f"{ENV_PREFIX}{name.upper()}"
    for name, value in arguments.items():
        values[name], origin[name] = value, known[name].flag
    for name in _LISTS & values.keys():
        value = _as_list(name, values[name])
        if name not in _REPEATED and isinstance(value, list):
            value = [part for item in value for part in _as_list(name, item)]
        values[name] = value
    for name in ("size", "duration", "record", "json", "events"):
        if values.get(name) == "":
            raise ConfigError(f"{origin[name]} is empty; leave it out or give it a value")
    if values.get("record_on") and not values.get("record"):
        raise ConfigError(
            f"{origin['record_on']} needs --record: say where the clips go, such as --record clips"
        )
    return values, origin
