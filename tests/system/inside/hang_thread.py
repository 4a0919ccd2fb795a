"""hang_thread.py PID: hold the busiest thread of a process (not its main one) for ever; the others go on.

A thread cannot be sent SIGSTOP alone, but a tracer can stop it alone (ptrace(2), PTRACE_SEIZE).
"""

import ctypes
import os
import sys
import time
from pathlib import Path

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207


def ticks(pid: int) -> dict[int, int]:
    """Processor time of each thread so far."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[int(task.name)] = int(fields[11]) + int(fields[12])
    return found


def main() -> None:
    """Choose, hold, write the thread's number, and stay."""
    pid = int(sys.argv[1])
    before = ticks(pid)
    time.sleep(4)
    used = {t: n - before.get(t, 0) for t, n in ticks(pid).items() if t != pid}
    busiest = max(used, key=lambda t: used[t])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, busiest, None, None) == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    Path("/run/hang.tid").write_text(f"{busiest} {used[busiest]}\n")
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.5)


if __name__ == "__main__":
    main()
