"""hang_thread.py PID NAME: hold the thread of that name for ever; the process's others go on.

A thread cannot be sent SIGSTOP alone, but a tracer can stop it alone (ptrace(2), PTRACE_SEIZE).
"""

import ctypes
import os
import sys
import time
from pathlib import Path

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207


def thread(pid: int, name: str) -> int:
    """Its number."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise SystemExit(f"no thread of {pid} is called {name}")


def main() -> None:
    """Hold it, write its number, and stay."""
    pid = int(sys.argv[1])
    held = thread(pid, sys.argv[2])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, held, None, None) == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    Path("/run/hang.tid").write_text(f"{held}\n")
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.5)


if __name__ == "__main__":
    main()
