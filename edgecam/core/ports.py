"""The interfaces between the rooms. The pipeline knows these and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edgecam.core.events import Event
from edgecam.core.types import (
    BoardHealth,
    Classification,
    Detections,
    Frame,
    Image,
    PowerReading,
    Result,
    Share,
)

#: Asked by a live source: whether nobody will take a frame for so many nanoseconds. Any thread.
BusyFor = Callable[[int], bool]


@runtime_checkable
class Source(Protocol):
    """Frames, one at a time, to one thread at a time.

    ``read`` has three endings that are not a frame: None (nothing within ``timeout_s``), ``EndOfStream``
    (finished) and ``CaptureError`` (broken). No read blocks its owner much beyond ``timeout_s``.
    """

    @property
    def name(self) -> str:
        """Display name, without credentials."""

    def rename(self, name: str) -> None:
        """Take another name from the next frame on, since another source has this one already."""

    @property
    def is_live(self) -> bool:
        """True if frames that nobody takes are lost (a camera); False if they wait (a file)."""

    @property
    def size_wh(self) -> tuple[int, int]:
        """Granted (width, height) in pixels; for folders, that of the first picture."""

    @property
    def rate_hz(self) -> float | None:
        """Granted or nominal frame rate; None where there is none (a folder of pictures)."""

    @property
    def description(self) -> str:
        """One line for people: what was granted, and why if it is less than what was asked."""

    @property
    def notice(self) -> str:
        """What is wrong, for people ("camera lost, retrying in 4 s"); empty while nothing is. Any thread."""

    @property
    def epoch(self) -> int:
        """Rises each time a lost source came back, or shows another scene; trackers start anew."""

    @property
    def credit(self) -> str:
        """Whose pictures these are, where they have to be credited; else empty."""

    @property
    def keep_clear(self) -> Share | None:
        """The part of its pictures that nothing may cover; None for none."""

    @property
    def undecoded(self) -> int:
        """Pictures that came so far and were left undecoded, see :meth:`skip_decoding`. Any thread."""

    def skip_decoding(self, busy_for: BusyFor) -> None:
        """From now on leave pictures undecoded that a newer one will replace, where it can. Any thread."""

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, or None if none came within ``timeout_s`` seconds."""

    def close(self) -> None:
        """Release the device. Idempotent, and safe while another thread is in ``read``."""

    def __iter__(self) -> Iterator[Frame]:
        """Frames until ``EndOfStream``; waits as long as a live source needs."""

    def __enter__(self) -> Source: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Detector(Protocol):
    """Finds objects. One thread at a time."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def input_wh(self) -> tuple[int, int]: ...

    def detect(self, frame: Frame) -> Detections:
        """Objects in pixels of ``frame.image``, best first."""


class Prepared(Protocol):
    """A frame, ready for a network to run on. Call ``run`` or ``drop``, one of them, once, on any thread."""

    def run(self) -> Callable[[], Detections]:
        """Run the network, on any thread. What is returned gives the objects when it is called, once.

        Several threads may run the network at once, on a frame each.
        """

    def drop(self) -> None:
        """The network need not run: the memory of its input may be used again."""


@runtime_checkable
class TwoStepDetector(Detector, Protocol):
    """A detector whose network may run on the next frame while its outputs for this one are worked out."""

    def prepare(self, frame: Frame) -> Prepared:
        """Do what comes before the network. Any thread, while the network runs on other frames."""


class Classifier(Protocol):
    """Names what a picture, or a part of it, shows. One thread at a time."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    def classify(self, image: Image, xyxy: NDArray[np.float32] | None = None) -> tuple[Classification, ...]:
        """The best classes of ``image``, or of its box ``xyxy`` (4,), best first."""


class Tracker(Protocol):
    """Gives objects identities between frames."""

    def update(self, detections: Detections, at_ns: int) -> Detections:
        """The detections with ``track_id`` and ``velocity`` set, for the frame captured at ``at_ns``."""

    def single(self, detections: Detections) -> Detections:
        """A picture that stands alone: the score alone decides. Each detection gets a ``track_id``."""

    def reset(self) -> None:
        """Forget all tracks (the source was lost and came back)."""


class SceneWatch(Protocol):
    """Tells whether a source still shows the same scene."""

    def sample(self, image: Image) -> NDArray[np.float32]:
        """What :meth:`look` compares of a picture. Any number of threads; cheapest on the one that has just
        read the picture, in whose cache it still is."""

    def look(self, sample: NDArray[np.float32], at_ns: int) -> Literal["same", "cut", "fade"]:
        """``cut``: this is the first picture of another scene; ``fade``: one scene is turning into another.
        Called for every frame, in their order, by one thread; must be quick."""

    def reset(self) -> None:
        """The picture was interrupted."""


class Sink(Protocol):
    """Takes results: a recorder, an event log, a stream. Called from one thread of its own."""

    def open(self) -> None: ...

    def write(self, result: Result) -> None: ...

    def close(self) -> None:
        """Flush and finish. Idempotent."""


class Rule(Protocol):
    """Makes events of one source's results. One thread at a time.

    Pure, with no clock but the frames': the same results give the same events, byte for byte.
    """

    def feed(self, result: Result) -> Sequence[Event]:
        """The events of this frame, in order. Results are given in their order."""

    def end(self) -> Sequence[Event]:
        """The end events of all that still lasts, at the last frame's time: the source has no more frames."""


class EventSink(Protocol):
    """Takes events: a store, a broker, a webhook. Called from one thread of its own, like :class:`Sink`."""

    def open(self) -> None: ...

    def write(self, event: Event) -> None: ...

    def close(self) -> None:
        """Flush and finish. Idempotent."""


class TensorSpec(Struct, frozen=True):
    """A graph's input or output: name, NumPy dtype, and shape with None where the graph leaves it open."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    @property
    def is_fixed(self) -> bool:
        """True if every axis has a size."""
        return all(size is not None for size in self.shape)


class Bound(Protocol):
    """A graph with the buffers that it reads and writes. One thread at a time."""

    def run(self) -> tuple[NDArray[Any], ...]:
        """Run once; the arrays are valid until the next run."""


class Runtime(Protocol):
    """A model file loaded by whatever runs graphs; several threads may run it, each with its own ``bind``."""

    @property
    def inputs(self) -> Sequence[TensorSpec]: ...

    @property
    def outputs(self) -> Sequence[TensorSpec]: ...

    def bind(self, buffer: NDArray[Any], outputs: Sequence[str] | None = None) -> Bound:
        """Feed the only input from ``buffer`` (C-contiguous, kept), read ``outputs``; None reads all."""


class PowerMeter(Protocol):
    """Reads, or estimates, what the board draws."""

    @property
    def name(self) -> str: ...

    def read(self) -> PowerReading | None:
        """The power now, or None if the meter has nothing to say at the moment."""


class HealthMeter(Protocol):
    """Reads temperature, frequency and throttling."""

    def read(self) -> BoardHealth: ...


class Observer(Protocol):
    """Counts what happens in the pipeline. Called from several threads; must be quick."""

    def captured(self, source: str) -> None: ...

    def dropped(self, count: int) -> None: ...

    def inferred(self, result: Result) -> None: ...

    def displayed(self, result: Result, at_ns: int) -> None: ...


class Pulse(Protocol):
    """Is told by each thread of the pipeline, once per turn of its loop, that it runs. Must be quick."""

    def beat(self, stage: str) -> object: ...

    def expect(self, stage: str) -> None: ...

    def retire(self, stage: str) -> None: ...
