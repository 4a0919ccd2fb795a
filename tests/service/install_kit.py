"""Runs ``edgecam service`` in this process, with commands that are noted instead of run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgecam.cli import service as cli_service


class Recorder:
    """Notes commands instead of running them; fails those that contain a given word."""

    def __init__(self, failing: str = "\0", printed: str = "") -> None:
        self.commands: list[str] = []
        self.failing, self.printed = failing, printed

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        line = " ".join(command)
        self.commands.append(line)
        if "verify" in command:
            return 0, ""
        return (1, "it broke") if self.failing in line else (0, self.printed)


def tree(root: Path) -> dict[str, str]:
    """Every file below root with its content."""
    return {
        str(p.relative_to(root)): (f"→ {p.readlink()}" if p.is_symlink() else p.read_text(errors="replace"))
        for p in sorted(root.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


def cli(*words: str, run: Recorder | None = None) -> int:
    return cli_service.main(list(words), run) if run else cli_service.main(list(words))


def install_args(root: Path, *words: str) -> list[str]:
    return ["install", "--root", str(root), "--command", "/opt/edgecam/bin/edgecam", "--yes", *words]
