"""Makes the documentation's pictures anew, by the present program, from material that may be copied.

python scripts/pictures              all of them (about ten minutes on two cores)
python scripts/pictures doorbell …   these

Needs chromium, Xvfb and ImageMagick's import; Home Assistant's picture needs the environment that
scripts/test-home-assistant makes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assistant import home_assistant
from readme import readme
from recipes import RECIPES

from models import finds_and_misses

MAKERS = {"readme": readme, "models": finds_and_misses, **RECIPES, "home-assistant": home_assistant}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/pictures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MAKERS))
    names = parser.parse_args().names or list(MAKERS)
    unknown = sorted(set(names) - set(MAKERS))
    if unknown:
        parser.error(f"no picture is called {', '.join(unknown)}; there are {', '.join(MAKERS)}")
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            MAKERS[name](Path(scratch))
    return 0


if __name__ == "__main__":
    sys.exit(main())
