"""Decides where clips begin and end: in segments, or around events. Writes nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edgecam.media.encoder import TICKS_PER_S
from edgecam.media.packets import PacketGroup
from edgecam.media.ring import PacketRing
from edgecam.record.clip import Clip

#: A continuous recording is cut where a camera was away for longer than this.
GAP_S = 10.0


class Writer(Protocol):
    """What a cutter commands: clips are opened, written and finished."""

    @property
    def clip(self) -> Clip | None:
        """The clip that is open, if any."""

    def begin(self, group: PacketGroup, causes: Sequence[str]) -> bool:
        """Open a clip that starts with ``group`` (a key frame); False if the disk has no space."""

    def add(self, group: PacketGroup) -> None:
        """Append to the open clip."""

    def end(self, why: str) -> None:
        """Finish the open clip."""


class ContinuousCutter:
    """Everything is recorded; a new clip every ``segment_s`` seconds, from one key frame to the next."""

    def __init__(self, writer: Writer, segment_s: float | None) -> None:
        self._writer = writer
        self._segment = None if segment_s is None else round(segment_s * TICKS_PER_S)

    def wants_key(self, pts: int) -> bool:
        """Whether the frame at ``pts`` should be a key frame because a cut is due."""
        clip = self._writer.clip
        return clip is None or self._due(clip, pts)

    def _due(self, clip: Clip, pts: int) -> bool:
        return self._segment is not None and pts - clip.first.pts >= self._segment

    def route(self, group: PacketGroup, causes: Sequence[str], stop: bool) -> None:  # noqa: ARG002
        """Take the next packet group."""
        clip = self._writer.clip
        if clip is not None and group.key:
            if self._due(clip, group.pts):
                self._writer.end("segment")
            elif self._segment is not None and group.pts - clip.last.pts > GAP_S * TICKS_PER_S:
                self._writer.end("gap")
        clip = self._writer.clip
        if clip is None and (not group.key or not self._writer.begin(group, causes)):
            return
        self._writer.add(group)
        if self._writer.clip is not None:
            self._writer.clip.note(causes, group.pts)

    def forget(self) -> None:
        """The encoders were replaced: nothing kept can be used."""

    def rewind(self) -> None:
        """The clip failed on the disk: what is kept may be written again."""


class EventCutter:
    """A clip per event, from ``pre_s`` before it to ``post_s`` after its last cause.

    An event whose pre-roll would reach back into the clip before is joined to that clip: the clip stays
    open, but idle, for as long as the ring still touches it. A clip that reaches ``longest_s`` goes on in a
    new one, from the next key frame, without a gap.
    """

    def __init__(
        self, writer: Writer, *, pre_s: float, post_s: float, longest_s: float, ring_bytes: int
    ) -> None:
        self._writer = writer
        self._post = round(post_s * TICKS_PER_S)
        self._longest = round(longest_s * TICKS_PER_S)
        self._ring = PacketRing(round(pre_s * TICKS_PER_S), ring_bytes)
        self._until: int | None = None
        self._written = -1
        self._causes: list[str] = []

    def wants_key(self, pts: int) -> bool:
        """Whether the frame at ``pts`` should be a key frame because a cut is due."""
        clip = self._writer.clip
        return self._ring.first is None or (clip is not None and pts - clip.first.pts >= self._longest)

    def route(self, group: PacketGroup, causes: Sequence[str], stop: bool) -> None:
        """Take the next packet group, with what was seen in it."""
        self._ring.push(group)
        if causes:
            self._until = group.pts + self._post
            self._causes.extend(c for c in causes if c not in self._causes)
        if stop:
            self._until = None
        if self._until is not None and group.pts > self._until:
            self._until = None
        if self._writer.clip is not None and (stop or not self._touches()):
            self._writer.end("event over")
        if self._until is None:
            self._causes.clear()
            return
        if self._writer.clip is None and not self._begin():
            return
        self._write_new()
        if self._writer.clip is not None:
            self._writer.clip.note(causes, group.pts)

    def _begin(self) -> bool:
        first = next((m for m in self._ring.after(self._written) if m.key), None)
        if first is None or not self._writer.begin(first, tuple(self._causes)):
            return False
        self._written = first.number - 1
        return True

    def _write_new(self) -> None:
        """Write what the ring holds after the last group written, cut where the clip is long enough."""
        for group in list(self._ring.after(self._written)):
            clip = self._writer.clip
            if clip is not None and group.key and group.pts - clip.first.pts >= self._longest:
                self._writer.end("longest length")
                if not self._writer.begin(group, tuple(self._causes)):
                    return
            self._writer.add(group)
            self._written = group.number

    def _touches(self) -> bool:
        """Whether the ring still holds everything that came after the clip."""
        first = self._ring.first
        return first is not None and first.number <= self._written + 1

    def forget(self) -> None:
        """The encoders were replaced: nothing kept can be used."""
        self._ring.clear()

    def rewind(self) -> None:
        """The clip failed on the disk: what is kept may be written again."""
        self._written = -1
