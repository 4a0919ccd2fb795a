"""Attacks: mutated videos, pictures, sidecars and indexes, hostile RTSP and HTTP servers, kills and damage.

    python benchmarks/attack.py                    everything in full (2,000, 5,000, 2,000, 500, 40)
    python benchmarks/attack.py --share 0.1        a tenth of it
    python benchmarks/attack.py videos kills       these kinds only

Each kind runs in a process of its own, whose memory is watched. The limits: only documented exceptions, no
read longer than its deadline + 1 s, never more than 400 MB resident, and at most 1 % of the frames lost of a
healthy camera beside the hostile servers. After SIGKILLs, ten of them with damaged leftovers, recovery loses
no frame that FFmpeg can decode. Exit code 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from attack_kinds import KINDS, Report

COUNTS = {"videos": 2000, "pictures": 5000, "folders": 2000, "servers": 500, "kills": 40}
LIMIT_MB = 400.0


def child(kind: str, count: int, seed: int) -> int:
    import logging

    logging.disable(logging.CRITICAL)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="edgecam-attack-") as folder:
        KINDS[kind](report, count, random.Random(seed), Path(folder))
    status = Path("/proc/self/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print("\n" + json.dumps({**vars(report), "peak_mb": round(peak_mb, 1)}))
    return 0


def run(kind: str, count: int, seed: int) -> Iterator[str]:
    """Run a kind in a process of its own; prints a line, and yields every violation."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, __file__, "--child", kind, str(count), str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        yield f"{kind}: its process ended with {done.returncode}"
        return
    found = json.loads(done.stdout.splitlines()[-1])
    more = "".join(f", {name} {value}" for name, value in found["more"].items())
    print(
        f"{kind:<9} {found['cases']:>5} cases, {found['refused']} refused, {found['frames']} frames, longest "
        f"{found['longest_s']:.2f} s, peak {found['peak_mb']:.0f} MB, {time.monotonic() - began:.0f} s{more}",
        flush=True,
    )
    yield from (f"{kind}: {finding}" for finding in found["findings"])
    if found["peak_mb"] > LIMIT_MB:
        yield f"{kind}: {found['peak_mb']:.0f} MB resident"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of cases")
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child[0], int(args.child[1]), int(args.child[2]))
    bad = [
        what
        for kind in args.kinds or KINDS
        for what in run(kind, max(1, round(COUNTS[kind] * args.share)), args.seed)
    ]
    for what in bad:
        print(f"FINDING {what}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
