"""Change score, classes and limits all the time by window, SIGHUP and Control, while frames run.

    python benchmarks/changes.py [--changes 10000]

At the end, settings, State, window and detector must agree. Exit status 1 if they do not.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "app"))
from changing import agree, config, everybody_changes
from memory import resident_mb

from edgecam.app.app import App
from edgecam.app.controls import Controls
from edgecam.config.remembered import RememberedSettings


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--changes", type=int, default=10_000)
    options = parser.parse_args()
    app = App(config(), paced=False)
    window = Controls(app, over=lambda: False)
    with tempfile.TemporaryDirectory() as folder:
        memory = RememberedSettings(Path(folder), ["changes"])
        app.control.remember(memory, frozenset())
        app.start()
        try:
            everybody_changes(app, window, Path(folder), 300)  # warm-up: caches and lazy objects are created
            before, began, first_mb = app.control.state(), time.monotonic(), resident_mb(os.getpid())["rss"]
            everybody_changes(app, window, Path(folder), options.changes)
            seconds = time.monotonic() - began
            agree(app, window)
            after = app.control.state()
            frames = after.sources[0].inferred - before.sources[0].inferred
            assert frames > 0, "no frame ran meanwhile"
            grown_mb, each_ms = resident_mb(os.getpid())["rss"] - first_mb, seconds / options.changes * 1e3
            print(
                f"{options.changes} changes in {seconds:.1f} s ({each_ms:.2f} ms each), "
                f"{frames} frames seen meanwhile, {grown_mb:+.1f} MB; all agree"
            )
        finally:
            app.stop()
        kept = memory.read()
    print(f"remembered: {', '.join(sorted(kept))}")


if __name__ == "__main__":
    main()
