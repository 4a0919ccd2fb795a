"""One HTTP POST with a deadline, by the standard library; no redirect is followed."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from edgecam.core.errors import ConfigError
from edgecam.core.text import escape
from edgecam.core.units import whole_within
from edgecam.outputs.courier import NotDelivered

#: Connecting, sending and the answer may each take so long.
TIMEOUT_S = 10.0
#: Of an answer's body so much is read; nobody needs the rest.
MOST_ANSWER_BYTES = 4096
#: A server may ask to be left alone for an hour at most.
LONGEST_AFTER_S = 3600.0
#: Answers after which another try may succeed; every other one from 300 on is final.
_TRY_AGAIN = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class Address:
    """Where a POST goes. ``user`` and ``password`` are sent there and nowhere else, and never shown."""

    secure: bool
    host: str
    port: int | None
    path: str
    authorization: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """For people: without credentials or path, which is the secret of most hooks and topics."""
        port = f":{self.port}" if self.port else ""
        return f"http{'s' if self.secure else ''}://{self.host}{port}{'/…' if self.path != '/' else ''}"


def parse_address(url: str, option: str) -> Address:
    """``http[s]://[user:password@]host[:port]/path``. Raises ConfigError without repeating ``url``."""
    hint = f"{option}: write an address such as https://example.org/hook"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"{hint}; the port is not a number from 1 to 65535") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{hint}; it begins with http:// or https:// and names a host")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(c) <= 32 or ord(c) > 126 for c in path):
        raise ConfigError(f"{hint}; blanks and letters beyond ASCII are written as %20 and the like")
    return Address(parts.scheme == "https", parts.hostname, port, path, authorization)


def post(address: Address, body: bytes, headers: Mapping[str, str], path: str = "") -> bytes:
    """Send ``body``; the answer's first bytes. Raises NotDelivered, final where trying again is no use."""
    made: http.client.HTTPConnection
    if address.secure:
        context = ssl.create_default_context()
        made = http.client.HTTPSConnection(address.host, address.port, timeout=TIMEOUT_S, context=context)
    else:
        made = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
    sent = {"User-Agent": "edgecam", "Connection": "close", **headers}
    if address.authorization:
        sent["Authorization"] = address.authorization
    try:
        made.request("POST", path or address.path, body=body, headers=sent)
        answer = made.getresponse()
        status, reason = answer.status, escape(answer.reason, 80)
        after = answer.getheader("Retry-After", "")
        text = answer.read(MOST_ANSWER_BYTES)
    except (TimeoutError, OSError, http.client.HTTPException, ValueError) as error:
        raise NotDelivered(f"{address.name}: {escape(error, 200) or type(error).__name__}") from None
    finally:
        made.close()
    if 200 <= status < 300:
        return text
    after_s = whole_within(after, 0, 10**9)  # or a date, which is not looked at
    why = f"{address.name} answered {status} {reason}"
    most_s = None if after_s is None else min(LONGEST_AFTER_S, float(after_s))
    raise NotDelivered(why, final=status not in _TRY_AGAIN, after_s=most_s)


def multipart(
    fields: Mapping[str, str], name: str, file_name: str, jpeg: bytes, boundary: str
) -> tuple[bytes, str]:
    """(body, content type) of a form with text fields and one JPEG. boundary: text that no part contains."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = b"".join([*parts, head.encode(), jpeg, f"\r\n--{boundary}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={boundary}"
