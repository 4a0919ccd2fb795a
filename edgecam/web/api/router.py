"""From a request to an operation's handler, and from its answer to a response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import Response

from edgecam.core.errors import ConfigError, EdgecamError
from edgecam.web.api.operation import ApiError, Call, Error, Operation
from edgecam.web.guard import Receive, Scope, Send
from edgecam.web.site import Site

log = logging.getLogger(__name__)

_ENCODER = msgspec.json.Encoder(
    enc_hook=lambda value: list(value) if isinstance(value, frozenset) else str(value)
)


class Api:
    """The operations under ``/api/``."""

    def __init__(self, site: Site, operations: Sequence[Operation]) -> None:
        self._site = site
        self._operations = tuple(operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            response = await self._answer(scope, receive)
        except ApiError as error:
            response = _error(error.status, str(error), error.retry_after_s)
        except ConfigError as error:
            response = _error(400, str(error))
        except EdgecamError as error:
            response = _error(409, str(error))
        response.headers.setdefault("cache-control", "no-store")
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        path, method = str(scope["path"]), str(scope["method"])
        wanted = "GET" if method == "HEAD" else method
        fitting = [(op, match) for op in self._operations if (match := op.pattern.fullmatch(path))]
        if not fitting:
            raise ApiError(404, "there is nothing at this address; see /api/openapi.json")
        found = next(((op, match) for op, match in fitting if op.method == wanted), None)
        if found is None:
            response = _error(405, f"{method[:20]} is not possible here")
            response.headers["allow"] = ", ".join(sorted({op.method for op, _ in fitting}))
            return response
        operation, match = found
        state = scope["state"]
        identity = state["identity"]
        if operation.role is not None:
            if identity is None:
                response = _error(401, "log in first")
                response.headers["www-authenticate"] = 'Bearer realm="edgecam"'
                return response
            if not identity.may(operation.role):
                raise ApiError(403, f"this needs the role {operation.role}; yours is {identity.role}")
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        call = Call(
            self._site,
            identity,
            match.groupdict(),
            headers,
            state["client"],
            state["secure"],
            state["cookie"],
        )
        call.query = _query(operation, scope["query_string"])
        call.body = await _body(operation, headers, receive)
        if operation.on_loop:
            result = operation.handler(call)
        else:
            result = await asyncio.get_running_loop().run_in_executor(None, operation.handler, call)
        if isinstance(result, Response):
            return result
        return Response(_ENCODER.encode(result), media_type="application/json")


def _query(operation: Operation, raw: bytes) -> Any:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), max_num_fields=30
        )
    except ValueError:
        raise ApiError(400, "the query after '?' is not NAME=VALUE&NAME=VALUE") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ApiError(400, "a name comes twice in the query")
    if operation.query is None:
        if given:
            raise ApiError(400, f"'{next(iter(given))[:40]}' is not known here; this address takes no query")
        return None
    empty = next((name for name, value in given.items() if value.lower() == "null"), None)
    if empty is not None:  # msgspec would take it for no value at all
        raise ApiError(400, f"'{empty[:40]}' is null; leave it out instead")
    try:
        return msgspec.convert(given, operation.query, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError(400, f"query: {error}") from None


async def _body(operation: Operation, headers: dict[str, str], receive: Receive) -> Any:
    data = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ApiError(400, "the request was cut short")
        data += message.get("body", b"")
        if not message.get("more_body"):
            break
    if operation.body is None:
        if data:
            raise ApiError(400, "this address takes no body")
        return None
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "send the body as application/json")
    try:
        return msgspec.json.decode(data, type=operation.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"body: {error}") from None


def _error(status: int, message: str, retry_after_s: float | None = None) -> Response:
    response = Response(_ENCODER.encode(Error(message)), status, media_type="application/json")
    if retry_after_s is not None:
        response.headers["retry-after"] = str(max(1, round(retry_after_s)))
    return response
