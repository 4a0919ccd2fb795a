"""``--metrics``: what Prometheus scrapes. Base units, no label per track."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from edgecam.core.errors import ConfigError, MissingExtraError
from edgecam.core.events import Event
from edgecam.core.state import RecorderState, SourceState, State
from edgecam.core.types import Result
from edgecam.host.installation import install_extra

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from edgecam.outputs.metrics_server import MetricsServer

log = logging.getLogger(__name__)

#: Upper bounds in seconds: a frame of 30 a second lasts 0.033; what is older than a second is broken.
AGE_BUCKETS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
#: Of an inference, from a fast model on a PC to a large one on a Pi 3.
INFERENCE_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0)


def parse_address(text: str, option: str = "--metrics") -> tuple[str, int]:
    """``[ADDR:]PORT`` to (address, port); without an address only this machine is served.

    Raises ConfigError.
    """
    address, _, port = text.rpartition(":")
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ConfigError(f"{option} '{text}': give a port from 1 to 65535, such as 9100 or 0.0.0.0:9100")
    return address.strip("[]") or "127.0.0.1", int(port)


class MetricsOutput:
    """A page for Prometheus, made at each scrape from the newest State.

    state: see :class:`edgecam.core.control.Control`. waiting: events not yet delivered, by destination.
    ``observe`` and ``write`` may be called by any thread.
    """

    def __init__(
        self,
        address: tuple[str, int],
        state: Callable[[], State],
        waiting: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram
        except ModuleNotFoundError:
            raise MissingExtraError(
                f"--metrics needs the package prometheus-client: {install_extra('metrics')}"
            ) from None
        self._address = address
        self._state = state
        self._waiting = waiting
        self._server: MetricsServer | None = None
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._age = Histogram(
            "edgecam_frame_age_seconds", "Capture to result", ["camera"],
            buckets=AGE_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._inference = Histogram(
            "edgecam_inference_seconds", "Time in the models per result", ["camera"],
            buckets=INFERENCE_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._detections = Counter(
            "edgecam_detections", "Objects shown, summed over results", ["camera", "label"],
            registry=self.registry,
        )  # fmt: skip
        self._events = Counter(
            "edgecam_events", "Events by kind and moment", ["camera", "kind", "label", "type"],
            registry=self.registry,
        )  # fmt: skip

    @property
    def port(self) -> int:
        """The port that is served, while it is open."""
        assert self._server is not None
        return self._server.server_port

    def observe(self, result: Result) -> None:
        """Count a result."""
        camera = result.frame.source
        self._age.labels(camera).observe(max(0.0, result.frame_age_ms / 1000))
        if result.inference_ms > 0:
            self._inference.labels(camera).observe(result.inference_ms / 1000)
        found = result.detections
        for class_id in found.class_id.tolist():
            self._detections.labels(camera, found.labels[class_id]).inc()

    def open(self) -> None:
        """Serve the page. Raises ConfigError where the port cannot be had."""
        from edgecam.outputs.metrics_server import MetricsServer

        address, port = self._address
        try:
            self._server = MetricsServer((address, port), self.registry)
        except OSError as error:
            raise ConfigError(
                f"--metrics {address}:{port}: cannot listen there ({error.strerror}); give another port"
            ) from None
        log.info("metrics at http://%s:%d/metrics", address, port)

    def write(self, event: Event) -> None:
        """Count an event."""
        self._events.labels(event.camera, event.kind, event.label or "", event.type).inc()

    def close(self) -> None:
        """Serve no more. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def collect(self) -> Iterator[Metric]:
        """prometheus-client asks here at each scrape."""
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        state = self._state()
        detector = state.detector
        yield InfoMetricFamily(
            "edgecam_build", "Version and model",
            value={"version": state.version, "detector": "" if detector is None else detector.name},
        )  # fmt: skip
        yield _gauge("edgecam_uptime_seconds", "Since the start", state.uptime_s)
        yield from _of_sources(state.sources)
        yield from _of_board(state)
        yield from _of_recorders(state)
        waiting = GaugeMetricFamily(
            "edgecam_events_waiting", "Events not yet delivered", labels=["destination"]
        )
        for name, count in self._waiting().items():
            waiting.add_metric([name], count)
        yield waiting


def _gauge(name: str, text: str, value: float | None) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, text)
    if value is not None:
        family.add_metric([], value)
    return family


def _of_sources(sources: tuple[SourceState, ...]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    captured = CounterMetricFamily("edgecam_frames_captured", "Frames from the source", labels=["camera"])
    inferred = CounterMetricFamily("edgecam_frames_inferred", "Frames with a result", labels=["camera"])
    dropped = CounterMetricFamily(
        "edgecam_frames_dropped", "Frames without a result, and why", labels=["camera", "reason"]
    )
    rate = GaugeMetricFamily(
        "edgecam_rate_hertz", "Frames a second by stage, over the last seconds", labels=["camera", "stage"]
    )
    up = GaugeMetricFamily("edgecam_camera_up", "1 while the camera gives frames", labels=["camera"])
    for source in sources:
        name, stats = source.name, source.stats
        captured.add_metric([name], source.captured)
        inferred.add_metric([name], source.inferred)
        dropped.add_metric([name, "stale"], source.stale)
        dropped.add_metric([name, "stopped"], source.stopped)
        for stage, value in (
            ("capture", stats.capture_fps),
            ("inference", stats.inference_fps),
            ("display", stats.display_fps),
        ):
            rate.add_metric([name, stage], value)
        up.add_metric([name], 0.0 if source.lost or source.ended else 1.0)
    yield from (captured, inferred, dropped, rate, up)


def _of_board(state: State) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    health, reading = state.health, state.power
    power = GaugeMetricFamily(
        "edgecam_power_watts", "What the board draws; kind: measured or estimated", labels=["source", "kind"]
    )
    if reading is not None:
        power.add_metric([reading.source, reading.kind], reading.power_w)
    yield power
    energy = CounterMetricFamily("edgecam_energy_joules", "Energy since the start")
    if state.energy is not None:
        energy.add_metric([], state.energy.energy_j)
    yield energy
    mj = state.stats.mj_per_frame
    yield _gauge("edgecam_frame_energy_joules", "Energy per frame", None if mj is None else mj / 1000)
    yield _gauge("edgecam_temperature_celsius", "The board's hottest sensor", health.temperature_c)
    mhz = health.frequency_mhz
    yield _gauge("edgecam_cpu_frequency_hertz", "Clock of the CPU", None if mhz is None else mhz * 1e6)
    cpu = health.cpu_percent
    yield _gauge("edgecam_cpu_ratio", "Share of all CPUs that is busy", None if cpu is None else cpu / 100)
    throttled = GaugeMetricFamily(
        "edgecam_throttled", "1 while the firmware holds the board back", labels=["reason"]
    )
    for reason in health.throttled_now:
        throttled.add_metric([reason], 1)
    yield throttled


def _of_recorders(state: State) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    recording = GaugeMetricFamily("edgecam_recording", "1 while a clip is being written", labels=["camera"])
    fault = GaugeMetricFamily("edgecam_recording_fault", "1 while nothing can be written", labels=["camera"])
    lost = CounterMetricFamily("edgecam_frames_unrecorded", "Frames that are in no clip", labels=["camera"])
    used = GaugeMetricFamily("edgecam_clips_bytes", "Held by all clips of the folder", labels=["camera"])
    free = GaugeMetricFamily("edgecam_clips_free_bytes", "They may still grow by this", labels=["camera"])
    by_camera: dict[str, RecorderState] = {}
    for recorder in state.recorders:  # a camera may have had several; the newest speaks
        by_camera[recorder.source] = recorder
    for name, recorder in by_camera.items():
        recording.add_metric([name], float(recorder.recording))
        fault.add_metric([name], float(bool(recorder.fault)))
        lost.add_metric([name], sum(r.lost for r in state.recorders if r.source == name))
        if recorder.used_bytes is not None:
            used.add_metric([name], recorder.used_bytes)
        if recorder.free_bytes is not None:
            free.add_metric([name], recorder.free_bytes)
    yield from (recording, fault, lost, used, free)
