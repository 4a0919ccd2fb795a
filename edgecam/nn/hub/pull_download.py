"""Fetch one file over HTTP: downloads resume, are verified, and appear atomically. Needs no torch."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from edgecam.core.errors import EdgecamError, ModelError
from edgecam.core.units import whole_within

#: (bytes done, total bytes, or None if the server does not say)
Progress = Callable[[int, int | None], None]

TIMEOUT_S = 30.0
#: The size limit of a download in bytes; the largest file in the registry has a tenth of it.
DOWNLOAD_BYTES = 1 << 30
_CHUNK = 1 << 16
_POINTER = re.compile(r"oid sha256:([0-9a-f]{64})")


class DownloadError(EdgecamError, OSError):
    """The file could not be fetched: no network, no such file, a broken connection, or a full disk."""


class _Response(Protocol):
    status: int

    def read(self, amount: int) -> bytes: ...
    def getheader(self, name: str) -> str | None: ...
    def __enter__(self) -> _Response: ...
    def __exit__(self, *_: object) -> None: ...


def cache_folder() -> Path:
    """The folder of unfinished downloads, kept for another attempt: ``$XDG_CACHE_HOME/edgecam/downloads``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "edgecam" / "downloads"


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def published_sha256(hash_url: str) -> str:
    """The SHA-256 that a Git LFS server publishes for a file, read from its pointer.

    Raises :class:`DownloadError` if it is not available: an unverified file is not used.
    """
    with _open(hash_url, {}) as response:
        found = _POINTER.search(response.read(4096).decode("ascii", "replace"))
    if found is None:
        raise DownloadError(
            f"{hash_url} gives no SHA-256 to verify the download with; fetch the file yourself and use --from"
        )
    return found.group(1)


def check(path: Path, sha256: str, name: str) -> None:
    """Raise :class:`ModelError` unless the file's SHA-256 begins with ``sha256`` (8 to 64 hex digits)."""
    if not re.fullmatch(r"[0-9a-f]{8,64}", sha256):
        raise ValueError(f"not a SHA-256 or its prefix: {sha256!r}")
    found = sha256_of(path)
    if not found.startswith(sha256):
        raise ModelError(
            f"{name} has the SHA-256 {found[:16]}…, but {sha256[:16]} was published: "
            "the file is damaged or another one; it is not used"
        )


def fetch(url: str, target: Path, progress: Progress) -> None:
    """Download ``url`` to ``target``, resuming where an earlier attempt stopped.

    The partial file is beside the target as ``*.part``, with the server's ETag. It is kept when the network
    fails and deleted when the disk is full. Raises :class:`DownloadError` with a message of one sentence.
    """
    part = target.with_name(target.name + ".part")
    tag_file = target.with_name(target.name + ".etag")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        done = part.stat().st_size if part.exists() and tag_file.exists() else 0
        headers = {"Range": f"bytes={done}-", "If-Range": tag_file.read_text()} if done else {}
        with _open(url, headers) as response:
            _receive(response, url, part, tag_file, progress)
        part.replace(target)
        tag_file.unlink(missing_ok=True)
    except DownloadError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            part.unlink(missing_ok=True)
            tag_file.unlink(missing_ok=True)
            raise DownloadError(
                f"the disk with {part.parent} is full: free some space and run the command again"
            ) from error
        raise DownloadError(f"{part} cannot be written ({error.strerror or error})") from error


def _receive(response: _Response, url: str, part: Path, tag_file: Path, progress: Progress) -> None:
    resumed = response.status == 206
    done = part.stat().st_size if resumed else 0
    length = response.getheader("Content-Length")
    more = None if length is None else whole_within(length, 0, 1 << 62)
    total = None if more is None else done + more
    _check_size(total or 0, url, part, tag_file)
    tag = response.getheader("ETag")
    if tag and not tag.startswith("W/"):  # a weak tag guarantees nothing about bytes: start over next time
        tag_file.write_text(tag)
    else:
        tag_file.unlink(missing_ok=True)
    progress(done, total)
    with part.open("ab" if resumed else "wb") as file:
        while True:
            try:
                chunk = response.read(_CHUNK)
            except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
                raise _broken(url, done, total) from error
            if not chunk:
                break
            done += len(chunk)
            _check_size(done, url, part, tag_file)
            file.write(chunk)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done != total:
        raise _broken(url, done, total)


def _check_size(size: int, url: str, *files: Path) -> None:
    if size > DOWNLOAD_BYTES:
        for file in files:
            file.unlink(missing_ok=True)
        raise DownloadError(
            f"{urlsplit(url).netloc} sends more than {DOWNLOAD_BYTES >> 20} MB, which no weights have; "
            "download the file yourself and use --from FILE"
        )


def _broken(url: str, done: int, total: int | None) -> DownloadError:
    of = f" of {total / 1e6:.1f}" if total else ""
    return DownloadError(
        f"the connection to {urlsplit(url).netloc} broke after {done / 1e6:.1f}{of} MB: "
        "run the command again, it goes on from there"
    )


class _SaferRedirections(urllib.request.HTTPRedirectHandler):
    """Follows redirections only to the same URL scheme or to https, so never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse the redirection, or follow it."""
        if urlsplit(newurl).scheme not in {urlsplit(req.full_url).scheme, "https"}:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_opener = urllib.request.build_opener(_SaferRedirections)


def _open(url: str, headers: dict[str, str]) -> _Response:
    request = urllib.request.Request(url, headers={"User-Agent": "edgecam", **headers})
    host = urlsplit(url).netloc
    try:
        return cast(_Response, _opener.open(request, timeout=TIMEOUT_S))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and headers:  # the partial file is as long as the file, or longer: start over
            return _open(url, {})
        raise DownloadError(
            f"{host} answers {error.code} {error.reason} for {url}: the address may have moved; "
            "download the file yourself and use --from FILE"
        ) from None
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"{host} cannot be reached ({reason}): check the network, or download {url} elsewhere and use "
            "--from FILE"
        ) from None
