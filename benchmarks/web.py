# ruff: noqa: E501
"""The page under load: viewers' cost, a picture's age in the browser, memory, a big library, an attack.

    python benchmarks/web.py viewers        CPU of the whole program with one viewer and with four
    python benchmarks/web.py glass          glass to browser, by the number in the frame, read from the canvas
    python benchmarks/web.py beside         detection beside nobody, one, a stalled one, one on a slow link, four: rate, age, memory
    python benchmarks/web.py comings        500 viewers come and go
    python benchmarks/web.py memory         with the page idle, and with four viewers
    python benchmarks/web.py library        20,000 events and 5,000 clips in Chromium
    python benchmarks/web.py attack         1,000 connections, slow heads and bodies, big ones; memory

On a machine with other load: `chrt -r 5 python benchmarks/web.py glass` gives it priority in the scheduler (root).
Each starts edgecam itself. Chromium is Debian's, through Playwright. For ratios, the compared runs take turns.
"""

from __future__ import annotations

import argparse

from web_beside import beside
from web_library import library
from web_live import comings, glass, viewers
from web_load import attack, memory

VERBS = {f.__name__: f for f in (viewers, glass, beside, comings, memory, library, attack)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("viewers")
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--seconds", type=float, default=6.0)
    one = verbs.add_parser("glass")
    one.add_argument("--decoder", default="webcodecs", choices=("webcodecs", "mse", "jpeg"))
    one.add_argument("--detector", default="off")
    one.add_argument("--frames", type=int, default=300)
    one.add_argument("--rate", type=float, default=25)
    one = verbs.add_parser("beside")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--seconds", type=float, default=8.0)
    one.add_argument("--detector", default="fast")
    one.add_argument("--rate", type=float, default=15)
    one.add_argument("--only", default="", help="some of the conditions, such as 'nobody;one'")
    one.add_argument("--link", type=int, default=20_000, help="bytes a second of the slow link")
    verbs.add_parser("comings").add_argument("--count", type=int, default=500)
    one = verbs.add_parser("memory")
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--seconds", type=float, default=6.0)
    one = verbs.add_parser("library")
    one.add_argument("--events", type=int, default=20_000)
    one.add_argument("--clips", type=int, default=5_000)
    verbs.add_parser("attack")
    args = parser.parse_args()
    VERBS[args.verb](args)


if __name__ == "__main__":
    main()
