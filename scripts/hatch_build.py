"""Build hook: the wheel carries models/ as edgecam/_models, without what is not finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc,type-arg]
    """Called by hatchling; an editable install reads models/ where it is."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add every file of models/, but none of its subfolders."""
        if version == "editable":
            return
        for path in sorted((Path(self.root) / "models").iterdir()):
            if path.is_file():
                build_data["force_include"][str(path)] = f"edgecam/_models/{path.name}"
