"""The settings as the command line, the settings page and the pages of help need them."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec

from edgecam.config.schema import Config


class Option(msgspec.Struct, frozen=True):
    """One setting as the command line needs it."""

    name: str
    description: str
    group: str
    metavar: str | None
    short: str | None
    kind: Literal["flag", "count", "list", "choice", "value"]
    choices: tuple[str, ...]
    default: Any
    live: bool = False

    @property
    def flag(self) -> str:
        """``--rtsp-transport``."""
        return "--" + self.name.replace("_", "-")


@cache
def options() -> tuple[Option, ...]:
    """The settings, in the order of :class:`Config`."""
    hints = Config.__annotations__
    defaults = dict(zip(Config.__struct_fields__, Config.__struct_defaults__, strict=True))
    found: list[Option] = []
    for name in Config.__struct_fields__:
        base, *metas = get_args(hints[name])
        meta = next(m for m in metas if m.extra)
        assert meta.extra is not None and meta.description is not None
        choices = tuple(get_args(base)) if get_origin(base) is Literal else ()
        kind: Literal["flag", "count", "list", "choice", "value"] = "value"
        if base is bool:
            kind = "flag"
        elif name == "verbose":
            kind = "count"
        elif get_origin(base) is tuple:
            kind = "list"
        elif choices:
            kind = "choice"
        found.append(
            Option(
                name,
                meta.description,
                meta.extra["group"],
                meta.extra["metavar"],
                meta.extra["short"],
                kind,
                choices,
                defaults[name],
                meta.extra["live"],
            )
        )
    return tuple(found)
