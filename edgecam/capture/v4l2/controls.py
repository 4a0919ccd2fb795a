"""A V4L2 camera's controls, by the names that ``v4l2-ctl --list-ctrls`` gives them."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecam.capture.v4l2 import abi
from edgecam.capture.v4l2.device import text
from edgecam.core.errors import ConfigError, suggest

_KINDS = {
    abi.CTRL_INTEGER: "int",
    abi.CTRL_BOOLEAN: "bool",
    abi.CTRL_MENU: "menu",
    abi.CTRL_INTEGER_MENU: "menu",
    abi.CTRL_BUTTON: "button",
}


@dataclass(frozen=True, slots=True)
class CameraControl:
    """One control. ``menu`` maps values to names; ``inactive``: an automatic control rules it now."""

    name: str
    id: int
    kind: str
    minimum: int
    maximum: int
    step: int
    default: int
    value: int | None
    read_only: bool = False
    inactive: bool = False
    menu: Mapping[int, str] = field(default_factory=dict)

    @property
    def allowed(self) -> str:
        """What can be given, for people."""
        if self.menu:
            return " | ".join(self.menu.values())
        return {"bool": "0 | 1", "button": "(press)"}.get(self.kind, f"{self.minimum} to {self.maximum}")


def variable_name(title: str) -> str:
    """``White Balance, Automatic`` → ``white_balance_automatic``, as v4l2-ctl does it."""
    return re.sub(r"[^0-9a-z]+", "_", title.lower()).strip("_")


def list_controls(fd: int) -> list[CameraControl]:
    """All controls that are numbers, switches, menus or buttons."""
    found: list[CameraControl] = []
    query = abi.QueryCtrl(id=abi.CTRL_FLAG_NEXT)
    while True:
        try:
            abi.ioctl(fd, abi.QUERYCTRL, query)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return found
            raise
        if query.type in _KINDS and not query.flags & abi.CTRL_FLAG_DISABLED:
            found.append(_control(fd, query))
        query.id |= abi.CTRL_FLAG_NEXT


def _control(fd: int, query: abi.QueryCtrl) -> CameraControl:
    is_menu = query.type in (abi.CTRL_MENU, abi.CTRL_INTEGER_MENU)
    return CameraControl(
        variable_name(text(query.name)),
        query.id,
        _KINDS[query.type],
        query.minimum,
        query.maximum,
        query.step,
        query.default_value,
        None if query.type == abi.CTRL_BUTTON else _value(fd, query.id),
        bool(query.flags & abi.CTRL_FLAG_READ_ONLY),
        bool(query.flags & abi.CTRL_FLAG_INACTIVE),
        _menu(fd, query) if is_menu else {},
    )


def _menu(fd: int, query: abi.QueryCtrl) -> dict[int, str]:
    menu = {}
    for index in range(query.minimum, min(query.maximum, query.minimum + 255) + 1):
        item = abi.QueryMenu(id=query.id, index=index)
        try:
            abi.ioctl(fd, abi.QUERYMENU, item)
        except OSError:  # menus have holes
            continue
        raw = bytes(item.name)
        number = query.type == abi.CTRL_INTEGER_MENU
        menu[index] = (
            str(int.from_bytes(raw[:8], "little", signed=True)) if number else text(raw.split(b"\0")[0])
        )
    return menu


def _value(fd: int, control_id: int) -> int | None:
    item = abi.Control(id=control_id)
    try:
        abi.ioctl(fd, abi.G_CTRL, item)
    except OSError:  # write-only, or the camera does not answer at the moment
        return None
    return int(item.value)


def parse_value(control: CameraControl, given: str) -> int:
    """The number for what the user wrote. Raises ConfigError with what is allowed."""
    word = given.strip()
    low = word.lower()
    if control.kind == "bool" and low in ("on", "true", "yes", "off", "false", "no"):
        return int(low in ("on", "true", "yes"))
    for value, name in control.menu.items():
        if low in (name.lower(), variable_name(name)):
            return value
    try:
        value = int(word or "1" if control.kind == "button" else word, 0)
    except ValueError:
        value = None  # type: ignore[assignment]
    fits = value is not None and (value in control.menu if control.menu else True)
    if not fits or (control.kind != "button" and not control.minimum <= value <= control.maximum):
        raise ConfigError(f"control {control.name}={given}: give {control.allowed}.")
    return value


def apply_controls(fd: int, wanted: Mapping[str, str]) -> list[str]:
    """Set controls and read them back; returns ``name=value`` as granted, for the description.

    Menus and switches go first, because they free the values (``auto_exposure=manual_mode`` before
    ``exposure_time_absolute``). Raises ConfigError for a name or value the camera does not have.
    """
    if not wanted:
        return []
    known = {control.name: control for control in list_controls(fd)}
    pairs = []
    for name, given in wanted.items():
        control = known.get(variable_name(name))
        if control is None:
            names = ", ".join(known) or "none at all"
            raise ConfigError(f"the camera has no control {name!r}{suggest(name, known)} (it has {names}).")
        if control.read_only:
            raise ConfigError(f"control {control.name} can only be read.")
        pairs.append((control, parse_value(control, given)))
    pairs.sort(key=lambda pair: pair[0].kind not in ("menu", "bool"))
    granted = []
    for control, value in pairs:
        try:
            abi.ioctl(fd, abi.S_CTRL, abi.Control(id=control.id, value=value))
        except OSError as error:
            hint = "; an automatic rules it, so turn that off first" if control.inactive else ""
            raise ConfigError(
                f"control {control.name}={value} was refused: {error.strerror}{hint}."
            ) from None
        got = _value(fd, control.id) if control.kind != "button" else value
        shown = control.menu.get(got, str(got)) if got is not None else str(value)
        granted.append(f"{control.name}={shown}" + (f" (asked: {value})" if got not in (None, value) else ""))
    return granted
