"""What the whole program is doing, as one immutable picture: :class:`State`.

The composition root makes one a few times a second. Status line, window, JSON, summary and every output that
leaves the program are made from it, so that they never contradict one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct, field

from edgecam.core.areas import NO_AREAS, Areas
from edgecam.core.types import BoardHealth, Latency, PowerKind, PowerReading, Stats

#: What a notice is about: a camera that is lost, the board's supply, a recording, a limit that is kept.
NoticeKind = Literal["camera", "supply", "record", "limit"]
NO_SETTINGS: Mapping[str, object] = MappingProxyType({})


class Notice(Struct, frozen=True):
    """One sentence for people about something that is not as it should be, or that is given up for a limit.

    source: the name of the camera that it concerns; empty where it concerns them all.
    """

    kind: NoticeKind
    text: str
    source: str = ""


class SourceState(Struct, frozen=True):
    """One source.

    name: display name, unique among the sources, without credentials. size_wh: (width, height), pixels.
    rate_hz: granted or nominal rate; None where there is none. description: one line, what was granted.
    notice: what is wrong with this source; empty while nothing is. lost: a live source that gives no frames
    at the moment. paused: a file that a person holds. ended: nothing more will come.
    captured, inferred, stale, stopped: where its frames went; the last three make up the first, save for
    those under way. stats: its own rates and ages; ``stats.notice`` is what its picture should say.
    """

    name: str
    size_wh: tuple[int, int] = (0, 0)
    rate_hz: float | None = None
    is_live: bool = True
    description: str = ""
    notice: str = ""
    lost: bool = False
    paused: bool = False
    ended: bool = False
    captured: int = 0
    inferred: int = 0
    stale: int = 0
    stopped: int = 0
    stats: Stats = field(default_factory=Stats)
    areas: Areas = NO_AREAS


class RecorderState(Struct, frozen=True):
    """One recorder. ``fault`` is empty when all is well.

    source: the camera's name. path: the clip being written, or None. clips: how many were finished, and
    finished: the last hundred of them. lost: frames that are in no clip; why_lost: the reasons, those
    that cost most first. nbytes: written so far. used_bytes: held by all clips in its folder.
    free_bytes: they may still grow by so much. days_left: for how long that is at the present rate. Each
    None while not known.
    """

    source: str
    recording: bool = False
    path: str | None = None
    clips: int = 0
    finished: tuple[str, ...] = ()
    frames: int = 0
    lost: int = 0
    why_lost: str = ""
    nbytes: int = 0
    fault: str = ""
    encoder: str = ""
    used_bytes: int | None = None
    free_bytes: int | None = None
    days_left: float | None = None


class ModelState(Struct, frozen=True):
    """One model in use.

    name: the card's. description: size, precision, what it runs on. input_wh: (width, height) it sees.
    labels: by class id. enabled: the labels that are looked for now; usual: those that are unless somebody
    asks otherwise. score: from which one on something is shown now, 0 to 1.
    """

    task: Literal["detection", "classification"]
    name: str
    description: str = ""
    input_wh: tuple[int, int] = (0, 0)
    labels: tuple[str, ...] = ()
    enabled: frozenset[str] = frozenset()
    score: float = 0.0
    usual: frozenset[str] = frozenset()


class EnergySpan(Struct, frozen=True):
    """Energy, time and work between two moments."""

    energy_j: float
    seconds: float
    frames: int
    inferences: int

    @property
    def mean_power_w(self) -> float | None:
        """Mean power of the span; None for an empty one."""
        return self.energy_j / self.seconds if self.seconds > 0.0 else None

    @property
    def mj_per_frame(self) -> float | None:
        """Millijoules per captured frame; None if there was none."""
        return self.energy_j * 1e3 / self.frames if self.frames > 0 else None

    @property
    def mj_per_inference(self) -> float | None:
        """Millijoules per result; None if there was none."""
        return self.energy_j * 1e3 / self.inferences if self.inferences > 0 else None


class RunTotals(Struct, frozen=True):
    """The whole run, for the summary at its end. Rates run from each stage's first event to its last.

    frames_inferred: frames with a result. inferences: results for which a model really ran.
    """

    frames_in: int
    frames_inferred: int
    inferences: int
    frames_displayed: int
    frames_dropped: int
    capture_fps: float
    inference_fps: float
    display_fps: float
    frame_age: Latency | None
    display_age: Latency | None
    inference: Latency | None
    energy: EnergySpan | None
    power_kind: PowerKind | None
    power_source: str
    max_temperature_c: float | None
    throttled: tuple[str, ...]


class State(Struct, frozen=True):
    """Everything that can be told about a run at one moment.

    at_ns: that moment, of :func:`edgecam.core.clock.now_ns`. uptime_s: since the start.
    stats: rates, ages, power and heat of all sources together; ``stats.notice`` is :attr:`notice`.
    ended: every source is exhausted, or the run failed. notices: composed here and nowhere else.
    settings: the live settings' values now, by option name (``score``, ``classes``, ``detect_rate`` …).
    energy: all that was measured so far; None before two readings. totals: the whole run; only in the last
    state, for the summary.
    skipped_still: frames without a detection of their own since nothing moved; None without ``--gate``.
    skipped_rate: the same for the detection rate. max_age_ms: ``--max-age``, and too_old: results that were
    older than that when they were ready.
    """

    at_ns: int
    version: str = ""
    uptime_s: float = 0.0
    stats: Stats = field(default_factory=Stats)
    sources: tuple[SourceState, ...] = ()
    ended: bool = False
    notices: tuple[Notice, ...] = ()
    recorders: tuple[RecorderState, ...] = ()
    models: tuple[ModelState, ...] = ()
    settings: Mapping[str, object] = field(default_factory=lambda: NO_SETTINGS)
    energy: EnergySpan | None = None
    totals: RunTotals | None = None
    skipped_still: int | None = None
    skipped_rate: int = 0
    max_age_ms: float | None = None
    too_old: int = 0

    @property
    def power(self) -> PowerReading | None:
        """What the board draws; None without a meter."""
        return self.stats.power

    @property
    def health(self) -> BoardHealth:
        """Heat, frequency, throttling."""
        return self.stats.health

    @property
    def recording(self) -> bool:
        """Whether a clip is being written."""
        return any(recorder.recording for recorder in self.recorders)

    @property
    def fault(self) -> str:
        """Why a recorder cannot write; empty when all is well."""
        return next((recorder.fault for recorder in self.recorders if recorder.fault), "")

    @property
    def days_left(self) -> float | None:
        """For how long there is space for clips, of the recorder with the least; None while not known."""
        return min((r.days_left for r in self.recorders if r.days_left is not None), default=None)

    @property
    def notice(self) -> str:
        """Every notice, in one line; a camera's with its name where there are several."""
        return notice_line(self.notices, named=len(self.sources) > 1)

    @property
    def common_notice(self) -> str:
        """The notices that concern no single camera, in one line."""
        return notice_line(notice for notice in self.notices if not notice.source)

    @property
    def detector(self) -> ModelState | None:
        """The model that detects; None without one."""
        return next((model for model in self.models if model.task == "detection"), None)

    def source(self, name: str) -> SourceState | None:
        """The source of that name; None where there is none."""
        return next((source for source in self.sources if source.name == name), None)


def notice_line(notices: Iterable[Notice], *, named: bool = False) -> str:
    """``notices`` joined in one line, each once. named: a camera's begins with its name."""
    texts = (f"{n.source}: {n.text}" if named and n.source else n.text for n in notices)
    return " · ".join(dict.fromkeys(texts))
