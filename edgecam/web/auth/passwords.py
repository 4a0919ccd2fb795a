"""Passwords by scrypt (RFC 7914), and random tokens that are kept only as their hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from edgecam.core.errors import ConfigError

#: OWASP's second choice for scrypt (Password Storage Cheat Sheet): 32 MiB, about 80 ms on a desktop; a small
#: board has memory for one at a time.
N, R, P = 2**15, 8, 3
_MEMORY = 128 * N * R * P + 64 * 2**20
LEAST_CHARS = 8
MOST_CHARS = 256


def check_strength(password: str) -> None:
    """Raises ConfigError for one that is too short, too long, or a single character repeated."""
    if len(password) < LEAST_CHARS:
        raise ConfigError(f"the password has {len(password)} characters; take at least {LEAST_CHARS}")
    if len(password) > MOST_CHARS:
        raise ConfigError(f"the password has {len(password)} characters; {MOST_CHARS} are the most")
    if len(set(password)) < 4:
        raise ConfigError("the password repeats the same few characters; take a longer phrase")


def hash_password(password: str) -> str:
    """``scrypt$n$r$p$salt$hash``; raises ConfigError for a weak password."""
    check_strength(password)
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=N, r=R, p=P, maxmem=_MEMORY, dklen=32)
    return "$".join(("scrypt", str(N), str(R), str(P), _text(salt), _text(digest)))


def verify_password(password: str, stored: str) -> bool:
    """Whether the password is right. Takes as long for a wrong one as for the right one."""
    try:
        kind, n, r, p, salt, digest = stored.split("$")
        if kind != "scrypt" or len(password) > MOST_CHARS:
            return False
        cost = {"n": int(n), "r": int(r), "p": int(p)}
        memory = 128 * cost["n"] * cost["r"] * cost["p"] + 64 * 2**20
        if memory > 512 * 2**20:
            return False
        found = hashlib.scrypt(password.encode(), salt=_bytes(salt), maxmem=memory, dklen=32, **cost)
        return hmac.compare_digest(found, _bytes(digest))
    except (ValueError, TypeError):
        return False


def new_secret() -> str:
    """256 random bits that fit into a header, a cookie and an address."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """How a random secret is kept: its SHA-256; a secret of 256 bits needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
