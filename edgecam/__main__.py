"""``python -m edgecam``."""

import sys

from edgecam.cli.main import main

sys.exit(main())
