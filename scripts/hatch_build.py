"""Build hook: puts models/ into the wheel as edgecam/_models, without unfinished ones, and adds the SBOM."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc,type-arg]
    """Called by hatchling; an editable install reads models/ in place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add every file of models/, but none of its subfolders."""
        if version == "editable":
            return
        for path in sorted((Path(self.root) / "models").iterdir()):
            if path.is_file():
                build_data["force_include"][str(path)] = f"edgecam/_models/{path.name}"
        sys.path.insert(0, str(Path(self.root) / "scripts"))
        from sbom import sbom

        self._folder = tempfile.TemporaryDirectory()
        bill = Path(self._folder.name) / "sbom.cdx.json"
        bill.write_text(sbom(Path(self.root)))
        build_data["force_include"][str(bill)] = "edgecam/_sbom.cdx.json"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Delete the temporary bill of materials, which is in the wheel now."""
        if version != "editable":
            self._folder.cleanup()
