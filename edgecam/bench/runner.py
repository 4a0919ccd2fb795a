"""Runs each case in a process of its own, and reads what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import msgspec

from edgecam.bench.case import Case, Row
from edgecam.core.package import package_folder

#: Loading, and a provider that compiles its kernels first; beyond it a case counts as hung.
_PATIENCE_S = 120.0


def run_case(case: Case) -> Row:
    """Measure ``case``; a process that dies, hangs or says nothing gives a row with its error."""
    root = str(package_folder().parent)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "edgecam.bench.child", msgspec.json.encode(case).decode()]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=_PATIENCE_S + 10 * case.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return failed(case, f"no answer within {_PATIENCE_S + 10 * case.seconds:.0f} s")
    try:
        return msgspec.json.decode(done.stdout, type=Row)
    except msgspec.MsgspecError:
        return failed(case, _why(done.returncode, done.stderr.decode("utf-8", "replace")))


def _why(code: int, said: str) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        return f"its process was killed by {name}"
    lines = [text for text in said.splitlines() if text.strip()]
    return lines[-1].strip()[:300] if lines else f"its process ended with {code} and said nothing"


def failed(case: Case, why: str) -> Row:
    """A row without figures."""
    return Row(
        model=case.model,
        task=case.task,
        precision=case.precision,
        threads=case.threads,
        provider=case.provider,
        source=case.source,
        error=why,
    )
