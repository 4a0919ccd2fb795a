"""All operations, in the order of the document."""

from __future__ import annotations

from typing import Any

from edgecam.web.api import cameras, clips, events, models, replays, settings, shares, system, tokens, zones
from edgecam.web.api.account import Account
from edgecam.web.api.openapi import document
from edgecam.web.api.operation import Call, Operation


def all_operations() -> list[Operation]:
    """A fresh table; each server counts its own attempts."""
    parts = (tokens, cameras, events, clips, shares, zones, replays, settings, system, models)
    table = [*Account().operations(), *(op for part in parts for op in part.operations())]

    def openapi(_: Call) -> dict[str, Any]:
        """What you are reading."""
        return document(table)

    table.append(
        Operation(
            "GET",
            "/api/openapi.json",
            "This document",
            openapi,
            None,
            dict[str, Any],
            on_loop=True,
            tag="api",
        )
    )
    return table
