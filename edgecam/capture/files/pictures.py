"""A folder or glob of pictures, one frame each."""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from edgecam.capture.base import BaseSource, Pacer
from edgecam.capture.decode.picture import decode_picture
from edgecam.capture.limits import FILE_BYTES, FILE_PIXELS, PICTURES
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import IMAGE_SUFFIXES
from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream, SourceOpenError
from edgecam.core.files import read_limited
from edgecam.core.types import Frame, Image

log = logging.getLogger(__name__)

# How long a picture is shown, and lasts in a clip, when nothing else is asked: one second.
DEFAULT_RATE_HZ = 1.0


def natural_key(path: Path) -> tuple[object, ...]:
    """Sorts ``2.jpg`` before ``10.jpg``."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", str(path))
    )


def read_image(path: Path, max_pixels: int = FILE_PIXELS) -> Image:
    """The picture, (H, W, 3) uint8 BGR, turned as its EXIF says.

    Raises OSError if there is none, and ValueError if it is no picture that can be read, or one over the
    limits, which its header tells before anything is decoded.
    """
    return decode_picture(read_limited(path, FILE_BYTES), max_pixels)


def _matching(pattern: Path) -> Iterator[Path]:
    """What the pattern matches. ``**`` follows no links to folders: two that lead back never end."""
    if "**" not in pattern.parts:
        yield from map(Path, glob.iglob(str(pattern)))  # noqa: PTH207 (absolute patterns)
        return
    first = next(place for place, part in enumerate(pattern.parts) if glob.has_magic(part))
    top, rest = Path(*pattern.parts[:first]), pattern.parts[first:]
    for hit in top.glob("/".join(rest)):
        if not any(part.startswith(".") and part not in rest for part in hit.relative_to(top).parts):
            yield hit  # hidden ones only where they are named, as in a shell


class ImagesSource(BaseSource):
    """Pictures in natural order of their names, of any size; unreadable ones are skipped with a warning."""

    def __init__(self, paths: Sequence[Path], name: str, options: SourceOptions) -> None:
        super().__init__(name)
        self._paths = tuple(paths)
        self._options = options
        self._max_pixels = options.max_pixels or FILE_PIXELS
        self._step_ns = int(1e9 / (options.rate_hz or DEFAULT_RATE_HZ))
        self._pacer = Pacer(self._closed)
        self._at = 0
        self._warned: set[Path] = set()
        self._pending = self._load()
        if self._pending is None:
            what = f"none of its {len(paths)} pictures can be read" if len(paths) > 1 else "it cannot be read"
            raise SourceOpenError(f"{name}: {what}; copy or save it anew.")
        height, width = self._pending[0].shape[:2]
        self._size_wh = (width, height)
        count = f"{len(paths)} pictures" if len(paths) != 1 else "1 picture"
        self._description = f"{name}: {count}, the first {width}x{height}"

    @classmethod
    def from_folder(cls, folder: Path, options: SourceOptions) -> ImagesSource:
        """All pictures directly in ``folder``."""
        try:
            names = sorted(
                islice((p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES), PICTURES),
                key=natural_key,
            )
        except PermissionError:
            raise SourceOpenError(f"{folder}: no permission to list this folder.") from None
        if not names:
            raise SourceOpenError(
                f"{folder} holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))}); "
                "for a video give the file's own name."
            )
        return cls(names, str(folder), options)

    @classmethod
    def from_glob(cls, pattern: str, options: SourceOptions) -> ImagesSource:
        """All pictures that match ``pattern`` (``**`` for folders within folders)."""
        hits = _matching(Path(pattern).expanduser())
        names = sorted(
            islice((p for p in hits if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()), PICTURES),
            key=natural_key,
        )
        if not names:
            raise SourceOpenError(
                f"No picture matches {pattern!r}; put the pattern in quotes and check its folder."
            )
        return cls(names, pattern, options)

    def _load(self) -> tuple[Image, Path] | None:
        """The next picture that can be read, or None at the end."""
        started = self._at
        while True:
            if self._at == len(self._paths):
                # a loop over pictures of which none can be read any more would never end
                if not self._options.loop or started == 0:
                    return None
                self._at = started = 0
            path = self._paths[self._at]
            self._at += 1
            if self._closed.is_set():
                return None
            try:
                return read_image(path, self._max_pixels), path
            except (OSError, ValueError) as error:
                if path not in self._warned:
                    self._warned.add(path)
                    why = getattr(error, "strerror", None) or error
                    log.warning("%s cannot be read as a picture (%s); skipped", path, why)

    def _read(self, timeout_s: float) -> Frame | None:
        if self._pending is None:
            self._pending = self._load()
        if self._pending is None:
            raise EndOfStream(f"{self._name}: no more pictures")
        media_ns = self._index * self._step_ns
        if self._options.paced and not self._pacer.wait(media_ns, timeout_s):
            return None
        image, path = self._pending
        self._pending = None
        frame = Frame(image, self._index, now_ns(), self._name, media_ns=media_ns, file=str(path))
        self._index += 1
        return frame
