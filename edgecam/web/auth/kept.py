"""What the file of accesses holds: sessions, tokens, pairings and shares; of secrets only the hashes."""

from __future__ import annotations

import msgspec

from edgecam.web.auth.access import Role


class Session(msgspec.Struct):
    """A browser that is logged in."""

    hash: str
    role: Role
    created: float
    expires: float
    cameras: tuple[str, ...] | None = None
    agent: str = ""


class Token(msgspec.Struct):
    """A program's token. ``id`` names it in lists and is no secret."""

    id: str
    name: str
    hash: str
    role: Role
    created: float
    expires: float | None = None
    cameras: tuple[str, ...] | None = None


class Pairing(msgspec.Struct):
    """A one-time way in, for a phone."""

    hash: str
    role: Role
    expires: float


class Share(msgspec.Struct):
    """One clip or event that may be seen by whoever has the link, until it ends."""

    hash: str
    what: str
    created: float
    expires: float


class Kept(msgspec.Struct):
    """The file."""

    version: int = 1
    password: str | None = None
    sessions: list[Session] = msgspec.field(default_factory=list)
    tokens: list[Token] = msgspec.field(default_factory=list)
    pairings: list[Pairing] = msgspec.field(default_factory=list)
    shares: list[Share] = msgspec.field(default_factory=list)
