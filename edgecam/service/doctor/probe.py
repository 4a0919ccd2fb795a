"""Tries imports that may crash: each in a child process of its own, all at once.

A package built for another processor ends its process with SIGILL, a broken driver hangs in the kernel, and a
clash of two libraries is a segmentation fault. In a child each is a result like any other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from edgecam.host.commands import kill_group

#: Of the page's five seconds. What stands still by then is killed and said to hang.
DEADLINE_S = 4.0
#: What still works by then has this long in all: a slow board is not a broken one.
SLOW_LIMIT_S = 60.0
#: A child that used no processor time and read no page for so long stands still.
STILL_S = 2.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What one child found. ``data`` is what it printed; ``error`` is one line if it failed.

    signal: that ended it (``SIGILL``), or "". timed_out: it was killed because it stood still, or, if
    ``slow``, because it still worked at the last limit.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    signal: str = ""
    timed_out: bool = False
    slow: bool = False

    @property
    def ok(self) -> bool:
        """Whether the child did all it had to."""
        return not (self.error or self.signal or self.timed_out)

    @property
    def waited(self) -> str:
        """How long it had, in words, if it did not end."""
        return f"{SLOW_LIMIT_S if self.slow else DEADLINE_S:.0f} s"

    @property
    def missing(self) -> bool:
        """Whether what it should import is simply not installed."""
        return self.error.startswith("ModuleNotFoundError")


class Probes(Protocol):
    """Running probes."""

    def result(self, name: str) -> Probe:
        """Wait for one, at most until the common deadline."""

    def close(self) -> None:
        """End those still running."""


_IMPORT = """
import {module} as m
out["version"] = str(getattr(m, "__version__", ""))
out["file"] = str(getattr(m, "__file__", ""))
"""

#: What each child does; it fills the dict ``out``. edgecam's own modules do the looking where they know how.
SCRIPTS: dict[str, str] = {
    "numpy": _IMPORT.format(module="numpy"),
    "cv2": _IMPORT.format(module="cv2"),
    "onnxruntime": _IMPORT.format(module="onnxruntime") + 'out["providers"] = m.get_available_providers()\n',
    "av": _IMPORT.format(module="av") + 'out["h264"] = "libx264" in m.codecs_available\n',
    "PyQt6": "import PyQt6.QtCore as m, PyQt6.QtGui\nout['version'] = m.PYQT_VERSION_STR\n",
    "picamera2": _IMPORT.format(module="picamera2"),
    "display": """
from edgecam.ui.display import choose_display
choice = choose_display("auto")
out["platform"], out["reason"] = choice.platform, choice.reason
""",
    "cameras": """
from edgecam.capture.devices import find_cameras, group_modes
found = find_cameras()
out["cameras"] = [
    {"source": c.source, "name": c.name, "modes": group_modes(c.modes)[:3]} for c in found.cameras
]
out["skipped"] = dict(found.skipped)
""",
    "models": """
from edgecam.inference.models import checking, store
out["models"] = [
    {"path": str(m.path), "name": m.path.stem, "state": m.state, "words": m.words}
    for m in checking.check_models()
]
out["folders"] = [str(f) for f in store.model_folders()]
""",
}

_FRAME = """
import json, sys
out = {{}}
try:
{body}
except BaseException as error:
    name = type(error).__name__
    out["error"] = (name + ": " + (str(error).strip().splitlines() or [""])[0])[:300]
sys.stdout.write("\\n" + json.dumps(out, default=str) + "\\n")
"""


def script(name: str) -> str:
    """The whole program of one child."""
    body = "".join(f"    {line}\n" for line in SCRIPTS[name].strip().splitlines())
    return _FRAME.format(body=body)


class ChildProbes:
    """One child per name, all started at once. One thread."""

    def __init__(
        self, programs: Mapping[str, str], deadline_s: float = DEADLINE_S, slow_limit_s: float = SLOW_LIMIT_S
    ) -> None:
        begin = time.monotonic()
        self._end = begin + deadline_s
        self._last = begin + max(deadline_s, slow_limit_s)
        #: By process: what it had done when it was last looked at.
        self._efforts: dict[int, int] = {}
        self._children: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        self._done: dict[str, Probe] = {}
        # one thread per child: all run at once, and on a small board they would only fight for its cores
        environ = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
        }
        for name, program in programs.items():
            # a file, not a pipe: a child that prints more than a pipe holds must not wait for its reader
            printed = tempfile.TemporaryFile()  # noqa: SIM115 (closed with its child)
            try:
                child = subprocess.Popen(
                    [sys.executable, "-c", program],
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    env=environ,
                )
            except OSError as error:
                printed.close()
                self._done[name] = Probe(error=f"no child process: {error}")
                continue
            self._children[name] = (child, printed)

    def result(self, name: str) -> Probe:
        """Wait for the child: until the common deadline, and beyond it while the child works."""
        if name not in self._done:
            child, printed = self._children[name]
            unfinished = self._outwait(child)
            if unfinished is not None:
                kill_group(child)
                self._done[name] = unfinished
            else:
                printed.seek(0)
                self._done[name] = interpret(child.returncode, printed.read())
            printed.close()
            del self._children[name]
        return self._done[name]

    def _outwait(self, child: subprocess.Popen[bytes]) -> Probe | None:
        """None once the child has ended; else how it has to be given up."""
        if _ended(child, self._end - STILL_S):
            return None
        if not self._efforts:  # all at once, so that nine that hang take no longer than one
            self._efforts = {other.pid: effort(other.pid) for other, _ in self._children.values()}
        until = self._end
        while not _ended(child, until):
            before, now = self._efforts[child.pid], effort(child.pid)
            if now <= before:
                return Probe(timed_out=True)
            if time.monotonic() >= self._last:
                return Probe(timed_out=True, slow=True)
            self._efforts[child.pid] = now
            until = min(time.monotonic() + STILL_S, self._last)
        return None

    def close(self) -> None:
        """Kill what still runs."""
        for child, printed in self._children.values():
            kill_group(child)
            printed.close()
        self._children.clear()


def _ended(child: subprocess.Popen[bytes], until: float) -> bool:
    try:
        child.wait(max(until - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        return False
    return True


def effort(session: int) -> int:
    """Processor time and pages read by a child and what it started: only its growing means anything."""
    total = 0
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = process.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        # proc(5), counted from the state, field 3: session, majflt, cmajflt, utime, stime, cutime, cstime
        if int(fields[3]) == session:
            total += sum(int(fields[i]) for i in (9, 10, 11, 12, 13, 14))
    return total


def interpret(status: int, printed: bytes) -> Probe:
    """A child's end as a result."""
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return Probe(signal=name)
    lines = printed.decode("utf-8", "replace").strip().splitlines()
    try:
        data = json.loads(lines[-1])
    except (IndexError, ValueError):
        return Probe(error=f"ended with status {status} and said nothing that can be read")
    if not isinstance(data, dict):
        return Probe(error=f"ended with status {status} and said nothing that can be read")
    return Probe(data=data, error=str(data.pop("error", "")))


def start_probes(names: Sequence[str]) -> Probes:
    """Start the named children of :data:`SCRIPTS`."""
    return ChildProbes({name: script(name) for name in names})
