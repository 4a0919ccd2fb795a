"""Files to browsers, by ranges (RFC 9110, section 14), also while they still grow."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from starlette.responses import Response

from edgecam.core.types import Image
from edgecam.host.beneath import open_beneath
from edgecam.web.api.operation import ApiError
from edgecam.web.guard import Receive, Scope, Send

CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def first_picture(sheet: bytes, clip_wh: tuple[int, int]) -> bytes | None:
    """The first small picture of a contact sheet, as JPEG; None if it cannot be read."""
    import numpy as np

    from edgecam.record.sheet import GAP_PX, THUMBNAIL_PX

    image = _decoded(sheet)
    if image is None or not clip_wh[0]:
        return None
    height = max(1, round(clip_wh[1] * THUMBNAIL_PX / clip_wh[0]))
    part = image[GAP_PX : GAP_PX + height, GAP_PX : GAP_PX + THUMBNAIL_PX]
    return _encoded(np.ascontiguousarray(part), 85)


def smaller(jpeg: bytes, height: int) -> bytes | None:
    """A JPEG scaled down to ``height``, never enlarged; None if it cannot be read."""
    import cv2
    import numpy as np

    image = _decoded(jpeg)
    if image is None:
        return None
    if image.shape[0] > height:
        width = max(1, round(image.shape[1] * height / image.shape[0]))
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return _encoded(image, 82)


def _decoded(data: bytes) -> Image | None:
    """The folder may be somebody else's: a picture over the limits is none."""
    from edgecam.capture.decode.picture import decode_picture
    from edgecam.capture.limits import LIVE_PIXELS

    try:
        return decode_picture(data, LIVE_PIXELS)
    except ValueError:
        return None


def _encoded(image: Image, quality: int) -> bytes | None:
    import cv2

    try:
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:  # nothing is left of it, or it is too long for a JPEG
        return None
    return data.tobytes() if done else None


class FileAnswer(Response):
    """One file of a folder, or a part of it.

    growing: it is still being written; its present size is the one that is told. download: the name to save
    it as. Raises ApiError (404) where the file is gone.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        headers: dict[str, str],
        *,
        media_type: str,
        growing: bool = False,
        download: str | None = None,
    ) -> None:
        super().__init__(media_type=media_type)
        try:
            self._fd = open_beneath(folder, name)
        except OSError as error:
            raise ApiError(404, "the file has gone") from error
        found = os.fstat(self._fd)
        size = found.st_size
        tag = f'"{found.st_ino:x}-{found.st_mtime_ns:x}-{size:x}"'
        self.headers["accept-ranges"] = "bytes"
        self.headers["etag"] = tag
        self.headers["cache-control"] = "no-store" if growing else "private, max-age=3600"
        if download is not None:
            safe = re.sub(r"[^\w.-]", "_", download)
            self.headers["content-disposition"] = f'attachment; filename="{safe}"'
        self._start, self._end = 0, size
        if not growing and headers.get("if-none-match") == tag:
            self.status_code, self._end = 304, 0
        elif "range" in headers and headers.get("if-range", tag) == tag:
            self._part(headers["range"], size)
        self.headers["content-length"] = str(self._end - self._start)

    def _part(self, wanted: str, size: int) -> None:
        match = _RANGE.fullmatch(wanted.strip())
        if match is None or not (match[1] or match[2]):
            return  # several parts, or another unit: the whole is a right answer
        if match[1]:
            start = int(match[1])
            end = min(size, int(match[2]) + 1) if match[2] else size
        else:
            start, end = max(0, size - int(match[2])), size
        if start >= end:
            self.status_code = 416
            self.headers["content-range"] = f"bytes */{size}"
            self._end = self._start
            return
        self.status_code = 206
        self._start, self._end = start, end
        self.headers["content-range"] = f"bytes {start}-{end - 1}/{size}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it in pieces, as fast as the client takes them."""
        del receive
        loop = asyncio.get_running_loop()
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            at, end = self._start, self._end if scope["method"] != "HEAD" else self._start
            while at < end:
                piece = await loop.run_in_executor(None, os.pread, self._fd, min(CHUNK, end - at), at)
                if not piece:
                    break  # it was cut meanwhile; the client sees that the length does not fit
                at += len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": at < end})
            if at >= end and (end == self._start or scope["method"] == "HEAD"):
                await send({"type": "http.response.body", "body": b""})
        finally:
            os.close(self._fd)
