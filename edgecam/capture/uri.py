"""What ``--source`` may say: schemes, suffixes, addresses without their secrets, and typed options.

The options in ``synthetic:?size=640x480&rate=30`` are checked, with the nearest right name for a wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from edgecam.core.errors import ConfigError, suggest

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
STREAM_SCHEMES = frozenset({"rtsp", "rtsps", "http", "https"})
SCHEMES = (*sorted(STREAM_SCHEMES), "csi", "demo", "synthetic", "file")


def redact(uri: str) -> str:
    """``uri`` without user, password, and the query (where cameras put tokens); for every message and log."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # a port that is no number, a broken IPv6 address
        return uri.partition(":")[0] + "://…"
    host = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def is_network(uri: str) -> bool:
    """Whether ``uri`` is the address of a network camera or server."""
    return uri.partition(":")[0].lower() in STREAM_SCHEMES


def is_generated(uri: str) -> bool:
    """Whether edgecam makes the pictures itself (``demo:``, ``synthetic:``), so that there is no camera."""
    return uri.partition(":")[0].lower() in ("demo", "synthetic")


def query_of(uri: str) -> dict[str, str]:
    """The options after ``synthetic:`` or ``demo:``; the question mark may be left out. ConfigError."""
    scheme, _, rest = uri.partition(":")
    if not rest.strip("?/"):
        return {}
    try:
        pairs = parse_qsl(rest.lstrip("?/"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise ConfigError(f"{uri!r}: write options as {scheme}:?name=value&name=value.") from None
    return dict(pairs)


class Query:
    """Takes options one by one; what nobody took is an error."""

    def __init__(self, scheme: str, given: Mapping[str, str], known: tuple[str, ...]) -> None:
        self._scheme = scheme
        self._given = dict(given)
        for name in given:
            if name not in known:
                raise ConfigError(
                    f"{scheme}: has no option {name!r}{suggest(name, known)} (it has {', '.join(known)})."
                )

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number in [low, high]."""
        text = self._given.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ConfigError(f"{self._scheme}:?{name}={text}: give a number from {low:g} to {high:g}.")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise ConfigError(f"{self._scheme}:?{name}={value:g}: give a whole number.")
        return int(value)

    def size(self, name: str, default: tuple[int, int]) -> tuple[int, int]:
        """``WIDTHxHEIGHT`` in pixels, 96 to 7680 by 64 to 7680."""
        text = self._given.get(name)
        if text is None:
            return default
        width, _, height = text.lower().partition("x")
        if not (
            width.isdigit() and height.isdigit() and 96 <= int(width) <= 7680 and 64 <= int(height) <= 7680
        ):
            raise ConfigError(
                f"{self._scheme}:?{name}={text}: write it as 1280x720, from 96x64 to 7680x7680."
            )
        return int(width), int(height)

    def flag(self, name: str) -> bool:
        """0 or 1; present without a value is 1."""
        text = self._given.get(name, "0")
        if text not in ("", "0", "1"):
            raise ConfigError(f"{self._scheme}:?{name}={text}: give 0 or 1.")
        return text != "0"


def parse_number(name: str, given: str) -> Any:
    """A libcamera control's value: ``3`` → 3, ``0.5`` → 0.5, ``1.2,1.8`` → (1.2, 1.8), ``on`` → True.

    Raises ConfigError.
    """
    words = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
    parts: list[Any] = []
    for part in given.split(","):
        text = part.strip().lower()
        if text in words:
            parts.append(words[text])
            continue
        try:
            parts.append(float(text) if "." in text or "e" in text else int(text, 0))
        except ValueError:
            raise ConfigError(f"control {name}={given}: give a number, on or off.") from None
    return parts[0] if len(parts) == 1 else tuple(parts)
