"""Tokens: keys for programs, each with a role, an end and its cameras."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edgecam.core.errors import ConfigError
from edgecam.web.api.operation import ApiError, Call, Done, Operation
from edgecam.web.auth.access import Role

Name = Annotated[str, Meta(min_length=1, max_length=60)]
CameraIds = Annotated[list[Annotated[str, Meta(max_length=80)]], Meta(min_length=1, max_length=64)]


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """A key for a program. days: until it ends; null for never. cameras: ids; null for all."""

    name: Name
    role: Role = "viewer"
    days: Annotated[float, Meta(gt=0, le=3650)] | None = None
    cameras: CameraIds | None = None


class TokenRow(msgspec.Struct):
    """A token without its secret. Times are seconds since 1970."""

    id: str
    name: str
    role: Role
    created: float
    expires: float | None
    cameras: list[str] | None


class MadeToken(msgspec.Struct):
    """The secret is shown once and kept nowhere."""

    token: str
    row: TokenRow


def operations() -> list[Operation]:
    """The rows of this part."""
    make, tag = Operation, "account"
    return [
        make("GET", "/api/tokens", "List the tokens", tokens, "admin", list[TokenRow], tag=tag),
        make(
            *("POST", "/api/tokens", "Make a token", make_token, "admin", MadeToken),
            body=NewToken,
            tag=tag,
            fails=(409,),
        ),
        make("DELETE", "/api/tokens/{token}", "Revoke a token", revoke, "admin", tag=tag, fails=(409,)),
    ]


def tokens(call: Call) -> list[TokenRow]:
    """Without their secrets, which nobody has but their programs."""
    return [_row(token) for token in call.site.store.look(lambda kept: list(kept.tokens))]


def _row(token: object) -> TokenRow:
    return msgspec.convert(
        {name: getattr(token, name) for name in TokenRow.__struct_fields__}, TokenRow, from_attributes=True
    )


def make_token(call: Call) -> MadeToken:
    """The answer holds the secret, this once."""
    body: NewToken = call.body
    cameras = None if body.cameras is None else tuple(body.cameras)
    for camera in cameras or ():
        if call.site.camera(camera) is None:
            raise ConfigError(f"there is no camera '{camera}'")
    row, secret = call.site.store.new_token(body.name, body.role, days=body.days, cameras=cameras)
    return MadeToken(secret, _row(row))


def revoke(call: Call) -> Done:
    """From now on it opens nothing."""
    if not call.site.store.revoke_token(call.path["token"]):
        raise ApiError(404, "there is no such token")
    return Done("revoked")
