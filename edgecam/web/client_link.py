"""How a program reaches a board: one request at a time, with its token, by HTTP or HTTPS."""

from __future__ import annotations

import contextlib
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from edgecam.core.errors import EdgecamError
from edgecam.web.api.operation import Error

_T = TypeVar("_T")
#: The longest answer that is read whole; videos are read in pieces.
MOST_BYTES = 64 << 20


class RefusedError(EdgecamError):
    """The board refused. ``status``: as of HTTP; 0 if it did not answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: no board sends one, and urllib would take the token along."""

    def redirect_request(self, *_: Any) -> None:
        """Leave the answer as it is, an error."""


class Link:
    """One board; see :class:`edgecam.web.client.Client`."""

    def __init__(
        self, url: str, *, token: str | None = None, certificate: str | None = None, timeout_s: float = 20.0
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._timeout_s = timeout_s
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.create_default_context(cafile=certificate)
            self._tls.check_hostname = False  # the certificate itself is pinned
            self._tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # whatever it says of its use
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self._tls), _NoRedirection
        )

    def _json(
        self, method: str, path: str, kind: type[_T], *, query: dict[str, Any] | None = None, body: Any = None
    ) -> _T:
        try:
            return msgspec.json.decode(self._bytes(method, path, query=query, body=body), type=kind)
        except msgspec.DecodeError as error:
            raise RefusedError(0, f"{self.url} answered something else than edgecam does: {error}") from error

    def _bytes(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, body: Any = None
    ) -> bytes:
        with self._open(method, path, query=query, body=body) as answer:
            data: bytes = answer.read(MOST_BYTES)
            return data

    @contextlib.contextmanager
    def _open(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, body: Any = None
    ) -> Iterator[Any]:
        given = {k: v for k, v in (query or {}).items() if v is not None}
        address = f"{self.url}/api/{path}" + (f"?{urlencode(given)}" if given else "")
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(address, data, dict(self._headers), method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with contextlib.suppress(msgspec.DecodeError):
                message = msgspec.json.decode(error.read(65536), type=Error).error
                raise RefusedError(error.code, message) from None
            raise RefusedError(error.code, f"{self.url} answered {error.code}") from None
        except OSError as error:
            raise RefusedError(0, f"{self.url} does not answer: {error}") from error
