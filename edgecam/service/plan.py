"""A list of changes that can be shown first, repeated without harm, and undone half-way."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgecam.core.errors import EdgecamError

#: Runs a command; gives its exit status and everything it printed.
Execute = Callable[[Sequence[str]], "tuple[int, str]"]

_COMMAND_TIMEOUT_S = 90.0


def execute(command: Sequence[str]) -> tuple[int, str]:
    """Run a command with a deadline; a missing one is status 127, one that takes too long 124."""
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, f"took longer than {_COMMAND_TIMEOUT_S:.0f} s"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


@dataclass(frozen=True, slots=True)
class Write:
    """Write a text file. ``keep``: one that is there already is the user's, and stays."""

    path: Path
    text: str
    keep: bool = False
    mode: int = 0o644

    def needed(self) -> bool:
        """Whether it would change anything."""
        if self.keep and self.path.exists():
            return False
        try:
            return self.path.read_text() != self.text
        except (OSError, UnicodeDecodeError):
            return True

    def describe(self) -> str:
        """One line for the plan."""
        if not self.needed():
            return f"  = {self.path}" + (" (yours, stays)" if self.keep else " (is so already)")
        return f"  {'~' if self.path.exists() else '+'} {self.path}"


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete a file, or an empty folder; a folder with something in it stays."""

    path: Path

    def needed(self) -> bool:
        """Whether it would change anything."""
        return self.path.is_symlink() or self.path.exists()

    def describe(self) -> str:
        """One line for the plan."""
        if not self.needed():
            return f"  = {self.path} (is not there)"
        folder = self.path.is_dir() and not self.path.is_symlink()
        return f"  - {self.path}{' (if it is empty then)' if folder else ''}"


@dataclass(frozen=True, slots=True)
class Do:
    """Run a command. ``optional``: its failure is reported and does not end the plan."""

    command: tuple[str, ...]
    why: str
    optional: bool = False

    def needed(self) -> bool:
        """A command is always run; each is harmless when nothing is left for it to do."""
        return True

    def describe(self) -> str:
        """One line for the plan."""
        return f"  $ {shlex.join(self.command)}   ({self.why})"


Step = Write | Remove | Do


@dataclass(slots=True)
class Plan:
    """The steps, what to tell beforehand, and what prevents them."""

    title: str
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def replace(self, path: Path, text: str, mode: int = 0o644) -> None:
        """Write ``path``; what stood there is kept beside it as ``.before``."""
        old = _content(path)
        if old is not None and old != text.encode():
            kept = path.with_name(path.name + ".before")
            self.steps.append(Write(kept, old.decode("utf-8", "replace"), mode=mode))
        self.steps.append(Write(path, text, mode=mode))

    @property
    def changes_files(self) -> bool:
        """Whether any file would be written or removed."""
        return any(step.needed() for step in self.steps if not isinstance(step, Do))

    def describe(self) -> str:
        """The plan as people read it: + new, ~ changed, - removed, = stays, $ a command."""
        lines = [self.title, *(step.describe() for step in self.steps)]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"problem: {problem}" for problem in self.problems]
        return "\n".join(lines)

    def apply(self, run: Execute = execute) -> list[str]:
        """Make the changes, in order; gives remarks. If a step fails, files already changed are put back.

        Raises EdgecamError that names the step.
        """
        undo: list[tuple[Path, bytes | None]] = []
        remarks: list[str] = []
        for step in self.steps:
            try:
                if isinstance(step, Do):
                    status, printed = run(step.command)
                    if status != 0:
                        message = (
                            f"`{shlex.join(step.command)}` failed with status {status}: {printed[-400:]}"
                        )
                        if not step.optional:
                            raise EdgecamError(message)
                        remarks.append(message)
                elif step.needed():
                    undo.append((step.path, _content(step.path)))
                    _change(step)
            except (OSError, EdgecamError) as error:
                _put_back(undo)
                raise EdgecamError(f"{error}; the files changed so far were put back") from error
        return remarks


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _change(step: Write | Remove) -> None:
    if isinstance(step, Remove):
        if step.path.is_dir() and not step.path.is_symlink():
            if not any(step.path.iterdir()):
                step.path.rmdir()
        else:
            step.path.unlink()
        return
    step.path.parent.mkdir(parents=True, exist_ok=True)
    # a new file and a rename: a power cut leaves the old one or the new one, never half of one
    fresh = step.path.with_name(f".{step.path.name}.new")
    fresh.unlink(missing_ok=True)
    # made with its mode: a secret is for its owner's eyes from the first moment on
    made = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, step.mode & 0o700)
    with os.fdopen(made, "w") as file:
        file.write(step.text)
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(step.mode)
    fresh.replace(step.path)


def _put_back(undo: list[tuple[Path, bytes | None]]) -> None:
    for path, content in reversed(undo):
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
