"""The fourteen findings that docs/security.md began with, tested from outside on any checkout of the program.

    python benchmarks/findings.py CHECKOUT [NUMBER …]     a line for each: held or FAILED, and what it did

Every attack runs `python -m edgecam` of that checkout and imports nothing of it. So the same attacks run on
the program before its fixes (base-2026-11-30) and after. A program that uses more than 700 MB or exceeds its
time limit is killed. Exit code 1 if one failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import findings_files
import findings_memory
import findings_network
import findings_system
from checkout import Checkout

#: By number; each returns whether the program withstood the attack, and what it did.
FINDINGS: dict[int, Callable[[Checkout], tuple[bool, str]]] = {
    int(name.partition("_")[2]): function
    for module in (findings_files, findings_memory, findings_network, findings_system)
    for name, function in vars(module).items()
    if name.startswith("finding_")
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("numbers", nargs="*", type=int)
    args = parser.parse_args()
    failed = 0
    for number in args.numbers or sorted(FINDINGS):
        with tempfile.TemporaryDirectory(prefix="edgecam-finding-") as folder:
            try:
                held, what = FINDINGS[number](Checkout(args.checkout.resolve(), Path(folder)))
            except Exception as error:  # the attack could not be carried out
                held, what = False, f"the attempt itself: {error!r}"
        failed += not held
        title = (FINDINGS[number].__doc__ or "").strip()
        print(f"{number:>2} {'held  ' if held else 'FAILED'} {title} {what}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
