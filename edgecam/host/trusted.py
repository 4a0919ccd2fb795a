"""Whether a program that the settings name can be changed by anybody but its owner, root or this user."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path


def changeable_by_others(command: Sequence[str], uid: int | None = None) -> str:
    """Which file of ``command`` another user could change, and how; empty if there is none.

    Looked at are the program, every argument that names a file (a script behind its interpreter), and all
    folders above them: whoever may write there can put another file in its place. Sticky folders (/tmp)
    protect their files.
    """
    import shutil  # here, since it brings the compression libraries to every start

    uid = os.geteuid() if uid is None else uid
    program = shutil.which(command[0]) if command else None
    named = ([program] if program else []) + [word for word in command[1:] if "/" in word]
    for name in named:
        path = Path(os.path.realpath(name))
        if not path.is_file():
            continue
        for place in (path, *path.parents):
            why = _open_to(place, uid)
            if why:
                return f"{place} {why}"
    return ""


def _open_to(place: Path, uid: int) -> str:
    try:
        found = place.stat()
    except OSError:
        return ""
    if found.st_uid not in (0, uid):
        return f"belongs to another user (uid {found.st_uid})"
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return ""
    if found.st_mode & stat.S_IWOTH:
        return "may be written by every user"
    if found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid()):
        return f"may be written by the group {found.st_gid}"
    return ""
