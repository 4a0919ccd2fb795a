"""The settings that may change while edgecam runs: one owner, one value each.

A setting becomes live by ``live=True`` beside it in :mod:`edgecam.config.schema`; whoever acts on it says so
by :meth:`LiveSettings.bind`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec

from edgecam.config.loading import parse_one
from edgecam.config.options import options
from edgecam.config.schema import Config
from edgecam.core.control import Changes
from edgecam.core.errors import ConfigError, EdgecamError, suggest

#: Told the whole configuration that shall hold; raises EdgecamError to refuse it, and changes nothing then.
Apply = Callable[[Config], None]

_OPTIONS = {option.name: option for option in options()}
#: The names of all live settings, in the order of the schema.
LIVE: tuple[str, ...] = tuple(name for name, option in _OPTIONS.items() if option.live)


class LiveSettings:
    """Owns the configuration of a run.

    ``bind`` before the run. ``change`` and ``restore`` belong to one thread at a time (see
    :class:`edgecam.app.control.AppControl`); everything else may be read by any thread.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._apply: dict[str, list[Apply]] = {}

    @property
    def config(self) -> Config:
        """The settings that hold now. Immutable."""
        return self._config

    def values(self) -> Mapping[str, object]:
        """The live settings' values now, by name."""
        config = self._config
        return MappingProxyType({name: getattr(config, name) for name in LIVE})

    def bind(self, names: Iterable[str], apply: Apply) -> None:
        """Have ``apply`` called whenever one of ``names`` changes. Raises ValueError for one not live."""
        for name in names:
            if name not in LIVE:
                raise ValueError(f"setting '{name}' is not live: mark it in edgecam.config.schema")
            self._apply.setdefault(name, []).append(apply)

    def change(self, wanted: Mapping[str, object], *, whole: bool = False) -> Changes:
        """Set what can be set; the rest is refused with a sentence each.

        What fits only together (a rule and the zone that it names) is taken together. whole: all or nothing,
        as a file that is read again.
        """
        before = self._config
        fitting: dict[str, object] = {}
        refused: dict[str, str] = {}
        for name, value in wanted.items():
            try:
                fitting[name] = _parsed(name, value)
            except EdgecamError as error:
                refused[name] = str(error)
        applied = fitting
        if (whole and refused) or not self._takes(fitting):
            applied, why_not = self._take_each(fitting)
            refused |= why_not
        if whole and refused:
            self._take({name: getattr(before, name) for name in applied})
            applied = {}
        return Changes(MappingProxyType(applied), MappingProxyType(refused))

    def _take_each(self, values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
        """Take over those settings that fit, in whatever order they do; what is refused, and why."""
        taken: dict[str, object] = {}
        while True:
            refused: dict[str, str] = {}
            before = len(taken)
            for name in (name for name in LIVE if name in values and name not in taken):
                try:
                    self._take({name: values[name]})
                    taken[name] = values[name]
                except EdgecamError as error:
                    refused[name] = str(error)
            if not refused or len(taken) == before:
                return taken, refused

    def _takes(self, values: Mapping[str, object]) -> bool:
        try:
            self._take(values)
        except EdgecamError:
            return False
        return True

    def _take(self, values: Mapping[str, object]) -> None:
        """Take over all of them, or raise the first refusal and leave everything as it was."""
        before = self._config
        later = msgspec.structs.replace(before, **values)
        acting: list[Apply] = []
        for name in values:
            if getattr(later, name) != getattr(before, name):
                acting += [apply for apply in self._apply.get(name, ()) if apply not in acting]
        for index, apply in enumerate(acting):
            try:
                apply(later)
            except EdgecamError:
                for done in acting[:index]:
                    done(before)
                raise
        self._config = later

    def differing(self, config: Config) -> list[str]:
        """The settings in which ``config`` differs and that need a restart."""
        mine = self._config
        return [
            name
            for name in config.__struct_fields__
            if name not in LIVE and getattr(config, name) != getattr(mine, name)
        ]


def _parsed(name: str, value: object) -> object:
    """The value that a live setting would have. Raises ConfigError."""
    option = _OPTIONS.get(name)
    if option is None:
        raise ConfigError(f"there is no setting '{name}'{suggest(name, LIVE)}")
    if not option.live:
        raise ConfigError(f"'{name}' cannot change while edgecam runs; restart it with another value")
    return option.default if value is None else parse_one(option, value, name)
