"""Basic and Digest answers to an RTSP server's challenge (RFC 2617, RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import os
import re


def authorization(challenges: list[str], user: str, password: str, method: str, uri: str) -> str | None:
    """The Authorization header for the best challenge that is known (RFC 2617, 7616), or None."""
    for challenge in sorted(challenges, key=lambda text: not text.lower().startswith("digest")):
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if scheme.lower() != "digest":
            continue
        fields = {key.lower(): quoted or bare for key, quoted, bare in _FIELD.findall(rest)}
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


_FIELD = re.compile(r'([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
