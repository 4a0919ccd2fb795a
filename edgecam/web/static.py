"""The page's own files, from the package: small, compressed once, with an entity tag each."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.responses import Response

from edgecam.web.guard import Receive, Scope, Send

PAGES = Path(__file__).parent / "pages"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
#: Below this, compressing gains nothing.
LEAST_BYTES = 400


@lru_cache(maxsize=1)
def files() -> dict[str, Path]:
    """Addresses and files; nothing else is ever opened for a path."""
    found = {
        "/" + path.relative_to(PAGES).as_posix(): path
        for path in sorted(PAGES.rglob("*"))
        if path.is_file() and path.suffix in _KINDS
    }
    found["/"] = PAGES / "index.html"
    return found


@lru_cache(maxsize=128)
def _content(path: Path, stamp: int) -> tuple[bytes, bytes, str]:
    del stamp  # a file that changed is another entry
    data = path.read_bytes()
    packed = gzip.compress(data, 9, mtime=0) if len(data) >= LEAST_BYTES and path.suffix != ".png" else b""
    return data, packed, f'"{hashlib.sha256(data).hexdigest()[:20]}"'


async def serve(scope: Scope, receive: Receive, send: Send) -> bool:
    """Answer if the path is one of the page's files; False if not."""
    path = files().get(str(scope["path"]))
    if path is None or scope["method"] not in ("GET", "HEAD"):
        return False
    data, packed, tag = _content(path, path.stat().st_mtime_ns)
    given = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
    headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if given.get("if-none-match") == tag:
        await Response(status_code=304, headers=headers)(scope, receive, send)
        return True
    if packed and "gzip" in given.get("accept-encoding", ""):
        data, headers["content-encoding"] = packed, "gzip"
    response = Response(data, headers=headers, media_type=_KINDS[path.suffix])
    await response(scope, receive, send)
    return True
