#!/usr/bin/env python3
"""Run pip for another system: `--python-version` affects which wheels it chooses, but not requirements.

    scripts/pip_for.py 3.10 aarch64 download --python-version 3.10 …      all words behind the two are pip's

pip evaluates a requirement such as ``tomli; python_version < "3.11"`` for the Python that runs it; here,
markers are evaluated for the Python version and machine given.
"""

from __future__ import annotations

import sys

from pip._internal.cli.main import main
from pip._vendor.packaging import markers

version, machine = sys.argv[1:3]
_own = markers.default_environment


def _theirs():  # type: ignore[no-untyped-def]
    return {
        **_own(),
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_version": f"{version}.0",
        "platform_machine": machine,
    }


markers.default_environment = _theirs
sys.exit(main(sys.argv[3:]))
