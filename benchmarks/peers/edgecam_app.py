"""edgecam itself on the peers' camera: the App with tracking, and a sink that paints the annotated picture.

    python benchmarks/peers/edgecam_app.py --model default --pictures DIR

Frame age counts to the painted picture, as with the peers. Threads: as tuning chose, or `--threads`.
"""

from __future__ import annotations

import cv2
import onnxruntime as ort
from harness import Camera, Watch, arguments, finish

import edgecam
from edgecam.app.app import App
from edgecam.capture.base import LiveSource
from edgecam.capture.decode.raw import decode
from edgecam.config import load
from edgecam.core.clock import now_ns
from edgecam.core.types import Frame, Result
from edgecam.pipeline.fanout import SinkLane


class PeersCamera(LiveSource):
    """The harness's camera as a Source; decodes as edgecam's own V4L2 source."""

    def __init__(self, camera: Camera) -> None:
        super().__init__("peers:")
        self._camera, self._size_wh = camera, (1280, 720)

    def _read(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 (the harness waits)
        jpeg, number, captured = self._camera.grab()
        came_ns = now_ns()
        if self._skipping.passes_over(came_ns):
            return None
        picture = decode(jpeg, "MJPG", self._size_wh, 0)
        assert picture is not None
        self._skipping.decoded(came_ns)
        return Frame(picture, number, int(captured * 1e9), self._name)


class Painter:
    """Draws every result, on a thread of its own, like a recorder or a stream."""

    def __init__(self, app: App, watch: Watch) -> None:
        self.app, self.watch = app, watch

    def open(self) -> None: ...

    def write(self, result: Result) -> None:
        self.app.annotate(result)
        frame = result.frame
        if self.watch.done(frame.index, frame.captured_ns / 1e9, len(result.detections)):
            self.app.pipeline.end()

    def close(self) -> None: ...


options = arguments()
config = load(
    {
        "source": ["synthetic:"],
        "detector": options.model,
        "classifier": "off",
        "threads": options.threads,
        "display": "none",
    },
    {},
)
app = App(
    config, paced=False, opener=lambda _uri, _options: PeersCamera(Camera(options.pictures, options.rate))
)
watch = Watch(options.seconds)
app.start()
app.pipeline.add_sink(SinkLane(Painter(app, watch), "paint", lossless=False))
app.pipeline.wait(options.seconds + 60)
app.stop()
session = app.models.detector.session  # type: ignore[union-attr]
finish(
    "edgecam",
    watch,
    {"edgecam": edgecam.__version__, "onnxruntime": ort.__version__, "opencv": cv2.__version__},
    f"{session.path.name}, {session.threads} thread(s)",
)
