"""Plug-ins that take results (``--sink NAME:ARGUMENT``) or events (a rule's action)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from edgecam import plugins
from edgecam.core.errors import ConfigError, EdgecamError, suggest
from edgecam.core.types import Result
from edgecam.pipeline.fanout import SinkLane, Takes
from edgecam.plugins import Plugin, PluginError

log = logging.getLogger(__name__)


T = TypeVar("T")


class PluginSink(Generic[T]):
    """Implements Sink and EventSink of :mod:`edgecam.core.ports`.

    What fails after the start is told once, then left out.
    """

    def __init__(self, plugin: Plugin, sink: Takes[T]) -> None:
        self._plugin, self._sink, self._failed = plugin, sink, False

    def open(self) -> None:
        """Open it. Raises ConfigError, since whoever asked for it is still there to read that."""
        try:
            self._plugin.call(self._sink.open)
        except PluginError as error:
            raise ConfigError(str(error)) from error

    def write(self, item: T, /) -> None:
        """Pass the item on, unless the plug-in has failed before."""
        if not self._failed:
            self._guard(lambda: self._sink.write(item))

    def close(self) -> None:
        """Close it, even after it failed: it may still hold something open."""
        self._guard(self._sink.close)

    def _guard(self, function: Callable[[], None]) -> None:
        try:
            self._plugin.call(function)
        except EdgecamError as error:
            if not self._failed:
                log.error("%s; the run goes on without it", error)
            self._failed = True


def plugin_sink(plugin: Plugin, argument: str) -> PluginSink[Any]:
    """What ``plugin`` gives for ``argument``, its later faults kept from the run. Raises ConfigError."""
    try:
        return PluginSink(plugin, plugin.make(argument))
    except PluginError as error:
        raise ConfigError(str(error)) from error


def open_plugin_sinks(
    wanted: Sequence[str], *, lossless: bool, undo: Callable[[Callable[[], None]], object]
) -> list[SinkLane]:
    """A lane for each of ``wanted``. undo: told how to close what was opened.

    Raises ConfigError for a name that nobody has, or a plug-in that does not start.
    """
    lanes = []
    for text in wanted:
        name, _, argument = text.partition(":")
        plugin = plugins.added("sinks").get(name)
        if plugin is None:
            there = sorted(plugins.added("sinks"))
            hint = f"(installed: {', '.join(there)})" if there else "(no package with a sink is installed)"
            raise ConfigError(
                f"--sink '{name}' is not known{suggest(name, there)} {hint}; see edgecam plugins"
            )
        sink: PluginSink[Result] = plugin_sink(plugin, argument)
        sink.open()
        undo(sink.close)
        lanes.append(SinkLane(sink, name, lossless=lossless))
    return lanes
