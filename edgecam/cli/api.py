"""``edgecam api``: the API's OpenAPI 3.1 document."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from edgecam.core.console import out, raw_out
from edgecam.core.errors import EXIT_OK, MissingExtraError
from edgecam.host.installation import missing_package


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam api`` with the arguments after those two words; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="edgecam api",
        description="Prints the OpenAPI 3.1 document of the page's API, which a running board serves at"
        " /api/openapi.json. Programs in Python: edgecam.web.client.",
    )
    parser.add_argument("--list", action="store_true", help="one line per operation instead")
    args = parser.parse_args(argv)
    try:
        from edgecam.web.api.openapi import document
        from edgecam.web.api.table import all_operations
    except ModuleNotFoundError as error:
        raise MissingExtraError(missing_package(error)) from None
    operations = all_operations()
    if args.list:
        for op in operations:
            out(f"{op.method:<7} {op.path:<44} {op.role or 'all':<9} {op.summary}\n")
    else:
        raw_out(json.dumps(document(operations), indent=2) + "\n")
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(main())
