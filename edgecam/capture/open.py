"""From what the user typed to an open source."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import cast

from edgecam import plugins
from edgecam.capture.options import SourceOptions
from edgecam.capture.plugin_source import PluginSource
from edgecam.capture.uri import IMAGE_SUFFIXES, SCHEMES, is_network, query_of, redact
from edgecam.core.errors import SourceOpenError, suggest
from edgecam.core.ports import Source
from edgecam.plugins import Plugin, PluginError


def open_source(uri: str | Path | int, options: SourceOptions | None = None) -> Source:
    """Open ``uri``: a camera (also by its number), a file, a folder or glob of pictures, a stream,
    ``synthetic:`` or ``demo:``.

    Raises SourceOpenError (missing, busy, not permitted, not a camera, not a video), ConfigError (an option
    that does not exist) or MissingExtraError (a package that is not installed); each message says what to do.
    A live source is wrapped so that it reconnects when it is lost (``options.reconnect``).
    """
    options, uri = options or SourceOptions(), plain_uri(str(uri))
    if not uri.strip():
        raise SourceOpenError("No source was given; try --source demo: or --source /dev/video0.")
    source = _open(uri, options)
    if not options.rotate and not options.mirror:
        return source
    from edgecam.capture.oriented import oriented  # needs OpenCV, which a camera may not

    return oriented(source, options.rotate, options.mirror)


def _open(uri: str, options: SourceOptions) -> Source:
    scheme, plugin = _scheme(uri)
    if plugin is not None:
        return _open_plugin(plugin, uri, options)
    return _open_path(uri[len("file:") :].removeprefix("//") if scheme == "file" else uri, options)


def _scheme(uri: str) -> tuple[str, Plugin | None]:
    """What stands before the colon, and who opens such sources; empty and None for a path."""
    scheme, colon, _ = uri.partition(":")
    scheme = scheme.lower()
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]+", scheme):
        return "", None
    return scheme, None if scheme == "file" else plugins.find("sources", scheme)


def _open_plugin(plugin: Plugin, uri: str, options: SourceOptions) -> Source:
    try:
        factory = plugin.load()
        if not _is_live(factory):
            return _made(plugin, uri, options)
        return _resilient(lambda: _made(plugin, uri, options), options, redact(uri) if "//" in uri else uri)
    except PluginError as error:
        raise SourceOpenError(str(error)) from error


def _made(plugin: Plugin, uri: str, options: SourceOptions) -> Source:
    try:
        if options.isolate and plugin.is_built_in and is_network(uri):
            from edgecam.capture.network.isolated import IsolatedStreamSource

            return IsolatedStreamSource(uri, options)
        source: Source = plugin.make(uri, options)
    except PluginError as error:
        raise SourceOpenError(str(error)) from error
    return source if plugin.is_built_in else cast(Source, PluginSource(plugin, source))


def _is_live(factory: object) -> bool:
    """Whether it opens cameras, which are reopened when they are lost: told by the class, or the function."""
    return bool(getattr(getattr(factory, "__self__", factory), "is_live", False))


def plain_uri(uri: str) -> str:
    """``demo:`` for ``demo`` and ``synthetic:`` for ``synthetic``, unless a file is called so."""
    return f"{uri}:" if uri in ("demo", "synthetic") and not Path(uri).exists() else uri


def check_source(uri: str, options: SourceOptions | None = None) -> None:
    """Raise at once for a path that does not exist, before anything slow is built for it; else do nothing."""
    uri = plain_uri(uri)
    scheme, plugin = _scheme(uri)
    if not uri.strip() or scheme == "file" or plugin is not None or glob.has_magic(uri):
        return
    path = Path(f"/dev/video{uri}") if uri.isdigit() else Path(uri).expanduser()
    options = options or SourceOptions()
    if not options.wait and not path.exists():
        _open_missing(path, uri, options)


def waits(uri: str) -> bool:
    """Whether the frames of ``uri`` wait for whoever reads them: a file, a generated world, no camera.

    Known before it is opened; for what does not exist the answer means nothing.
    """
    uri = plain_uri(uri)
    scheme, plugin = _scheme(uri)
    if scheme in ("demo", "synthetic"):
        return query_of(uri).get("live", "0") == "0"
    if plugin is not None:
        try:
            factory = plugin.load()
        except (ImportError, PluginError):
            return False  # told when it is opened
        return hasattr(getattr(factory, "__self__", factory), "is_live") and not _is_live(factory)
    if scheme == "file":
        return True
    path = Path(f"/dev/video{uri}") if uri.isdigit() else Path(uri).expanduser()
    return path.is_file() or path.is_dir() or (glob.has_magic(uri) and not path.is_relative_to("/dev"))


def _resilient(opener: Callable[[], Source], options: SourceOptions, name: str) -> Source:
    from edgecam.capture.live.reconnect import ReconnectingSource

    return ReconnectingSource.wrap(opener, options, name)


def _open_path(text: str, options: SourceOptions) -> Source:
    path = Path(f"/dev/video{text}") if text.isdigit() else Path(text).expanduser()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return _open_missing(path, text, options)
    except PermissionError:
        raise SourceOpenError(f"{path}: no permission to look there; check the folder's owner.") from None
    except OSError as error:
        raise SourceOpenError(f"{path}: {error.strerror}.") from None
    except ValueError:
        raise SourceOpenError(f"{text!r} has a NUL character in it; no file has such a name.") from None
    if stat.S_ISDIR(mode):
        from edgecam.capture.files.pictures import ImagesSource

        return ImagesSource.from_folder(path, options)
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        from edgecam.capture.v4l2.source import V4L2Source

        return _resilient(lambda: V4L2Source(str(path), options), options, str(path))
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise SourceOpenError(f"{path} is neither a file nor a folder nor a camera.")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        from edgecam.capture.files.pictures import ImagesSource

        return ImagesSource((path,), str(path), options)
    from edgecam.capture.files.video import FileSource

    return FileSource(path, options)


def _open_missing(path: Path, text: str, options: SourceOptions) -> Source:
    if glob.has_magic(text):
        from edgecam.capture.files.pictures import ImagesSource

        return ImagesSource.from_glob(text, options)
    if path.is_relative_to("/dev"):
        if options.wait:
            from edgecam.capture.v4l2.source import V4L2Source

            return _resilient(lambda: V4L2Source(str(path), options), options, str(path))
        there = sorted(Path("/dev").glob("video*"), key=lambda p: (len(p.name), p.name))
        cameras = (
            f"there are {', '.join(map(str, there))}" if there else "this machine has no /dev/video* at all"
        )
        raise SourceOpenError(
            f"{path} does not exist: {cameras}; check the cable, and `edgecam devices` for what is connected."
        )
    scheme, colon, _ = text.partition(":")
    if colon and scheme.isalpha() and len(scheme) > 1:
        known = (*SCHEMES, *plugins.added("sources"))
        raise SourceOpenError(
            f"{redact(text) if '//' in text else text!r}: unknown kind of source {scheme!r}"
            f"{suggest(scheme, known)} (known: {', '.join(s + ':' for s in known)}, a file, a folder, "
            "/dev/videoN)."
        )
    parent = path.parent
    if not parent.is_dir():
        raise SourceOpenError(f"{path} does not exist: there is no folder {parent}.")
    near = (
        suggest(path.name, [entry.name for entry in parent.iterdir()]) if os.access(parent, os.R_OK) else ""
    )
    raise SourceOpenError(f"{path} does not exist{near or '; check the spelling.'}")
