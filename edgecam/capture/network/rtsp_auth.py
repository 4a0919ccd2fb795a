"""Basic and Digest answers to a server's challenge, in RTSP and HTTP (RFC 2617, RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import os

from edgecam.capture.limits import CHALLENGE_FIELDS


def parse_fields(text: str) -> dict[str, str]:
    """``name=value, name="quoted value"`` as a dict with lower-case names, in one pass over the text."""
    fields: dict[str, str] = {}
    at, end = 0, len(text)
    while at < end and len(fields) < CHALLENGE_FIELDS:
        equals = text.find("=", at)
        if equals < 0:
            break
        name = text[at:equals].rpartition(",")[2].strip(" \t,").lower()
        at = equals + 1
        while at < end and text[at] in " \t":
            at += 1
        if at < end and text[at] == '"':
            close = text.find('"', at + 1)
            close = end if close < 0 else close
            value, at = text[at + 1 : close], close + 1
        else:
            comma = text.find(",", at)
            comma = end if comma < 0 else comma
            value, at = text[at:comma].strip(), comma + 1
        if name and " " not in name:
            fields[name] = value
    return fields


def authorization(challenges: list[str], user: str, password: str, method: str, uri: str) -> str | None:
    """The Authorization header for the best challenge that is known (RFC 2617, 7616), or None."""
    for challenge in sorted(challenges, key=lambda text: not text.lower().startswith("digest")):
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if scheme.lower() != "digest":
            continue
        fields = parse_fields(rest)
        algorithm = fields.get("algorithm", "MD5")
        make = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}.get(algorithm.upper())
        if make is None:
            continue

        def digest(text: str, make: object = make) -> str:
            return str(make(text.encode()).hexdigest())  # type: ignore[operator]

        secret = digest(f"{user}:{fields.get('realm', '')}:{password}")
        action = digest(f"{method}:{uri}")
        nonce = fields.get("nonce", "")
        answer = f'Digest username="{user}", realm="{fields.get("realm", "")}", nonce="{nonce}", uri="{uri}"'
        if "auth" in fields.get("qop", "").replace(" ", "").split(","):
            own = os.urandom(8).hex()
            response = digest(f"{secret}:{nonce}:00000001:{own}:auth:{action}")
            answer += f', qop=auth, nc=00000001, cnonce="{own}"'
        else:
            response = digest(f"{secret}:{nonce}:{action}")
        answer += f', response="{response}"'
        if "opaque" in fields:
            answer += f', opaque="{fields["opaque"]}"'
        return answer + (f", algorithm={algorithm}" if "algorithm" in fields else "")
    return None
