"""``edgecam self-test recording``: kills its own recordings and looks at every clip."""

from __future__ import annotations

import argparse
import logging
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgecam.core.console import out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, ConfigError
from edgecam.record.self_test import MAY_LOSE_S, Killed, run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam self-test recording",
        description="Start recording, kill the program at a random moment (SIGKILL), and check that every"
        f" clip opens, decodes to its end without an error, and lost at most the last {MAY_LOSE_S:g} s.",
    )
    parser.add_argument("what", choices=["recording"], help="what to test")
    parser.add_argument("--times", type=int, default=100, metavar="N", help="kills (default 100)")
    parser.add_argument(
        "--dir", type=Path, help="where to record (default: a temporary folder); the disk matters"
    )
    parser.add_argument("--size", default="640x360", metavar="WxH", help="picture size (default 640x360)")
    parser.add_argument(
        "--rate", type=float, default=30.0, metavar="FPS", help="frames per second (default 30)"
    )
    parser.add_argument("--seed", type=int, help="the same moments again")
    return parser


def main(argv: Sequence[str]) -> int:
    """Exit code 0 if every kill passed; clips of failed runs are kept and named."""
    options = _parser().parse_args(argv)
    logging.getLogger("edgecam.record").setLevel(logging.ERROR)  # a recovery is nothing to tell here
    try:
        folder = Path(tempfile.mkdtemp(prefix="edgecam-self-test-", dir=options.dir))
    except OSError as error:
        raise ConfigError(
            f"--dir {options.dir}: cannot write there ({error.strerror}); name a folder of your own"
        ) from None
    done: list[Killed] = []
    try:
        for outcome in run(folder, options.times, size=options.size, rate=options.rate, seed=options.seed):
            done.append(outcome)
            _progress(outcome, options.times)
    except KeyboardInterrupt:
        _say(f"\nstopped after {len(done)} of {options.times} kills")
    return _report(done, folder)


def _progress(outcome: Killed, times: int) -> None:
    if outcome.problems:
        _say(f"\rkill {outcome.number} ({outcome.mode}), after {outcome.ran_s:.2f} s:")
        for problem in outcome.problems:
            _say(f"  {problem}")
    elif sys.stdout.isatty():
        out(f"\rkill {outcome.number}/{times}: {outcome.clips} clips, lost {outcome.lost_s:.2f} s  ")
        sys.stdout.flush()


def _report(done: Sequence[Killed], folder: Path) -> int:
    failed = [k for k in done if k.problems]
    if done:
        lost = sorted(k.lost_s for k in done)
        clips = sum(k.clips for k in done)
        clean = sum(k.as_found for k in done)
        _say(
            f"\r{len(done)} kills, {len(failed)} failed; {clips} clips decode to their end;"
            f" lost {statistics.median(lost):.2f} s in the middle, {lost[-1]:.2f} s at most;"
            f" {clean} unfinished clips decoded even before they were repaired"
        )
    if failed:
        _say(f"what the failed runs left is in {folder}")
        return EXIT_RUNTIME
    shutil.rmtree(folder, ignore_errors=True)
    return EXIT_OK


def _say(text: str) -> None:
    out(text + "\n")
