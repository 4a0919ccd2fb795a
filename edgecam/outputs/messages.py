"""``--notify``: a message with the picture to a person, by ntfy, Telegram, e-mail or Apprise."""

from __future__ import annotations

import base64
import json
import secrets
import smtplib
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from edgecam.core.errors import ConfigError, MissingExtraError
from edgecam.core.events import Event
from edgecam.core.text import escape
from edgecam.host.commands import kill_group
from edgecam.host.installation import install_extra
from edgecam.outputs.courier import NotDelivered
from edgecam.outputs.http_post import TIMEOUT_S, Address, multipart, parse_address, post

#: Apprise, with all that it imports, gets so long.
APPRISE_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Message:
    """What a person gets. link: where to look, or empty."""

    title: str
    text: str
    link: str = ""
    jpeg: bytes | None = None


#: Brings a message to a person. Raises NotDelivered.
Send = Callable[[Message], None]


def message_of(event: Event, link: str = "", jpeg: bytes | None = None) -> Message:
    """An event in words: ``person at the door``, ``front: lost``."""
    if event.message:
        return Message(event.camera or "edgecam", event.message, link, jpeg)
    what = event.label or event.state or event.kind
    where = event.zones[-1] if event.zones else (event.line or event.camera)
    score = "" if event.top_score is None else f", {event.top_score * 100:.0f} % sure"
    way = f" ({event.direction})" if event.direction else ""
    title = f"{what} at {where}{way}" if where else what
    rule = f"{event.rule}: " if event.rule else ""
    return Message(title, f"{rule}{what}{score} on {event.camera or 'this board'}", link, jpeg)


def parse_target(url: str) -> Send:
    """What sends to ``url``. Raises ConfigError, which does not repeat it (tokens stand in it).

    ``ntfy[s]://[user:password@]host/topic``, ``telegram://TOKEN/CHAT``,
    ``smtp[s]://[user:password@]host[:port]/?from=A&to=B``, ``apprise:URL``.
    """
    scheme = url.partition(":")[0].lower()
    made = _TARGETS.get(scheme)
    if made is None:
        known = "ntfys://host/topic, telegram://TOKEN/CHAT, smtps://host/?from=A&to=B, apprise:URL"
        raise ConfigError(f"--notify: unknown kind of address '{escape(scheme, 20)}'; write one of {known}")
    return made(url)


class Ntfy:
    """A topic on an ntfy server."""

    def __init__(self, url: str) -> None:
        self._address = parse_address(url.replace("ntfy", "http", 1), "--notify")
        if len(self._address.path.strip("/")) == 0:
            raise ConfigError("--notify: ntfy needs a topic, such as ntfys://ntfy.sh/my-secret-topic")

    def __call__(self, message: Message) -> None:
        """Send it. Raises NotDelivered."""
        headers = {"Title": _header(message.title)}
        if message.link:
            headers["Click"] = _header(message.link)
        body = message.text.encode()
        if message.jpeg is not None:
            headers |= {"Message": _header(message.text), "Filename": "snapshot.jpg"}
            body = message.jpeg
        post(self._address, body, headers)


def _header(text: str) -> str:
    """``text`` for a header: one line, and RFC 2047 where it is not ASCII, as ntfy reads it."""
    line = escape(text, 400)
    return line if line.isascii() else f"=?UTF-8?B?{base64.b64encode(line.encode()).decode()}?="


class Telegram:
    """A chat of a Telegram bot. host: of the Bot API; other than Telegram's for its local server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        # a token has a colon, which would be read as a port
        token, _, chat = url.partition("://")[2].partition("?")[0].strip("/").partition("/")
        if ":" not in token or not chat:
            raise ConfigError("--notify: write telegram://TOKEN/CHAT, both as the bot's father gave them")
        server = query.get("server", ["https://api.telegram.org"])[0]
        self._address = parse_address(server, "--notify telegram server")
        self._token, self._chat = token, unquote(chat)

    def __call__(self, message: Message) -> None:
        """Send it. Raises NotDelivered."""
        text = "\n".join(part for part in (message.title, message.text, message.link) if part)
        address = Address(self._address.secure, self._address.host, self._address.port, "/bot…")
        base = self._address.path.rstrip("/")
        path = f"{base}/bot{quote(self._token, safe=':')}/"
        if message.jpeg is None:
            body = json.dumps({"chat_id": self._chat, "text": text[:4096]}).encode()
            post(address, body, {"Content-Type": "application/json"}, f"{path}sendMessage")
            return
        fields = {"chat_id": self._chat, "caption": text[:1024]}
        body, kind = multipart(fields, "photo", "snapshot.jpg", message.jpeg, secrets.token_hex(16))
        post(address, body, {"Content-Type": kind}, f"{path}sendPhoto")


class Mail:
    """An e-mail through one server: ``smtps`` is TLS from the start, ``smtp`` takes it where offered."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigError("--notify: the mail server's port is not a number") from None
        query = parse_qs(parts.query)
        self._secure, self._host = parts.scheme == "smtps", parts.hostname or ""
        self._port = port or (465 if self._secure else 587)
        self._user = None if parts.username is None else unquote(parts.username)
        self._password = unquote(parts.password or "")
        self._from, self._to = query.get("from", [""])[0], query.get("to", [])
        if not self._host or not self._to or not all(map(_is_address, (self._from, *self._to))):
            raise ConfigError(
                "--notify: write smtps://user:password@host/?from=me@example.org&to=you@example.org"
            )
        if not f"{self._user or ''}{self._password}".isascii():
            raise ConfigError(
                "--notify: the mail server's user and password may have ASCII characters only (Python's mail "
                "client sends no others); give this board a password of its own"
            )

    def __call__(self, message: Message) -> None:
        """Send it. Raises NotDelivered."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = (
            self._from,
            ", ".join(self._to),
            escape(message.title, 200),
        )
        mail.set_content("\n\n".join(part for part in (message.text, message.link) if part) + "\n")
        if message.jpeg is not None:
            mail.add_attachment(message.jpeg, maintype="image", subtype="jpeg", filename="snapshot.jpg")
        context = ssl.create_default_context()
        try:
            if self._secure:
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    self._host, self._port, timeout=TIMEOUT_S, context=context
                )
            else:
                server = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)
            with server:
                server.ehlo()
                if not self._secure and server.has_extn("starttls"):
                    server.starttls(context=context)
                if self._user is not None:
                    server.login(self._user, self._password)
                server.send_message(mail)
        except smtplib.SMTPResponseException as error:
            why = f"the mail server answered {error.smtp_code}"
            raise NotDelivered(why, final=500 <= error.smtp_code < 600) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            why = f"the mail server takes none of the recipients ({', '.join(map(str, codes))})"
            raise NotDelivered(why, final=all(500 <= code < 600 for code in codes)) from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotDelivered(f"mail by {self._host}: {escape(error, 200)}") from None


def _is_address(text: str) -> bool:
    """Whether it can stand in a mail's head: an @, and no blanks, line breaks or commas."""
    return "@" in text and text.isprintable() and not any(c.isspace() or c == "," for c in text)


_APPRISE = """
import json, sys
sys.path[:] = [path for path in sys.path if path]  # not what lies in the current folder
import apprise
wish = json.load(sys.stdin)
made = apprise.Apprise()
if not made.add(wish["url"]):
    sys.exit(3)
sys.exit(0 if made.notify(title=wish["title"], body=wish["body"], attach=wish["picture"]) else 1)
"""
NOT_KNOWN = 3


class AppriseProcess:
    """Anything that Apprise reaches, in a process of its own: 30 MB that edgecam need not keep."""

    def __init__(self, url: str) -> None:
        self._url = url.partition(":")[2]
        if ":" not in self._url:
            raise ConfigError(
                "--notify: apprise: is followed by one of Apprise's addresses, such as apprise:json://host"
            )
        if find_spec("apprise") is None:
            raise MissingExtraError(f"--notify apprise: needs the package apprise: {install_extra('notify')}")

    def __call__(self, message: Message) -> None:
        """Send it. Raises NotDelivered."""
        try:
            with tempfile.TemporaryDirectory(prefix="edgecam-") as folder:
                picture = None
                if message.jpeg is not None:
                    picture = str(Path(folder, "snapshot.jpg"))
                    Path(picture).write_bytes(message.jpeg)
                self._send(message, picture)
        except OSError as error:
            raise NotDelivered(f"Apprise could not be started: {error.strerror}") from None

    def _send(self, message: Message, picture: str | None) -> None:
        body = "\n".join(part for part in (message.text, message.link) if part)
        wish = json.dumps({"url": self._url, "title": message.title, "body": body, "picture": picture})
        process = subprocess.Popen(
            [sys.executable, "-c", _APPRISE],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            process.communicate(wish.encode(), timeout=APPRISE_WITHIN_S)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise NotDelivered(f"Apprise did not finish within {APPRISE_WITHIN_S:g} s") from None
        if process.returncode == NOT_KNOWN:
            raise NotDelivered("Apprise does not know such an address; see its documentation", final=True)
        if process.returncode:
            raise NotDelivered("Apprise could not deliver it")


_TARGETS: dict[str, Callable[[str], Send]] = {
    "ntfy": Ntfy,
    "ntfys": Ntfy,
    "telegram": Telegram,
    "smtp": Mail,
    "smtps": Mail,
    "apprise": AppriseProcess,
}
