"""One recorded instant: its packets, its line for the black box, and now and then a small picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from edgecam.core.types import Image
from edgecam.media.encoder import TICKS_PER_S


def to_ticks(at_ns: int) -> int:
    """Nanoseconds to ticks of the encoder's time base, rounded."""
    return (at_ns * TICKS_PER_S + 500_000_000) // 1_000_000_000


@dataclass(slots=True)
class PacketGroup:
    """What is kept of one frame, in every view.

    number: 0, 1, 2 … in the order of recording.
    pts: ticks of the encoder's time base on the recording's own timeline, always growing.
    wall: UTC time of capture.
    packets: one per view; filled in as the encoders deliver.
    record: the sidecar's object; where none is kept, only what was seen.
    thumbnail: (h, w, 3) uint8 BGR at key frames, for the contact sheet.
    """

    number: int
    pts: int
    wall: datetime
    packets: list[Any] = field(default_factory=list)
    record: dict[str, Any] | None = None
    thumbnail: Image | None = None

    @property
    def key(self) -> bool:
        """Whether a clip can begin here: every view has a key frame."""
        return all(packet.is_keyframe for packet in self.packets)

    @property
    def nbytes(self) -> int:
        """Memory held by the packets."""
        return sum(int(packet.size) for packet in self.packets)
