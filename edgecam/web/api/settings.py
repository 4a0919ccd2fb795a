"""Every setting of ``Config``: as it is, checked, shown as a diff, written, and applied where that can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from edgecam.config import Config, options
from edgecam.core.errors import ConfigError
from edgecam.web.api.cameras import plain
from edgecam.web.api.operation import Call, Done, Operation
from edgecam.web.settings_file import SettingsFile

Values = Annotated[dict[str, Any], Meta(max_length=80)]


class OptionRow(msgspec.Struct):
    """One setting. ``live``: it may change while running. ``value``: as it holds now."""

    name: str
    flag: str
    help: str
    group: str
    kind: Literal["flag", "count", "list", "choice", "value"]
    choices: list[str]
    metavar: str | None
    type: str
    minimum: float | None
    maximum: float | None
    default: Any
    value: Any
    in_file: bool
    live: bool


class Settings(msgspec.Struct):
    """file: its name, null where there is none. tag: names this state of it. problem: what is wrong."""

    options: list[OptionRow]
    file: str | None
    text: str
    tag: str
    problem: str


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """By option name, as TOML has it; null takes a setting out of the file."""

    changes: Values


class Save(msgspec.Struct, forbid_unknown_fields=True):
    """``tag`` as it was read, so that nobody's change is lost. text: the whole file, instead of changes."""

    tag: Annotated[str, Meta(max_length=64)]
    changes: Values = {}
    text: Annotated[str, Meta(max_length=200_000)] | None = None


class Preview(msgspec.Struct):
    """What would be written, as a unified diff; what needs a restart; what is wrong, by name."""

    diff: str
    restart: list[str]
    problem: str


class Saved(msgspec.Struct):
    """``applied`` holds already; ``restart`` will after the next start; ``refused`` does not, and why."""

    applied: list[str]
    restart: list[str]
    refused: dict[str, str]
    message: str


def operations() -> list[Operation]:
    """The rows of this part."""
    make, tag = Operation, "settings"
    return [
        make("GET", "/api/config", "The settings", settings, "admin", Settings, tag=tag),
        make("POST", "/api/config/check", "Try a change", preview, "admin", Preview, body=Wanted, tag=tag),
        make("PUT", "/api/config", "Change settings", save, "admin", Saved, body=Save, fails=(409,), tag=tag),
        make("POST", "/api/restart", "Restart edgecam", restart, "admin", Done, fails=(409,), tag=tag),
    ]


def file_of(call: Call) -> SettingsFile:
    """The file that this run was started with."""
    return call.site.settings_file


def settings(call: Call) -> Settings:
    """With help, types and limits, from the one schema that the command line has too."""
    file = file_of(call)
    problem = call.site.problem
    text = ""
    try:
        text = file.text()
        own = set(_names(text))
    except ConfigError as error:
        own, problem = set(), problem or str(error)
    now = call.site.control.state().settings
    config = call.site.config
    hints = get_type_hints(Config, include_extras=True)
    rows = []
    for option in options():
        value = now.get(option.name, getattr(config, option.name))
        kind, low, high = _bounds(hints[option.name])
        rows.append(
            OptionRow(
                *(option.name, option.flag, option.description, option.group, option.kind),
                *(list(option.choices), option.metavar, kind, low, high),
                *(plain(option.default), plain(value), option.name in own, option.live),
            )
        )
    name = None if file.path is None else file.name
    return Settings(rows, name, text, file.tag(text), problem)


def _names(text: str) -> list[str]:
    from edgecam.config.toml_edit import parse

    return list(parse(text))


def _bounds(hint: Any) -> tuple[str, float | None, float | None]:
    """The kind of a value, and its limits, from the schema's own annotations."""
    low: float | None = None
    high: float | None = None
    kind = "text"
    waiting = [hint]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Meta):
            low = next((x for x in (part.ge, part.gt) if x is not None), low)
            high = next((x for x in (part.le, part.lt) if x is not None), high)
        elif part in (int, float):
            kind = "number"
        elif part is bool:
            kind = "flag"
        elif getattr(part, "__name__", "") in ("Seconds", "Size", "Bytes"):
            kind = part.__name__.lower()
        else:
            waiting += [p for p in get_args(part) if p is not type(None)]
            waiting += list(getattr(part, "__metadata__", ()))
    return kind, low, high


#: What is run. Whoever reaches the page is the owner of what edgecam sees, and of no account on the board.
PROGRAMS = frozenset({"action", "power_command"})


def _known(values: dict[str, Any]) -> dict[str, Any]:
    known = {option.name for option in options()} - {"config"}
    for name in values:
        if name not in known:
            raise ConfigError(f"there is no setting '{name[:60]}'")
    refuse_programs(values)
    return values


def refuse_programs(changes: Mapping[str, Any], before: str = "") -> None:
    """Raise ConfigError for what would have another program run.

    before: a file that was broken, so that nobody knows what it said; the same command may stay.
    """
    for name in PROGRAMS & changes.keys():
        value = changes[name]
        commands = value if isinstance(value, list) else [] if value is None else [value]
        if not before or not all(str(command) in before for command in commands):
            raise ConfigError(f"'{name}' is a program that is run: change it in the file on the board itself")


def preview(call: Call) -> Preview:
    """Writes nothing."""
    file = file_of(call)
    changes = _known(call.body.changes)
    try:
        text = file.preview(changes)
    except ConfigError as error:
        return Preview("", [], str(error))
    live = {option.name for option in options() if option.live}
    return Preview(file.diff(text), sorted(changes.keys() - live), "")


def save(call: Call) -> Saved:
    """Checked first; written in one step; live settings hold from the next frame on."""
    file, body = file_of(call), call.body
    changes = _known(body.changes)
    text = body.text if body.text is not None else file.preview(changes)
    before = file.text()
    if body.text is not None:
        changes, was_broken = _differing(before, text)
        refuse_programs(changes, before if was_broken else "")
    file.write(text, body.tag)
    live = {option.name for option in options() if option.live}
    wanted = {name: value for name, value in changes.items() if name in live}
    applied: list[str] = []
    refused: dict[str, str] = {}
    if wanted and not call.site.problem:
        result = call.site.control.change(**wanted)
        applied, refused = sorted(result.applied), dict(result.refused)
    later = sorted(changes.keys() - set(applied))
    words = "saved" + (f"; after a restart: {', '.join(later)}" if later else "")
    return Saved(applied, later, refused, words)


def _differing(before: str, after: str) -> tuple[dict[str, Any], bool]:
    """The settings that differ, and whether the list is complete: it is not if the file was broken."""
    from edgecam.config.toml_edit import parse

    new = parse(after)
    try:
        old, broken = parse(before), False
    except ConfigError:
        old, broken = {}, True
    return {k: new.get(k) for k in old.keys() | new.keys() if old.get(k) != new.get(k)}, broken


def restart(call: Call) -> Done:
    """Where systemd started it, or in the safe mode; elsewhere its owner has to."""
    return Done(call.site.commands.restart())
