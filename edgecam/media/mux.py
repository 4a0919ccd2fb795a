"""Packets to the bytes of a file, in memory, cut where a file may end and still play."""

from __future__ import annotations

from typing import Any

import av

from edgecam.media.encoder import TIME_BASE
from edgecam.media.formats import container_format

#: Fragments end at key frames or after this. A killed program loses one fragment and what waits in queues
#: before it, on an overloaded board half a second; together less than its last second.
FRAGMENT_S = 0.2
#: libavformat from which a fragmented MP4 can become an ordinary one when it is finished (FFmpeg 7.1).
HYBRID_SINCE = (61, 7)


class _Tape:
    """What the muxer writes to: keeps (offset, bytes) until somebody takes them."""

    def __init__(self) -> None:
        self.position = 0
        self.end = 0
        self.pieces: list[tuple[int, bytes]] = []

    def write(self, data: bytes) -> int:
        self.pieces.append((self.position, bytes(data)))
        self.position += len(data)
        self.end = max(self.end, self.position)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset + (0, self.position, self.end)[whence]
        return self.position

    def tell(self) -> int:
        return self.position


class Muxer:
    """One clip's container. Whatever :meth:`take` has returned so far is a file that plays.

    An MP4 is written in fragments, so that it plays without its end, and becomes an ordinary MP4 (index at
    the end, exact length, quick seeking) when it is finished. Matroska is written in clusters.
    """

    def __init__(self, suffix: str, template: Any, metadata: dict[str, str]) -> None:
        kind = container_format(suffix)
        options: dict[str, str] = {}
        if kind in ("mp4", "mov"):
            flags = "frag_keyframe+empty_moov+default_base_moof"
            if av.library_versions["libavformat"][:2] >= HYBRID_SINCE:
                flags += "+hybrid_fragmented"
            options = {"movflags": flags, "frag_duration": str(int(FRAGMENT_S * 1e6))}
        else:
            options = {"cluster_time_limit": str(int(FRAGMENT_S * 1e3))}
        self._tape = _Tape()
        self._out: Any = av.open(self._tape, "w", format=kind, options=options)
        add = getattr(self._out, "add_stream_from_template", None)
        self._stream: Any = add(template) if add else self._out.add_stream(template=template)
        self._stream.time_base = TIME_BASE
        self._out.metadata.update(metadata)

    def add(self, packet: Any, pts: int, duration: int) -> None:
        """Append a packet at ``pts`` ticks from the clip's start, shown for about ``duration`` ticks."""
        packet.stream = self._stream
        packet.time_base = TIME_BASE
        packet.pts = packet.dts = pts
        packet.duration = duration
        self._out.mux(packet)

    def take(self) -> list[tuple[int, bytes]]:
        """What is ready to be written, as (offset, bytes), neighbours joined. Ends at a fragment's end."""
        pieces, self._tape.pieces = self._tape.pieces, []
        joined: list[tuple[int, list[bytes], int]] = []
        for offset, data in pieces:
            if joined and joined[-1][2] == offset:
                start, parts, _ = joined[-1]
                parts.append(data)
                joined[-1] = (start, parts, offset + len(data))
            else:
                joined.append((offset, [data], offset + len(data)))
        return [(start, b"".join(parts)) for start, parts, _ in joined]

    def finish(self) -> list[tuple[int, bytes]]:
        """Close the container; the last pieces."""
        self._out.close()
        return self.take()
