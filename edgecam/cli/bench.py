"""``edgecam bench``: what each model does on this very board, and what holds it back."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.core.console import console, err, raw_out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, ConfigError, EdgecamError
from edgecam.core.progress import counting
from edgecam.host.installation import install_extra

if TYPE_CHECKING:
    from rich.console import Console

    from edgecam.bench.case import Case, Row

_HELP = """\
Measure the models on this board: every model file (fp32 and int8), every number of threads, every provider
of ONNX Runtime, each in a process of its own.
"""

_EXAMPLES = """\
columns:
  inference      the model alone, on a buffer that is already there: p50 and p95
  end to end     decode, resize, detect, track: results per second, as fast as the source can be read
  age            capture to result, with the source played as a camera that drops what nobody takes in time
  CPU, MB        of all CPUs, and resident memory, in that same run at the camera's rate
  W, mJ/frame    by this board's meter, or estimated (≈); `edgecam power` says which

examples:
  edgecam bench                                     everything that is installed, on a generated 720p clip
  edgecam bench default fast --threads 1,2          two models
  edgecam bench my.onnx --source /dev/video0        a model of yours, on your camera
  edgecam bench --chart chart.png --json bench.json accuracy against ms and mJ; all figures
  edgecam bench --keep                              remember this board's figures as its reference
  edgecam bench --check                             exit code 1 if something is too slow, or too fast

The last lines name what limits each model, in milliseconds per frame of each stage, such as
  capture 30 | decode 6.0 ms | detect 11 ms (limit) | paint 2.0 ms
Close other programs first; the load is printed if there is any.
"""


def _numbers(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers such as 1,2,4") from None
    if any(not 1 <= count <= 64 for count in found):
        raise argparse.ArgumentTypeError(f"'{text}': a number of threads is 1 to 64")
    return found


def _words(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _precisions(text: str) -> list[str]:
    found = _words(text)
    if not found or set(found) - {"fp32", "int8"}:
        raise argparse.ArgumentTypeError(f"'{text}' must be fp32, int8, or fp32,int8")
    return found


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"'{text}' must be a number of seconds, 0.1 to 3600")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 10:
        raise argparse.ArgumentTypeError(f"'{text}' must be a share such as 0.25")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam bench",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "model", nargs="*", help="names or .onnx files (default: all; a name stands for fp32 and int8)"
    )
    what.add_argument("--task", choices=["detection", "classification"], help="only models for this task")
    what.add_argument(
        "--precision",
        type=_precisions,
        default=["fp32", "int8"],
        metavar="P",
        help="fp32, int8 (default both)",
    )
    what.add_argument("--threads", type=_numbers, metavar="N,…", help="default: 1 to the CPUs, at most 4")
    what.add_argument(
        "--provider", type=_words, metavar="NAME,…", help="default: all there are, without tensorrt"
    )
    what.add_argument(
        "--source", metavar="SOURCE", help="as in edgecam --source (default: a generated 720p H.264 clip)"
    )
    what.add_argument(
        "--seconds",
        type=_seconds,
        default=3.0,
        metavar="S",
        help="of each of the three measurements (default 3)",
    )
    what.add_argument("--inference-only", action="store_true", help="only the models, nothing end to end")
    out = parser.add_argument_group("what comes out")
    out.add_argument("--json", metavar="FILE|-", help="all figures as JSON")
    out.add_argument(
        "--chart", type=Path, metavar="FILE.png", help="accuracy against ms and mJ (needs matplotlib)"
    )
    out.add_argument(
        "--reference", type=Path, metavar="FILE.csv", help="compare with, and keep in, this file"
    )
    out.add_argument("--keep", action="store_true", help="keep the figures as this board's reference")
    out.add_argument("--check", action="store_true", help="exit code 1 if a figure is off its reference")
    out.add_argument(
        "--tolerance",
        type=_share,
        default=0.25,
        metavar="X",
        help="off by more than this share (default 0.25)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam bench`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_args(argv)
    try:
        return _bench(args)
    except EdgecamError as error:
        err(f"edgecam bench: {error}\n")
        return error.exit_code


def _bench(args: argparse.Namespace) -> int:

    from edgecam.bench import reference, report
    from edgecam.bench.case import make_cases, pick_models, pick_providers, pick_threads
    from edgecam.host.boards import board_name

    if args.chart is not None:
        _need_matplotlib()
    logging.getLogger("edgecam").setLevel(logging.ERROR)  # a provider that falls back is a row that failed
    board, load = board_name(), report.machine_load()
    models = pick_models(args.model, args.task, args.precision)
    threads, providers = pick_threads(args.threads), pick_providers(args.provider)
    file = args.reference or reference.default_folder() / f"{reference.slug(board)}.csv"
    references = reference.load(file)
    err, out = console(stderr=True), console()
    if warning := report.load_warning(load):
        err.print(warning, style="yellow", highlight=False)
    source = args.source or _default_source(err, not args.inference_only)
    cases = make_cases(models, threads, providers, source, args.seconds, not args.inference_only)
    rows = _run(cases, err)
    flags = reference.compare(rows, references, args.tolerance)
    text = err if args.json == "-" else out
    text.print(report.table(rows, flags, board))
    for line in report.notes(rows, flags):
        text.print(line, highlight=False, markup=False, soft_wrap=True)
    if args.json is not None:
        _write_json(args.json, report.to_json(rows, flags, board, load))
    if args.keep:
        count = reference.keep(file, rows, load)
        err.print(f"{count} rows kept in {file}", highlight=False, soft_wrap=True)
    if args.chart is not None:
        from edgecam.bench import chart

        chart.draw(rows, args.chart, f"{board}, ONNX Runtime")
        err.print(f"chart in {args.chart}", highlight=False, soft_wrap=True)
    if not rows or all(row.error for row in rows) or (args.check and flags):
        return EXIT_RUNTIME
    return EXIT_OK


def _need_matplotlib() -> None:
    import importlib.util

    from edgecam.core.errors import MissingExtraError

    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError(
            f"--chart draws with matplotlib, which is not installed: {install_extra('evaluate')}"
        )


def _default_source(err: Console, whole: bool) -> str:
    if not whole:
        return "none"
    from edgecam.bench.clip import default_clip

    with err.status("a 720p H.264 clip is made, once"):
        return str(default_clip())


def _run(cases: Sequence[Case], err: Console) -> list[Row]:
    from edgecam.bench.runner import run_case

    rows: list[Row] = []
    with counting(err) as progress:
        task = progress.add_task("", total=len(cases))
        for case in cases:
            progress.update(task, description=case.title)
            try:
                rows.append(run_case(case))
            except KeyboardInterrupt:
                err.print(f"stopped after {len(rows)} of {len(cases)}", highlight=False)
                break
            progress.advance(task)
    return rows


def _write_json(target: str, document: bytes) -> None:
    if target == "-":
        raw_out(document.decode() + "\n")
        return
    try:
        Path(target).write_bytes(document + b"\n")
    except OSError as error:
        raise ConfigError(f"--json {target} cannot be written: {error.strerror}") from None
