"""Where edgecam keeps what outlives a run."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """What was set and what happened: systemd's ``$STATE_DIRECTORY``, else ``$XDG_STATE_HOME/edgecam``."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    root = os.environ.get("XDG_STATE_HOME")
    return (Path(root) if root else Path.home() / ".local" / "state") / "edgecam"
