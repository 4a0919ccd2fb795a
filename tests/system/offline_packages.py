"""Debian packages for a board without a network: a folder that its apt can install from."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

RELEASE = "trixie"


def mirror() -> str:
    """The mirror as this machine's apt is configured."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return sorted(line for line in lines if "security" not in line)[0]


def download(folder: Path, status: Path, names: Sequence[str]) -> int:
    """Put what a board with dpkg's ``status`` lacks of ``names`` into ``folder``, with an index.

    Gives the number of packages. The line for its sources.list is ``deb [trusted=yes] file:FOLDER ./``.
    """
    own = folder / ".apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (own / name).mkdir(parents=True)
    (own / "sources.list").write_text(f"deb {mirror()} {RELEASE} main\n")
    options = {
        "APT::Architecture": "amd64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Check-Valid-Until": "false",
        "Dir::Etc::sourcelist": own / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": own,
        "Dir::State::lists": own / "lists",
        "Dir::State::status": status,
        "Dir::Cache": own / "cache",
    }
    apt = [
        "apt-get",
        "-q",
        "-y",
        *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
    ]
    subprocess.run([*apt, "update"], check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    subprocess.run([*apt, "install", "--download-only", *names], check=True, capture_output=True)
    debs = sorted((own / "cache/archives").glob("*.deb"))
    with (folder / "Packages").open("w") as index:
        for deb in debs:
            control = subprocess.run(
                ["dpkg-deb", "-f", deb], check=True, capture_output=True, text=True
            ).stdout
            digest = hashlib.sha256(deb.read_bytes()).hexdigest()
            # apt reads the name from here: a colon in a version is written %3a on disk
            place = deb.rename(folder / deb.name.replace("%3a", "-"))
            index.write(
                f"{control}Filename: ./{place.name}\nSize: {place.stat().st_size}\nSHA256: {digest}\n\n"
            )
    return len(debs)
