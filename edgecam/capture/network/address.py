"""Addresses with a user and a password, which belong to one scheme, host and port and go nowhere else."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

#: Registered with IANA.
PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def origin(url: str) -> tuple[str, str, int]:
    """(scheme, host, port). Raises ValueError for what is no address of a network camera."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in PORTS or not parts.hostname:
        raise ValueError("not an address of a camera")
    return scheme, parts.hostname.lower(), parts.port or PORTS[scheme]


def redirected(url: str, location: str) -> str:
    """Where ``location``, a server's answer to ``url``, leads, with the credentials that belong there.

    Those of ``url`` go along only to the same scheme, host and port. Raises ValueError for an address that
    leads to no camera, from an encrypted connection to a plain one, or from elsewhere to this machine.
    """
    scheme = urlsplit(url).scheme.lower()
    if "://" not in location:  # urljoin knows http, but not rtsp
        bare = without_credentials(url).partition("://")[2]
        location = f"{scheme}://" + urljoin(f"http://{bare}", location).removeprefix("http://")
    there = origin(location)
    if scheme[:4] != there[0][:4] or (scheme.endswith("s") and not there[0].endswith("s")):
        raise ValueError(f"it redirects from {scheme} to {there[0]}")
    if _is_here(there[1]) and not _is_here(origin(url)[1]):  # to what only this machine may ask
        raise ValueError(f"it redirects to this machine itself ({there[1]})")
    parts, userinfo = urlsplit(location), urlsplit(url).netloc.rpartition("@")[0]
    if "@" in parts.netloc or not userinfo or there != origin(url):
        return location
    return _with_netloc(parts, f"{userinfo}@{parts.netloc}")


def _is_here(host: str) -> bool:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_loopback or found.is_unspecified


def without_credentials(url: str) -> str:
    """The address as it is sent in requests: no user, no password."""
    parts = urlsplit(url)
    return _with_netloc(parts, parts.netloc.rpartition("@")[2])


def _with_netloc(parts: SplitResult, netloc: str) -> str:
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))
