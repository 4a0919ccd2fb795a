"""One row of the API: what it is called, who may call it, what goes in and what comes out.

Routes, checks and the OpenAPI document are all made from these rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from edgecam.web.auth.access import Identity, Role
from edgecam.web.site import Camera, Site

Method = Literal["GET", "POST", "PUT", "DELETE"]


class ApiError(Exception):
    """An answer other than success; the message is for people."""

    def __init__(self, status: int, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class Error(msgspec.Struct):
    """What went wrong, in a sentence."""

    error: str


class Done(msgspec.Struct):
    """It is done; a line for people."""

    message: str = "done"


@dataclass(slots=True)
class Call:
    """One request, checked. query and body are instances of the operation's structs."""

    site: Site
    identity: Identity | None
    path: dict[str, str]
    headers: dict[str, str]
    client: str
    secure: bool
    cookie: str | None
    query: Any = None
    body: Any = None

    def sees(self, camera_id: str) -> bool:
        """Whether whoever asks may see that camera. An operation that is open to all asks nobody."""
        return self.identity is None or self.identity.sees(camera_id)

    def sees_source(self, name: str) -> bool:
        """Whether whoever asks may see the source of that name; if it is no camera, those who see all may."""
        camera = self.site.named(name)
        if camera is None:
            return self.sees_all
        return self.sees(camera.id)

    def seen(self, camera_id: str | None, name: Callable[[Camera], str]) -> list[str] | list[None]:
        """The names to filter by, one after the other, for one camera or for all that may be seen; None alone
        where everything may be. 404 for a camera that may not.
        """
        if camera_id is not None:
            return [name(self.seen_camera(camera_id))]
        if self.sees_all:
            return [None]
        return list(dict.fromkeys(name(camera) for camera in self.site.cameras if self.sees(camera.id)))

    @property
    def sees_all(self) -> bool:
        """Whether whoever asks may see every camera, and so what is of the whole board."""
        return self.identity is None or self.identity.cameras is None

    def needs_all(self, what: str) -> None:
        """Refuse what is of the whole board to whoever may see some cameras only."""
        if not self.sees_all:
            raise ApiError(403, f"{what} all cameras; this token is for some of them only")

    def seen_camera(self, camera_id: str) -> Camera:
        """The camera of that id; 404 for one that may not be seen, as for none."""
        found = self.site.camera(camera_id)
        if found is None or not self.sees(found.id):
            raise ApiError(404, f"there is no camera '{camera_id[:60]}'")
        return found

    def camera(self) -> Camera:
        """The camera that the path names."""
        return self.seen_camera(self.path["camera"])


@dataclass(frozen=True, slots=True)
class Operation:
    """role: None lets everybody in. media: what a success is, where it is not JSON. on_loop: so quick that it
    needs no thread. fails: further statuses it may answer with.
    """

    method: Method
    path: str
    summary: str
    handler: Callable[[Call], Any]
    role: Role | None = "viewer"
    answer: Any = Done
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    media: str | None = None
    on_loop: bool = False
    fails: tuple[int, ...] = ()
    tag: str = "board"
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        def part(found: re.Match[str]) -> str:
            return rf"(?P<{found[1]}>{SECRET if found[1] == 'secret' else ID})"

        escaped = re.sub(r"\{(\w+)\}", part, self.path.replace(".", r"\."))
        object.__setattr__(self, "pattern", re.compile(escaped))


#: What an id in a path may look like: never a path of the file system.
ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
#: And a secret, as ``secrets.token_urlsafe`` makes it: it may begin with a dash.
SECRET = r"[A-Za-z0-9_-]{1,80}"
