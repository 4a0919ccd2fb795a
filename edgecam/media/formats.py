"""Which files are clips, and which container each is; known without the libraries that read them."""

from __future__ import annotations

from edgecam.core.errors import RecordError

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


def container_format(suffix: str) -> str:
    """The container for a file name's ending. Raises RecordError for others."""
    try:
        return FORMATS[suffix.lower()]
    except KeyError:
        raise RecordError(
            f"a clip's name cannot end in '{suffix}'; use one of {', '.join(FORMATS)}, or name a folder"
        ) from None
