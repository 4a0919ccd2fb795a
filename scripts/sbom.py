"""Generate the bill of materials in the wheel: what the wheel contains, and what a board installs with it.

The format is CycloneDX 1.6 (ECMA-424) in JSON. It is made from constraints/locked and models/ without times
or random numbers, so the same commit gives the same bytes. The build hook calls it.
To run it by hand: python scripts/sbom.py
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def _locked(root: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Every package in the lock files of the boards, once per version, with the hashes of all its files."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for file in sorted((root / "constraints" / "locked").glob("board-*.txt")):
        for line in file.read_text().splitlines():
            match = re.match(r"([\w.-]+)==(\S+) --hash=sha256:(\w+)$", line)
            if match is None:
                continue
            name, version, digest = match.groups()
            purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
            entry = {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": version,
                "purl": purl,
                "hashes": [],
            }
            hashes = found.setdefault((name, version), entry)["hashes"]
            if all(known["content"] != digest for known in hashes):
                hashes.append({"alg": "SHA-256", "content": digest})
    return found


def _models(root: Path) -> list[dict[str, Any]]:
    """The models in the wheel."""
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": f"model/{path.name}",
            "name": path.name,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        }
        for path in sorted((root / "models").glob("*.onnx"))
    ]


def sbom(root: Path = ROOT) -> str:
    """The whole document as JSON."""
    version = re.search(r'__version__ = "([^"]+)"', (root / "edgecam/core/package.py").read_text())
    assert version is not None
    packages = [entry for _, entry in sorted(_locked(root).items())]
    components = [*packages, *_models(root)]
    own = {"type": "application", "bom-ref": "edgecam", "name": "edgecam", "version": version[1]}
    own |= {"purl": f"pkg:pypi/edgecam@{version[1]}", "licenses": [{"license": {"id": "GPL-3.0-or-later"}}]}
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([own, components], sort_keys=True))
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
        "dependencies": [{"ref": "edgecam", "dependsOn": [part["bom-ref"] for part in components]}],
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(sbom())
