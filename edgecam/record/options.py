"""What a recording is asked to be, and where it goes."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from edgecam.core.errors import RecordError
from edgecam.host.beneath import write_new
from edgecam.media.formats import container_format
from edgecam.media.ring import RING_BYTES
from edgecam.record.clip_files import camera_part

RecordView = Literal["annotated", "clean", "both"]


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How to record.

    view: what the clip shows; ``both`` writes two clips, the clean one as ``NAME.clean.mp4``.
    live: False for a file: every frame is kept, whatever it costs; True for a camera.
    nominal_hz: the source's rate, to choose the encoder's effort; None if there is none.
    constant_hz: write at this constant rate, repeating or leaving out pictures; None for true timestamps.
    segment_s: cut a continuous recording into clips of this length; None: a folder into hours, a file never.
    record_on: record on events only: labels with scores, ``motion``, ``key``, ``signal``, ``api``.
    pre_s, post_s: seconds kept before and after an event. longest_s: then its clip goes on in a new one.
    ring_bytes: most memory that the pre-roll may take.
    keep_days, keep_bytes, keep_free_percent: what is deleted, oldest first (folders only).
    sidecar: keep the black box beside the clip; None: always in a folder, and for clean views.
    camera: its name, for the index and the sidecar, and for file names if camera_in_name.
    source: take results of this source only.
    container: file ending for clips in a folder.
    key_s: seconds between key frames. threads: of the encoder. preset: x264's, "" to choose by speed.
    sync_s: seconds between forced writes to the disk.
    """

    view: RecordView = "annotated"
    live: bool = True
    nominal_hz: float | None = None
    constant_hz: float | None = None
    segment_s: float | None = None
    record_on: tuple[str, ...] = ()
    pre_s: float = 5.0
    post_s: float = 5.0
    longest_s: float = 600.0
    ring_bytes: int = RING_BYTES
    keep_days: float | None = None
    keep_bytes: int | None = None
    keep_free_percent: float = 5.0
    sidecar: bool | None = None
    camera: str = ""
    camera_in_name: bool = True
    source: str | None = None
    container: str = ".mp4"
    key_s: float = 1.0
    threads: int = 1
    preset: str = ""
    sync_s: float = 5.0


#: A folder's clips are at most this long, so that old ones can go while new ones come.
FOLDER_SEGMENT_S = 3600.0


class Target:
    """A file, or a folder in which clips are named by time."""

    def __init__(self, path: Path, options: RecordOptions) -> None:
        """Raises RecordError if the name is neither a folder's nor a clip's."""
        self.path = path
        self.is_folder = path.is_dir() or path.suffix == "" or str(path).endswith("/")
        self.options = options
        self.suffix = options.container if self.is_folder else path.suffix
        container_format(self.suffix)
        self.folder = path if self.is_folder else path.parent
        self.sidecar = (
            options.sidecar
            if options.sidecar is not None
            else (self.is_folder or options.view != "annotated")
        )
        self.device: int | None = None
        self._before = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        if self.is_folder:
            return None
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    @property
    def segment_s(self) -> float | None:
        """How long a clip of a continuous recording may be."""
        if self.options.segment_s is not None:
            return self.options.segment_s
        return FOLDER_SEGMENT_S if self.is_folder else None

    def check(self) -> None:
        """Make the folder if need be, and see that it can be written to. Raises RecordError."""
        what = "folder" if self.is_folder else "clip"
        try:
            if self.is_folder:
                self.folder.mkdir(parents=True, exist_ok=True)
            elif self.path.is_dir() or not self.folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, "its folder does not exist")
            self.probe()
            self.device = self.folder.stat().st_dev
        except OSError as error:
            raise RecordError(
                f"--record: the {what} '{self.path}' cannot be written: {error.strerror or error};"
                f" {_advice(error, self.folder)}"
            ) from error

    def probe(self) -> None:
        """Raise OSError if no file can be made in the folder."""
        probe = self.folder / f".edgecam-{os.getpid()}-{id(self):x}.probe"
        write_new(probe, b"")
        probe.unlink()

    def stem(self, at: datetime) -> str:
        """The name for a clip that begins at ``at`` (UTC), without its ending."""
        if not self.is_folder:
            return self.path.stem
        camera = camera_part(self.options.camera) if self.options.camera_in_name else ""
        return at.strftime("%Y-%m-%d_%H-%M-%SZ") + camera

    def endings(self) -> dict[str, str]:
        """File endings by kind: the views, and the sidecar's."""
        view = self.options.view
        found = {}
        if view != "clean":
            found["annotated"] = self.suffix
        if view != "annotated":
            found["clean"] = f".clean{self.suffix}" if view == "both" else self.suffix
        if self.sidecar:
            found["sidecar"] = ".jsonl"
        return found

    def replaceable(self) -> Path | None:
        """The named file, if it still is what it was before the recording: naming it allows replacing it."""
        if self.is_folder or self._before != self._identity():
            return None
        return self.path


def _advice(error: OSError, folder: Path) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "choose a folder that you may write to"
    if error.errno == errno.EROFS:
        return "its file system is mounted read-only; choose another, or mount it for writing"
    if error.errno == errno.ENOSPC:
        return "the disk is full; make room or choose another"
    return f"make the folder '{folder}' or choose another"
