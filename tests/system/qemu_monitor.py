"""QEMU's machine protocol (QMP), as far as the tests need it."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any


class Monitor:
    """A connection to QEMU's QMP socket. One thread. Raises RuntimeError for what QEMU refuses."""

    def __init__(self, path: Path, wait_s: float = 30.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    self._socket.close()
                    raise
                time.sleep(0.05)
        self._socket.settimeout(600.0)
        self._lines = self._socket.makefile("r")
        self._lines.readline()  # the greeting
        self.do("qmp_capabilities")

    def do(self, command: str, **arguments: Any) -> Any:
        """One command; its answer."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise RuntimeError(f"{command}: QEMU ended")

    def human(self, line: str) -> str:
        """A command of the human monitor, which has the snapshots. Anything it prints is an error."""
        printed: str = self.do("human-monitor-command", **{"command-line": line})
        if printed.strip():
            raise RuntimeError(f"{line}: {printed.strip()}")
        return printed

    def close(self) -> None:
        """Hang up; QEMU goes on."""
        self._lines.close()
        self._socket.close()
