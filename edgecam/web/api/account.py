"""Logging in and out, pairing a phone, the password."""

from __future__ import annotations

import io
import re
import threading
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import JSONResponse, Response

from edgecam.web.address import host_allowed, lan_addresses, parse_address
from edgecam.web.api.operation import ApiError, Call, Operation
from edgecam.web.auth.access import Role
from edgecam.web.auth.login import Attempts
from edgecam.web.auth.passwords import check_strength, verify_password
from edgecam.web.auth.store import PAIRING_S, SESSION_S

Secret = Annotated[str, Meta(min_length=1, max_length=256)]


class Me(msgspec.Struct):
    """Who asks. ``kind`` is null for somebody who has to log in."""

    role: Role | None
    kind: str | None
    name: str
    has_password: bool
    version: str
    cameras: list[str]
    features: list[str]


class Login(msgspec.Struct, forbid_unknown_fields=True):
    """The owner's password."""

    password: Secret


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    """A one-time token from the board's screen; a new password, where the board has none yet."""

    token: Secret
    password: Annotated[str, Meta(max_length=256)] | None = None


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """The old one may only be left out where there is none."""

    password: Secret
    old: Annotated[str, Meta(max_length=256)] | None = None


class NewPairing(msgspec.Struct, forbid_unknown_fields=True):
    """What the paired phone may do."""

    role: Role = "admin"


class MadePairing(msgspec.Struct):
    """The address for the phone, the same as a QR code (SVG; null without segno), and for how long.

    url: the whole of it. here_only: the page listens on this machine only, so no phone reaches it.
    """

    path: str
    seconds: float
    svg: str | None
    url: str
    here_only: bool


class Account:
    """Holds what log-in counts: tries, and the one password check that runs at a time."""

    def __init__(self, attempts: Attempts | None = None) -> None:
        self.attempts = attempts or Attempts()
        self._one = threading.Lock()

    def operations(self) -> list[Operation]:
        """The rows of this part."""
        make, tag = Operation, "account"
        return [
            make("GET", "/api/me", "Who asks", me, None, Me, on_loop=True, tag=tag),
            make(
                "POST", "/api/login", "Log in", self.login, None, body=Login, tag=tag, fails=(401, 409, 429)
            ),
            make("POST", "/api/logout", "Log out", logout, "viewer", tag=tag, fails=(409,)),
            make(
                "POST",
                "/api/pair",
                "Pair a phone",
                self.pair,
                None,
                body=Pair,
                tag=tag,
                fails=(401, 409, 429),
            ),
            make(
                *("PUT", "/api/password", "Set the password", self.set_password, "admin"),
                body=NewPassword,
                tag=tag,
                fails=(409, 429),
            ),
            make(
                *("POST", "/api/pairings", "Begin to pair a phone", new_pairing, "admin", MadePairing),
                body=NewPairing,
                tag=tag,
                fails=(409,),
            ),
        ]

    def _try(self, call: Call, password: str) -> None:
        wait = self.attempts.wait_s(call.client)
        if wait > 0:
            raise ApiError(429, f"too many wrong passwords; wait {wait:.0f} s", wait)
        with self._one:
            stored = call.site.store.look(lambda kept: kept.password)
            good = stored is not None and verify_password(password, stored)
        if not good:
            self.attempts.wrong(call.client)
            raise ApiError(401, "the password is wrong")
        self.attempts.right(call.client)

    def login(self, call: Call) -> Response:
        """Answers with the session's cookie."""
        if not call.site.store.has_password:
            raise ApiError(409, "this board has no password yet; set one with: edgecam web password")
        self._try(call, call.body.password)
        return _welcome(call, "admin")

    def pair(self, call: Call) -> Response:
        """Uses the token up and answers with a session's cookie."""
        wait = self.attempts.wait_s(call.client)
        if wait > 0:
            raise ApiError(429, f"too many wrong tokens; wait {wait:.0f} s", wait)
        store, password = call.site.store, call.body.password
        if not store.has_password and not password:
            raise ApiError(409, "choose a password for this board")
        if not store.has_password and password:
            check_strength(password)  # before the code is used up
        role = store.take_pairing(call.body.token)
        if role is None:
            self.attempts.wrong(call.client)
            raise ApiError(401, "this code was used or has expired; take a new one from the board")
        if not store.has_password and password:
            store.set_password(password)
        return _welcome(call, role)

    def set_password(self, call: Call) -> Response:
        """Ends every session, and answers with a new one."""
        store = call.site.store
        if store.has_password:
            self._try(call, call.body.old or "")
        store.set_password(call.body.password)
        return _welcome(call, "admin")


def me(call: Call) -> Me:
    """What the page asks first."""
    who = call.identity
    seen = [c.id for c in call.site.cameras if who is not None and who.sees(c.id)]
    return Me(
        None if who is None else who.role,
        None if who is None else who.kind,
        "" if who is None else who.name,
        call.site.store.has_password,
        call.site.version if who is not None else "",
        seen,
        list(call.site.features) if who is not None else [],
    )


def logout(call: Call) -> Response:
    """Ends the session, and takes the cookie back."""
    if call.cookie:
        call.site.store.end_session(call.cookie)
    response = JSONResponse({"message": "logged out"})
    response.set_cookie(
        _cookie_name(call), "", max_age=0, path="/", httponly=True, samesite="strict", secure=call.secure
    )
    return response


def _cookie_name(call: Call) -> str:
    return "__Host-edgecam" if call.secure else "edgecam"


def _welcome(call: Call, role: Role) -> Response:
    secret = call.site.store.new_session(role, call.headers.get("user-agent", ""))
    response = JSONResponse({"message": "welcome"})
    response.set_cookie(
        *(_cookie_name(call), secret),
        max_age=int(SESSION_S),
        path="/",
        httponly=True,
        samesite="strict",
        secure=call.secure,
    )
    return response


def new_pairing(call: Call) -> MadePairing:
    """For another phone: show the code, or send the address."""
    secret = call.site.store.new_pairing(call.body.role)
    path = f"/#/pair/{secret}"
    url = f"{'https' if call.secure else 'http'}://{_host_for_others(call)}{path}"
    return MadePairing(path, PAIRING_S, qr_svg(url), url, _here_only(call))


def _here_only(call: Call) -> bool:
    return parse_address(call.site.config.web or "").loopback


def _host_for_others(call: Call) -> str:
    """The Host that was asked for, or the network's address where the browser runs on the board itself."""
    asked = call.headers.get("host", "")
    inside = host_allowed(asked, frozenset(), loopback_only=True) and not _here_only(call)
    if inside and (lan := lan_addresses()):
        port = re.search(r":\d+$", asked)
        return (f"[{lan[0]}]" if ":" in lan[0] else lan[0]) + (port[0] if port else "")
    return asked


def qr_svg(text: str) -> str | None:
    """A QR code as an SVG document; None without the package segno."""
    try:
        import segno
    except ImportError:
        return None
    made = io.BytesIO()
    segno.make(text, error="m").save(
        made, kind="svg", scale=4, border=2, dark="#101218", light="#ffffff", xmldecl=False
    )
    return made.getvalue().decode()
