"""Roles, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "operator", "admin"]
_RANK: dict[str, int] = {"viewer": 0, "operator": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, and what they may do.

    kind: ``open`` on a board that has no password (loopback only), ``session`` of a browser, ``token`` of a
    program. cameras: ids that they may see; None means all. name: for the list of tokens and for logs.
    """

    role: Role
    kind: Literal["open", "session", "token"]
    cameras: frozenset[str] | None = None
    name: str = ""

    def may(self, role: Role) -> bool:
        """Whether they have that role or a higher one."""
        return _RANK[self.role] >= _RANK[role]

    def sees(self, camera: str) -> bool:
        """Whether they may see that camera."""
        return self.cameras is None or camera in self.cameras


#: On loopback without a password: whoever can open it is on the board already.
OPEN = Identity("admin", "open")
