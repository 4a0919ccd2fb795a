"""``--webhook``: each event is posted, as JSON or as a form with its picture, signed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from edgecam.core.events import Event, event_key
from edgecam.outputs.http_post import Address, multipart, post

#: Gives the JPEG of an event's ``snapshot``; None where there is none.
Picture = Callable[[str], "bytes | None"]


class Webhook:
    """Delivers an event to one address.

    secret: signs the body: ``X-Edgecam-Signature: sha256=<HMAC of the body in hexadecimal>``. picture: gives
    the JPEG; the event is then sent as a form with the fields ``event`` (JSON) and ``snapshot``, if it has
    one. None: JSON always.
    """

    def __init__(self, address: Address, secret: str = "", picture: Picture | None = None) -> None:
        self._address = address
        self._secret = secret.encode()
        self._picture = picture

    def __call__(self, event: Event) -> None:
        """Post it. Raises NotDelivered."""
        text = event.to_json()
        body, kind = text.encode(), "application/json"
        jpeg = self._picture(event.snapshot) if self._picture is not None and event.snapshot else None
        if jpeg is not None and event.snapshot:
            boundary = secrets.token_hex(16)
            body, kind = multipart({"event": text}, "snapshot", event.snapshot, jpeg, boundary)
        headers = {
            "Content-Type": kind,
            "X-Edgecam-Event": f"{event.kind}.{event.type}",
            "X-Edgecam-Delivery": event_key(event),
        }
        if self._secret:
            signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
            headers["X-Edgecam-Signature"] = f"sha256={signature}"
        post(self._address, body, headers)
