"""``edgecam doctor``: one page that says what is well, what is not, and how to put it right."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from edgecam.core.console import raw_out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME
from edgecam.service.doctor.core import Around
from edgecam.service.doctor.page import as_json, examine, render

_EXAMPLES = """\
examples:
  edgecam doctor                      the page; green is well, yellow to look at, red to put right
  edgecam doctor --json > page.json   the same for a bug report or a program
  edgecam doctor --folder /clips      look at the disk your clips go to

Changes nothing, needs no root, and takes a few seconds. Exit code 1 if anything is red.
"""


def main(argv: Sequence[str] | None = None, around: Around | None = None) -> int:
    """Run ``edgecam doctor`` with the arguments after those two words; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="edgecam doctor",
        description="Checks board, packages, screen, cameras, models, supply, heat, disk, clock and service.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--folder", type=Path, default=Path.cwd(), metavar="DIR", help="where clips go (here)"
    )
    args = parser.parse_args(argv)
    lines = examine(around or Around(folder=args.folder))
    if args.json:
        raw_out(as_json(lines) + "\n")
    else:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        raw_out("\n".join(render(lines, colour, columns)) + "\n")
    return EXIT_RUNTIME if any(line.status == "bad" for line in lines) else EXIT_OK


if __name__ == "__main__":
    raise SystemExit(main())
