"""What the page's log-in stores: the password's hash, sessions, tokens, pairings and shares.

One small file; secrets are in it only as hashes. It is its owner's alone (mode 600), and written whole in one
step. ``edgecam web`` may change it while the server runs, which notices that by the file's time and size.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from edgecam.core.errors import ConfigError, EdgecamError
from edgecam.host.paths import state_folder
from edgecam.web import limits
from edgecam.web.auth.access import Identity, Role
from edgecam.web.auth.kept import Kept, Pairing, Session, Share, Token
from edgecam.web.auth.passwords import hash_password, new_secret, secret_hash

log = logging.getLogger(__name__)

SESSION_S = 30 * 86400.0
PAIRING_S = 600.0
#: A larger file was not written by edgecam.
MOST_BYTES = 1 << 20


_T = TypeVar("_T")


def default_path() -> Path:
    """``web.json`` of the service where root asks beside one, else of whoever asks."""
    service = Path("/var/lib/edgecam")
    if os.geteuid() == 0 and service.is_dir() and "STATE_DIRECTORY" not in os.environ:
        return service / "web.json"
    return state_folder() / "web.json"


class Store:
    """The file and what it holds. Any thread.

    Raises ConfigError where it cannot be read: then nobody is let in.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._stamp: tuple[int, int, int] | None = None
        self._kept = Kept()
        self._read()

    # -- the file

    def _read(self) -> None:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._kept = None, Kept()
            return
        except OSError as error:
            raise ConfigError(f"'{self.path}' cannot be read: {error.strerror}") from error
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp == self._stamp:
            return
        if stat.st_size > MOST_BYTES:
            raise ConfigError(f"'{self.path}' has {stat.st_size} bytes and is not edgecam's; move it away")
        try:
            self._kept = msgspec.json.decode(self.path.read_bytes(), type=Kept)
        except OSError as error:
            raise ConfigError(f"'{self.path}' cannot be read: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"'{self.path}' is damaged ({error}); move it away and set a new password:"
                " edgecam web password"
            ) from None
        self._stamp = stamp

    def _refresh(self) -> None:
        try:
            self._read()
        except ConfigError as error:
            log.warning("%s; nobody is let in until then", error)
            self._kept = Kept(password="")  # no password verifies against it, and it is not open either
            self._stamp = None  # so that it is read again

    def _write(self) -> None:
        now = self._clock()
        kept = self._kept
        kept.sessions = [s for s in kept.sessions if s.expires > now][-limits.SESSIONS :]
        kept.tokens = kept.tokens[-limits.TOKENS :]
        kept.pairings = [p for p in kept.pairings if p.expires > now][-limits.PAIRINGS :]
        kept.shares = [s for s in kept.shares if s.expires > now][-limits.SHARES :]
        data = msgspec.json.format(msgspec.json.encode(kept), indent=1)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            owner = self.path.parent.stat()
            fd = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if os.geteuid() == 0 and owner.st_uid:  # root writes for the service's own account
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise EdgecamError(f"'{self.path}' cannot be written: {error.strerror}") from error
        stat = self.path.stat()
        self._stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _change(self, change: Callable[[Kept], _T]) -> _T:
        with self._lock:
            self._read()  # raises: what cannot be read now must not be written over
            found = change(self._kept)
            self._write()
            return found

    def look(self, see: Callable[[Kept], _T]) -> _T:
        """What ``see`` makes of the present contents; changes nothing."""
        with self._lock:
            self._refresh()
            return see(self._kept)

    # -- password

    @property
    def has_password(self) -> bool:
        """Whether a password was set: then nothing is open without it."""
        return self.look(lambda kept: kept.password is not None)

    def set_password(self, password: str) -> None:
        """Set the password, and end every session. Raises ConfigError for a weak one."""
        hashed = hash_password(password)

        def change(kept: Kept) -> None:
            kept.password = hashed
            kept.sessions.clear()

        self._change(change)

    # -- sessions

    def new_session(self, role: Role, agent: str, cameras: tuple[str, ...] | None = None) -> str:
        """A new session's secret, for the cookie; never one that the browser brought."""
        secret = new_secret()
        now = self._clock()
        row = Session(secret_hash(secret), role, now, now + SESSION_S, cameras, agent[:80])
        self._change(lambda kept: kept.sessions.append(row))
        return secret

    def end_session(self, secret: str) -> None:
        """End one session."""
        wanted = secret_hash(secret)

        def change(kept: Kept) -> None:
            kept.sessions = [s for s in kept.sessions if s.hash != wanted]

        self._change(change)

    def end_all_sessions(self) -> int:
        """Log every browser out; how many there were."""

        def change(kept: Kept) -> int:
            count = len(kept.sessions)
            kept.sessions.clear()
            return count

        return self._change(change)

    def session(self, secret: str) -> Identity | None:
        """The owner of the session with that cookie."""
        wanted, now = secret_hash(secret), self._clock()
        for row in self.look(lambda kept: kept.sessions):
            if row.hash == wanted and row.expires > now:
                return Identity(row.role, "session", _ids(row.cameras), row.agent)
        return None

    # -- tokens

    def new_token(
        self, name: str, role: Role, *, days: float | None = None, cameras: tuple[str, ...] | None = None
    ) -> tuple[Token, str]:
        """A token's row and its secret, which is shown once."""
        secret = new_secret()
        now = self._clock()
        end = None if days is None else now + days * 86400
        row = Token(secret_hash(secret)[:12], name[:60], secret_hash(secret), role, now, end, cameras)

        def change(kept: Kept) -> None:
            if len(kept.tokens) >= limits.TOKENS:
                raise EdgecamError(f"there are {len(kept.tokens)} tokens already; revoke one first")
            kept.tokens.append(row)

        self._change(change)
        return row, secret

    def revoke_token(self, token_id: str) -> bool:
        """Revoke a token; False if there is none of that id."""

        def change(kept: Kept) -> bool:
            before = len(kept.tokens)
            kept.tokens = [t for t in kept.tokens if t.id != token_id]
            return len(kept.tokens) < before

        return self._change(change)

    def token(self, secret: str) -> Identity | None:
        """The program with that bearer token."""
        wanted, now = secret_hash(secret), self._clock()
        for row in self.look(lambda kept: kept.tokens):
            if row.hash == wanted and (row.expires is None or row.expires > now):
                return Identity(row.role, "token", _ids(row.cameras), row.name)
        return None

    # -- pairing and sharing

    def new_pairing(self, role: Role = "admin", seconds: float = PAIRING_S) -> str:
        """A one-time secret for a phone, good for ten minutes."""
        secret = new_secret()
        row = Pairing(secret_hash(secret), role, self._clock() + seconds)
        self._change(lambda kept: kept.pairings.append(row))
        return secret

    def take_pairing(self, secret: str) -> Role | None:
        """Use a pairing's secret up; None if it is unknown, used or expired."""
        wanted, now = secret_hash(secret), self._clock()
        if not any(p.hash == wanted for p in self.look(lambda kept: kept.pairings)):
            return None

        def change(kept: Kept) -> Role | None:
            found = [p for p in kept.pairings if p.hash == wanted and p.expires > now]
            kept.pairings = [p for p in kept.pairings if p.hash != wanted]
            return found[0].role if found else None

        return self._change(change)

    def pairing_state(self, secret: str) -> Literal["waits", "used", "over"]:
        """Whether a pairing waits for its phone, was used, or is too old. ``used`` is also said of others."""
        wanted, now = secret_hash(secret), self._clock()
        found = self.look(lambda kept: next((p for p in kept.pairings if p.hash == wanted), None))
        return "used" if found is None else "waits" if found.expires > now else "over"

    def pairing_open(self) -> bool:
        """Whether a pairing waits to be used."""
        now = self._clock()
        return self.look(lambda kept: any(p.expires > now for p in kept.pairings))

    def new_share(self, what: str, seconds: float) -> str:
        """A link's secret for one clip or event."""
        secret = new_secret()
        now = self._clock()
        self._change(lambda kept: kept.shares.append(Share(secret_hash(secret), what, now, now + seconds)))
        return secret

    def share(self, secret: str) -> str | None:
        """What a link shows; None if it has expired."""
        wanted, now = secret_hash(secret), self._clock()
        for row in self.look(lambda kept: kept.shares):
            if row.hash == wanted and row.expires > now:
                return row.what
        return None


def _ids(cameras: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if cameras is None else frozenset(cameras)
