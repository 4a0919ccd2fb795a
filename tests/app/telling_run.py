"""The program's parts from a source to the store, around a world whose every box is known."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from edgecam.app.telling import Telling
from edgecam.capture.generated.synthetic import LABELS, SyntheticSource
from edgecam.config import load
from edgecam.inference.scripted import ScriptedDetector
from edgecam.pipeline.fanout import SinkLane
from edgecam.pipeline.pipeline import Pipeline
from edgecam.pipeline.vision import Vision
from edgecam.pipeline.workers import Eye
from edgecam.record.recorder import Recorder, RecordOptions
from edgecam.telemetry.collector import StatsCollector
from edgecam.tracking.identities import SortTracker


class Run:
    """The program's parts around a synthetic world whose every box is known."""

    def __init__(
        self, folder: Path, *, frames: int = 240, all_the_time: bool = False, **settings: object
    ) -> None:
        self.source = SyntheticSource((320, 180), 30.0, objects=3, frames=frames, seed=0)
        config = load({"record": str(folder), **settings}, {})
        self.collector = StatsCollector("scripted", None, None)
        opened: list[tuple[str, Recorder]] = []
        joules = iter(range(10_000))
        self.telling = Telling(config, [self.source], LABELS, opened, lambda: float(next(joules)))
        self.undo = ExitStack()
        self.telling.open(self.undo)
        recorder = Recorder(
            folder,
            options=RecordOptions(
                view="clean",
                live=False,
                nominal_hz=30.0,
                record_on=() if all_the_time else ("api",),
                segment_s=5.0,
                camera="synthetic",
                camera_in_name=False,
                pre_s=0.5,
                post_s=0.5,
            ),
        )
        recorder.open()
        opened.append((self.source.name, recorder))
        detector = ScriptedDetector(lambda frame: self.source.truth(frame.index), LABELS)
        vision = Vision(detector, SortTracker(size_wh=(320, 180)))
        self.pipeline = Pipeline(
            [Eye(self.source, vision)],
            [SinkLane(recorder, "record", lossless=True, only=0)],
            self.collector,
            finish=self.telling.look,
        )

    def go(self) -> None:
        self.telling.start()
        self.pipeline.start()
        assert self.pipeline.wait(60)
        self.pipeline.stop()
        self.telling.close()
        self.undo.close()


ZONE = "left=0,0 0.5,0 0.5,1 0,1"
