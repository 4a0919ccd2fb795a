"""Where clips begin and end, for any sequence of events; no encoder, no disk."""

from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edgecam.media.encoder import TICKS_PER_S
from edgecam.media.packets import PacketGroup
from edgecam.record.cutting import ContinuousCutter, EventCutter

HZ = 5
STEP = TICKS_PER_S // HZ
WALL = datetime(2026, 11, 20, tzinfo=timezone.utc)


@dataclass
class Tape:
    """A writer that remembers."""

    clips: list[list[int]] = field(default_factory=list)
    clip: Any = None

    def begin(self, packets: PacketGroup, causes: Any) -> bool:
        assert self.clip is None and packets.key
        self.clip = SimpleNamespace(
            first=packets, last=packets, causes=list(causes), note=lambda causes, pts: None
        )
        self.clips.append([])
        return True

    def add(self, packets: PacketGroup) -> None:
        self.clips[-1].append(packets.number)
        self.clip.last = packets

    def end(self, why: str) -> None:
        assert self.clip is not None
        self.clip = None


def packet_group(number: int, key: bool) -> PacketGroup:
    return PacketGroup(number, number * STEP, WALL, [SimpleNamespace(is_keyframe=key, size=100)])


frames = st.integers(0, 150)


@settings(max_examples=150, deadline=None)
@given(
    events=st.sets(frames, max_size=12),
    pre=st.integers(0, 6),
    post=st.integers(0, 6),
    longest=st.integers(4, 20),
    group=st.integers(1, 9),
)
def test_every_wanted_frame_is_in_exactly_one_clip(
    events: set[int], pre: int, post: int, longest: int, group: int
) -> None:
    tape = Tape()
    cutter = EventCutter(tape, pre_s=pre, post_s=post, longest_s=longest, ring_bytes=10**9)
    for n in range(160):
        cutter.route(packet_group(n, n % group == 0), ("x",) if n in events else (), stop=False)
    written = [n for clip in tape.clips for n in clip]
    assert written == sorted(set(written))  # in order, none twice
    wanted = {n for e in events for n in range(max(0, e - pre * HZ), min(159, e + post * HZ) + 1)}
    assert wanted <= set(written)
    for clip in tape.clips:
        assert clip[0] % group == 0 and clip == list(range(clip[0], clip[-1] + 1))
        assert len(clip) < longest * HZ + 1 + group
    # nothing is written for nothing: at most a key-frame interval before a pre-roll, or what joins two events
    for n in set(written) - wanted:
        later = [e for e in events if e > n]
        assert later and min(later) - n <= (pre + post + pre) * HZ + 2 * group


@settings(max_examples=60, deadline=None)
@given(segment=st.integers(1, 10), group=st.integers(1, 9), frames=st.integers(1, 200))
def test_segments_hold_everything_once(segment: int, group: int, frames: int) -> None:
    tape = Tape()
    cutter = ContinuousCutter(tape, float(segment))
    for n in range(frames):
        cutter.route(packet_group(n, n % group == 0), (), stop=False)
    assert [n for clip in tape.clips for n in clip] == list(range(frames))
    for clip in tape.clips[:-1]:
        assert segment * HZ <= len(clip) < segment * HZ + group
