"""The OpenAPI 3.1 document, made from the operations and their structs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from edgecam import __version__
from edgecam.web.api.operation import ID, Error, Operation

_REF = "#/components/schemas/{name}"


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document, as plain JSON data."""
    types: list[Any] = [Error]
    for op in operations:
        types += [t for t in (op.answer if op.media is None else None, op.query, op.body) if t is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    of = {_key(t): schema for t, schema in zip(types, schemas, strict=True)}
    queries = {op.query.__name__ for op in operations if op.query is not None}
    paths: dict[str, dict[str, Any]] = {}
    for op in operations:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, of, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edgecam",
            "version": __version__,
            "description": "Everything that the page can do. Errors are JSON with a sentence for people.",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}],
        "tags": [{"name": name} for name in dict.fromkeys(op.tag for op in operations)],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "edgecam"},
            },
        },
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(op: Operation, of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{ID}$"},
        }
        for name in re.findall(r"\{(\w+)\}", op.path)
    ]
    if op.query is not None:
        schema = components[op.query.__name__]
        for name, one in schema["properties"].items():
            required = name in schema.get("required", ())
            parameters.append({"name": name, "in": "query", "required": required, "schema": _plain(one)})
    content = (
        {"application/json": {"schema": of[_key(op.answer)]}}
        if op.media is None
        else {op.media: {"schema": {"type": "string", "format": "binary"}}}
    )
    fails = {404} if "{" in op.path else set()
    fails |= set(op.fails) | {400}
    if op.query is not None:
        fails |= {414, *({404} if "camera" in op.query.__struct_fields__ else ())}
    if op.body is not None:
        fails |= {413, 415}
    if op.role is not None:
        fails |= {401, 403}
    answers: dict[str, Any] = {"200": {"description": op.summary, "content": content}}
    for status in sorted(fails):
        answers[str(status)] = (
            {"description": _WORDS.get(status, "refused"), "content": _ERROR}
            if status not in (206, 304)
            else {"description": _WORDS[status], **({"content": content} if status == 206 else {})}
        )
    words = re.sub(r"[^a-z0-9]+", "_", op.path.lower().removeprefix("/api/")).strip("_")
    found: dict[str, Any] = {
        "operationId": f"{op.method.lower()}_{words}",
        "summary": op.summary,
        "description": (op.handler.__doc__ or "").strip(),
        "tags": [op.tag],
        "parameters": parameters,
        "responses": answers,
    }
    if op.role is None:
        found["security"] = []
    else:
        found["x-role"] = op.role
    if op.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": of[_key(op.body)]}},
        }
    return found


_ERROR = {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}
_WORDS = {
    206: "a part of it",
    304: "you have it already",
    400: "a value does not fit",
    401: "not logged in",
    403: "not allowed",
    404: "there is no such thing",
    409: "not possible now",
    413: "too long",
    414: "the query is too long",
    415: "not JSON",
    416: "no such part",
    429: "too often; wait",
    503: "not ready",
}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter's schema: a value that may be left out need not be null as well."""
    options = schema.get("anyOf")
    if options:
        kept = [option for option in options if option.get("type") != "null"]
        if len(kept) == 1:
            rest = {k: v for k, v in schema.items() if k not in ("anyOf", "default")}
            return {**kept[0], **rest}
    return {k: v for k, v in schema.items() if k != "default" or v is not None}
