"""From ``--source`` and what belongs to it to open sources, each with a name of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from edgecam.capture import SourceOptions
from edgecam.config import Config
from edgecam.config.credentials import read_credentials, with_credentials
from edgecam.core.errors import ConfigError
from edgecam.core.naming import short as short
from edgecam.core.ports import Source
from edgecam.core.types import Share
from edgecam.core.units import whole_within
from edgecam.overlay.style import Style

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
        isolate=isolates(config, os.environ),
        max_pixels=None if config.max_pixels is None else round(config.max_pixels * 1e6),
    )


def isolates(config: Config, environ: Mapping[str, str]) -> bool:
    """Whether network cameras are decoded in processes of their own.

    By itself where a crash would cost more than the picture that caused it: that of other sources, or of a
    service (systemd gives it INVOCATION_ID, and anybody who waits for its word NOTIFY_SOCKET).
    """
    if config.isolate != "auto":
        return config.isolate == "on"
    return len(config.source) > 1 or "INVOCATION_ID" in environ or "NOTIFY_SOCKET" in environ


def open_sources(config: Config, opener: Opener, undo: ExitStack, *, paced: bool) -> list[Source]:
    """Open them all; ``undo`` closes them again. Raises ConfigError, SourceOpenError or MissingExtraError.

    Two of one name are told apart everywhere, in JSON, clips and tiles: ``front``, ``front-2``.
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
