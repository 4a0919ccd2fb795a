"""``edgecam latency-test``: glass to glass, through the camera, the detector and the screen of this board."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgecam.core.console import err, raw_out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, CaptureError, ConfigError, DisplayError
from edgecam.core.progress import ProgressBar
from edgecam.core.units import Seconds

if TYPE_CHECKING:
    from edgecam.app.app import App
    from edgecam.config import Config
    from edgecam.latency.measure import Measurement, Report

_HELP = """\
Measure the time from something happening before the camera to it being on the screen. The program shows a
changing code on this board's screen; point the camera at it, so that the white square fills about a third of
the camera's picture. The first picture that shows a new code, painted on that same screen, ends its time.
"""

_EXAMPLES = """\
examples:
  edgecam latency-test --source /dev/video0                 with the detector, as edgecam runs
  edgecam latency-test --source csi:0 --detector off        the camera and the screen alone
  edgecam latency-test --source 0 --duration 60s --histogram usb.png --json
  edgecam latency-test --self-check                         no camera, no screen: a loop of known delay

The time contains the wait for the camera's next exposure, half a frame's time on average. The parts: to frame
is screen, exposure, camera and transport; to result is waiting and detection; to screen is painting.
"""


def _duration(text: str) -> float:
    try:
        value = Seconds.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 0.0 <= value <= 3600.0:
        raise argparse.ArgumentTypeError(f"'{text}' must be at most an hour")
    return float(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam latency-test",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", metavar="CAMERA", help="as in edgecam --source; it must be live")
    parser.add_argument("--size", metavar="WxH", help="size to ask the camera for")
    parser.add_argument("--rate", metavar="FPS", help="frames per second to ask the camera for")
    parser.add_argument("--detector", metavar="NAME|FILE|off", help="default: as edgecam runs")
    parser.add_argument("--duration", type=_duration, default=20.0, metavar="TIME", help="default 20s")
    parser.add_argument("--window", action="store_true", help="in a window instead of on the whole screen")
    parser.add_argument(
        "--histogram",
        type=Path,
        default=Path("latency.png"),
        metavar="FILE.png",
        help="the picture of the distribution (default latency.png)",
    )
    parser.add_argument(
        "--json", action="store_true", help="the figures as one JSON object on standard output"
    )
    parser.add_argument("--self-check", action="store_true", help="measure a loop of known delay instead")
    parser.add_argument(
        "--delay",
        type=_duration,
        default=0.1,
        metavar="TIME",
        help="with --self-check: the loop's delay (default 100ms)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    args = _parser().parse_args(argv)
    if args.self_check:
        if args.source:
            raise ConfigError("--self-check brings its own source; leave out --source")
        return _self_check(args)
    if not args.source:
        raise ConfigError("--source is missing: which camera? (edgecam devices lists them; or --self-check)")
    return _with_camera(args)


def _config(args: argparse.Namespace, source: str, detector: str | None) -> Config:
    from edgecam.config import load

    values: dict[str, Any] = {"source": [source], "classify": "off"}
    given = {"size": args.size, "rate": args.rate, "detector": detector}
    return load({**values, **{name: value for name, value in given.items() if value is not None}})


def _with_camera(args: argparse.Namespace) -> int:
    from edgecam.app.app import App
    from edgecam.app.controls import Controls
    from edgecam.latency.measure import Measurement
    from edgecam.ui.controller import WindowOptions
    from edgecam.ui.display import choose_display
    from edgecam.ui.run import run_code_window

    wanted: Literal["window", "fullscreen"] = "window" if args.window else "fullscreen"
    try:
        display = choose_display(wanted)
    except DisplayError as error:
        # choose_display speaks of --display, which this command does not have
        why = str(error).removeprefix(f"--display {wanted}: ").partition("; use --display none")[0]
        raise DisplayError(
            f"latency-test shows its code on this board's screen: {why}; without one, "
            f"edgecam latency-test --self-check still proves the measuring"
        ) from None
    with closing(ProgressBar("measuring")) as bar:
        app = App(_config(args, args.source, args.detector), paced=True, say=_say, progress=bar.show)
    source = app.sources[0]
    if not source.is_live:
        source.close()
        raise ConfigError(f"--source '{args.source}' is not a camera; latency is measured through a live one")
    for title, text in [*app.notes, ("display", display.reason)]:
        _say(f"{title:<10} {text}")
    measurement = Measurement(source.rate_hz)
    until = time.monotonic() + args.duration
    options = WindowOptions(
        title=f"edgecam latency-test – {source.name}",
        platform=display.platform,
        fullscreen=display.mode == "fullscreen",
        sources=(source.name,),
    )
    try:
        app.start()
        run_code_window(Controls(app, over=lambda: time.monotonic() >= until), options, measurement)
    finally:
        app.stop()
    _conclude(args, measurement, source.name)
    return EXIT_OK


def _self_check(args: argparse.Namespace) -> int:
    from edgecam.app.app import App
    from edgecam.latency.loop import RATE_HZ, LoopCamera
    from edgecam.latency.measure import Measurement

    camera = LoopCamera(args.delay)
    try:
        config = _config(args, camera.url, args.detector or "off")
        with closing(ProgressBar("measuring")) as bar:
            app = App(config, paced=True, say=_say, progress=bar.show)
        measurement = Measurement(RATE_HZ)
        try:
            app.start()
            camera.show(measurement)
            _watch(app, measurement, time.monotonic() + args.duration)
        finally:
            app.stop()
    finally:
        camera.close()
    report = _conclude(args, measurement, "the loop")
    put_in, own = args.delay * 1e3, report.total_p50_ms - args.delay * 1e3
    _say(
        f"{'self-check':<10} {put_in:.0f} ms were put in; {own:.0f} ms more are HTTP, decoding, half a frame"
    )
    return EXIT_OK if report.total_min_ms >= put_in else EXIT_RUNTIME


def _watch(app: App, measurement: Measurement, until: float) -> None:
    """Takes the place of a screen: takes each result as it comes."""
    from edgecam.core.clock import now_ns

    last = None
    while time.monotonic() < until and not app.wait(0.002):
        result = app.pipeline.latest.get()
        if result is not None and result is not last:
            last = result
            measurement.seen(result, now_ns())


def _conclude(args: argparse.Namespace, measurement: Measurement, camera: str) -> Report:
    """Say what was measured; CaptureError with advice where that is nothing."""
    from edgecam.latency.histogram import write_histogram
    from edgecam.latency.measure import advice

    report = measurement.report()
    problem = advice(report, camera)
    if not report.changes:
        raise CaptureError(problem)
    _say(
        f"{'latency':<10} glass to glass p50 {report.total_p50_ms:.0f} ms, p95 {report.total_p95_ms:.0f} ms "
        f"({report.total_min_ms:.0f} to {report.total_max_ms:.0f}, {report.changes} changes, "
        f"{report.missed} missed)"
    )
    _say(
        f"{'of which':<10} to frame {report.to_frame_p50_ms:.0f} ms, to result "
        f"{report.to_result_p50_ms:.0f} ms, to screen {report.to_screen_p50_ms:.0f} ms (p50 each)"
    )
    write_histogram(args.histogram, [s.total_ms for s in measurement.samples], f"{camera}: glass to glass")
    _say(f"{'histogram':<10} {args.histogram}")
    if problem:
        _say(f"{'beware':<10} {problem}")
    if args.json:
        raw_out(json.dumps({"v": 1, "source": camera, **report.to_dict()}) + "\n")
    return report


def _say(text: str) -> None:
    err(text + "\n")
    sys.stderr.flush()
