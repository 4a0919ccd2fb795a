"""The answers of ``edgecam setup``, and the settings file they make. Pure: asks and writes nothing."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecam.config import Config, load, options
from edgecam.core.errors import ConfigError

Show = Literal["window", "fullscreen", "browser", "none"]
Boot = Literal["system", "user", "no"]

#: What can be answered to "record when?" beside classes such as ``person,car``.
RECORD_WORDS = ("never", "always", "motion")
KEEP_DAYS = 30
KEEP_FREE_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Answers:
    """One answer a question.

    camera: as for ``--source``. record: one of :data:`RECORD_WORDS`, or classes with commas. tell:
    ``nobody``, a file for JSON lines, ``mqtt://…`` or ``https://…``.
    """

    camera: str
    show: Show = "window"
    record: str = "never"
    tell: str = "nobody"
    boot: Boot = "no"


def record_words(when: str) -> list[str]:
    """``person, car`` as what ``--record-on`` takes."""
    return [word.strip() for word in when.split(",") if word.strip()]


def settings_of(answers: Answers, clips: Path) -> dict[str, object]:
    """The settings that the answers ask for, by option name. clips: folder for recordings.

    Raises ConfigError for an answer that is no setting, naming it.
    """
    found: dict[str, object] = {"source": [answers.camera], "wait": answers.boot != "no"}
    if answers.boot == "no":
        del found["wait"]
        found["display"] = {"window": "auto", "fullscreen": "fullscreen"}.get(answers.show, "none")
    if answers.show == "browser":
        found["web"] = "8080"
    if answers.record != "never":
        found["record"] = str(clips)
        if answers.record != "always":
            found["record_on"] = record_words(answers.record)
        found |= {"keep_days": KEEP_DAYS, "keep_free": KEEP_FREE_PERCENT}
    found |= _told(answers.tell)
    load(found, {})  # each value must be one that edgecam takes
    return found


def _told(tell: str) -> dict[str, object]:
    if tell in ("", "nobody"):
        return {}
    known = {option.name for option in options()}
    scheme = tell.partition("://")[0]
    name = {"mqtt": "mqtt", "mqtts": "mqtt", "http": "webhook", "https": "webhook"}.get(scheme)
    if "://" not in tell:
        return {"json": tell}
    if name is None or name not in known:
        raise ConfigError(
            f"'{tell}' is not something edgecam can tell: give a file, mqtt://…, https://… or nobody"
        )
    listed = any(option.name == name and option.kind == "list" for option in options())
    return {name: [tell] if listed else tell}


def toml_of(settings: Mapping[str, object]) -> str:
    """A settings file: each value under what it is, in a comment. Keys are those of :class:`Config`."""
    about = {option.name: option.description for option in options()}
    lines = ["# Written by `edgecam setup`. Every option of `edgecam --help` may stand here."]
    for name, value in settings.items():
        assert name in Config.__struct_fields__
        lines += ["", *(f"# {line}" for line in textwrap.wrap(about[name], 76, break_on_hyphens=False))]
        lines.append(f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, int | float):
        return f"{value:g}"
    # a basic string of TOML has JSON's escapes
    return json.dumps(str(value), ensure_ascii=False)
