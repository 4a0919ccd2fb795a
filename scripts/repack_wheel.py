#!/usr/bin/env python3
"""Make edgecam's wheel again from an environment that it was installed in, if every file of it is as it was.

    scripts/repack_wheel.py ENV DIR    prints its path; else names what is damaged or missing, and ends with 1

So that an installation is repaired, or gets a window, without the checkout it came from, and keeps no second
copy of its models. What pip writes beside a wheel's files is left out (packaging.python.org: recording
installed projects).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import sys
import zipfile
from pathlib import Path

#: Files in .dist-info that pip writes.
BY_PIP = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def intact(site: Path, name: str, digest: str) -> bool:
    """Whether the file ``name`` has the hash that RECORD gives: ``sha256=…``, base64 without padding."""
    method, _, wanted = digest.partition("=")
    try:
        found = hashlib.new(method, (site / name).read_bytes()).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(found).decode().rstrip("=") == wanted


def repack(site: Path, folder: Path) -> tuple[Path, list[str]]:
    """Write the wheel into ``folder``; returns its path, and the files that are changed or missing."""
    (info,) = site.glob("edgecam-*.dist-info")
    target = folder / f"{info.name.removesuffix('.dist-info')}-py3-none-any.whl"
    with (info / "RECORD").open(newline="", encoding="utf-8") as file:
        rows = [
            (name, digest, size)
            for name, digest, size in csv.reader(file)
            if digest
            and not name.startswith("..")
            and not (name.startswith(info.name) and Path(name).name in BY_PIP)
        ]
    damaged = [name for name, digest, _ in rows if not intact(site, name, digest)]
    if not damaged:
        record = "".join(f"{','.join(row)}\n" for row in rows) + f"{info.name}/RECORD,,\n"
        with zipfile.ZipFile(target, "w") as archive:
            for name, _, _ in rows:
                archive.write(site / name, name)
            archive.writestr(f"{info.name}/RECORD", record)
    return target, damaged


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    sites = sorted(Path(sys.argv[1]).glob("lib/python3*/site-packages"))
    if not sites or not list(sites[0].glob("edgecam-*.dist-info/RECORD")):
        sys.exit(f"there is no edgecam in {sys.argv[1]}")
    target, damaged = repack(sites[0], Path(sys.argv[2]))
    if damaged:
        more = f" and {len(damaged) - 5} more" if len(damaged) > 5 else ""
        sys.exit(f"damaged or missing: {', '.join(damaged[:5])}{more}")
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
