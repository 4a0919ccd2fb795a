"""One happening from its beginning to its end, and the events that tell it."""

from __future__ import annotations

from msgspec import Struct, field

from edgecam.core.events import Event, EventKind, EventType, event_id
from edgecam.rules.objects import Obj

#: A better picture is told at most this often, and only if its score is so much better.
BETTER_NS, BETTER_SCORE = 1_000_000_000, 0.05


class Now(Struct, frozen=True):
    """The frame that is being looked at. ns: of its timeline; ms: wall time. version: of the rules."""

    ns: int
    ms: int
    size_wh: tuple[int, int]
    camera: str
    version: str


class Story(Struct, eq=False):
    """What began at ``start_ns`` (``start_ms`` of wall time). about: tells it from others that began then."""

    kind: EventKind
    rule: str
    start_ns: int
    start_ms: int
    about: tuple[object, ...]
    obj: Obj | None = None
    label: str | None = None
    zones: tuple[str, ...] = ()
    line: str | None = None
    direction: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    message: str | None = None
    identity: str = ""
    told_ns: int = 0
    told_score: float = 0.0
    told_resting: bool = False

    def better(self, now: Now) -> bool:
        """Whether this frame shows the object so much better that it is worth an update."""
        obj = self.obj
        return (
            obj is not None
            and obj.score >= self.told_score + BETTER_SCORE
            and obj.score >= obj.top_score
            and now.ns - self.told_ns >= BETTER_NS
        )

    def tell(
        self, kind: EventType, now: Now, zones: tuple[str, ...] = (), end_ns: int | None = None
    ) -> Event:
        """The event of this moment. zones: where its object is now. end_ns: when it ended."""
        obj = self.obj
        self.told_ns = now.ns
        start = self.start_ms / 1000
        end = None if end_ns is None else round((self.start_ms + (end_ns - self.start_ns) / 1e6) / 1000, 3)
        identity = self.identity = self.identity or event_id(
            start, now.camera, self.kind, self.rule, *self.about
        )
        if obj is None:
            return Event(
                id=identity, type=kind, kind=self.kind, camera=now.camera, label=self.label,
                start_time=start, end_time=end, time=now.ms / 1000, zones=self.zones,
                entered_zones=self.zones, counts=dict(self.counts) or None, message=self.message,
                rule=self.rule, rules_version=now.version,
            )  # fmt: skip
        self.told_resting = obj.resting
        self.told_score = max(self.told_score, obj.score)
        width, height = now.size_wh
        x1, y1, x2, y2 = obj.box
        dwell_ns = (now.ns if end_ns is None else end_ns) - self.start_ns
        return Event(
            id=identity, type=kind, kind=self.kind, camera=now.camera, label=obj.label,
            track_id=obj.track_id, score=obj.score, top_score=obj.top_score,
            box=(round(x1), round(y1), round(x2), round(y2)),
            box_norm=(
                round(x1 / width, 4), round(y1 / height, 4), round(x2 / width, 4), round(y2 / height, 4),
            ),
            start_time=start, end_time=end, time=now.ms / 1000, zones=zones,
            entered_zones=tuple(obj.entered), stationary=obj.resting,
            speed=None if obj.speed is None else round(obj.speed, 2),
            rule=self.rule, rules_version=now.version, line=self.line, direction=self.direction,
            counts=dict(self.counts) or None,
            dwell_s=round(dwell_ns / 1e9, 2) if self.kind == "zone" else None,
            path=tuple(obj.path) if kind == "end" or self.kind == "line" else (),
        )  # fmt: skip
