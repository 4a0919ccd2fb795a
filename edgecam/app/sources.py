"""From ``--source`` and what belongs to it to open sources, each with a name of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from edgecam.capture import SourceOptions
from edgecam.capture.uri import is_network
from edgecam.config import Config
from edgecam.config.credentials import read_credentials, with_credentials
from edgecam.core.errors import ConfigError
from edgecam.core.naming import short as short
from edgecam.core.ports import Source
from edgecam.core.types import Share
from edgecam.core.units import whole_within
from edgecam.overlay.style import Style

log = logging.getLogger(__name__)

Opener = Callable[[str, SourceOptions], Source]


def source_options(config: Config, *, paced: bool) -> SourceOptions:
    """What the settings ask of every source. Raises ConfigError."""
    controls = {}
    for control in config.control:
        name, equals, value = control.partition("=")
        if not equals:
            raise ConfigError(f"--control '{control}' has no value; write NAME=VALUE, such as exposure=200")
        controls[name.strip()] = value.strip()
    reconnect: str | int = config.reconnect
    tries = whole_within(config.reconnect, 0, 10**9)
    if tries is not None:
        reconnect = tries
    elif config.reconnect not in ("forever", "off"):
        raise ConfigError(f"--reconnect '{config.reconnect}' must be forever, off or a number of tries")
    return SourceOptions(
        size_wh=config.size,
        rate_hz=config.rate,
        paced=paced,
        loop=config.loop,
        wait=config.wait,
        rtsp_transport=config.rtsp_transport,
        certificate=config.camera_certificate,
        controls=controls,
        reconnect=reconnect,
        frozen_after_s=config.frozen_after,
        rotate=int(config.rotate),
        mirror=config.mirror,
        isolate=isolates(config),
        max_pixels=None if config.max_pixels is None else round(config.max_pixels * 1e6),
    )


def isolates(config: Config) -> bool:
    """Whether network cameras are decoded in processes of their own: wherever this Python can start one.

    A crash in a decoder would cost the whole run otherwise, its recording and its other sources. ConfigError.
    """
    if config.isolate == "off" or not any(is_network(uri) for uri in config.source):
        return False
    from edgecam.capture.network.decoder_processes import cannot_isolate

    why = cannot_isolate()
    if why and config.isolate == "on":
        raise ConfigError(f"--isolate on: {why}; --isolate auto does without")
    if why:
        log.warning("network cameras are decoded in the program itself: %s", why)
    return not why


def open_sources(config: Config, opener: Opener, undo: ExitStack, *, paced: bool) -> list[Source]:
    """Open all sources; ``undo`` closes them again. Raises ConfigError, SourceOpenError or MissingExtraError.

    Two sources with one name are told apart everywhere, in JSON, clips and tiles: ``front``, ``front-2``.
    """
    options = source_options(config, paced=paced)
    opened: list[Source] = []
    book = {} if config.credentials is None else read_credentials(config.credentials)
    for uri in (with_credentials(uri, book) for uri in config.source):
        source = undo.enter_context(opener(uri, options))
        name = unique(source.name, [other.name for other in opened])
        if name != source.name:
            source.rename(name)
        opened.append(source)
    return opened


def unique(name: str, taken: Sequence[str]) -> str:
    """``name``, or ``name-2``, ``name-3`` … if it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def style_of(config: Config, sources: Sequence[Source], credit: str) -> Style:
    """The overlay that the settings ask for, with what the sources say of themselves."""
    return Style(
        level=config.overlay,
        stamp=config.stamp,
        tentative=config.show == "tentative",
        areas=config.show_areas,
        credit=credit,
        names=tuple((source.name, short(source.name)) for source in sources),
        keep_clear=kept_clear(sources),
    )


def kept_clear(sources: Sequence[Source]) -> tuple[tuple[str, Share], ...]:
    """See :class:`edgecam.overlay.style.Style`."""
    found = ((source.name, source.keep_clear) for source in sources)
    return tuple((name, share) for name, share in found if share is not None)
