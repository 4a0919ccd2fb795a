"""thermal_model.py PID OUT.csv: heat the thermal zone by what a process computes, until it ends.

A heat sink of first order: once a second it comes nearer to AMBIENT_C + FULL_LOAD_C * (share of all
processors), with the time constant TAU_S. The zone shows whole degrees (guest/thermal_zone.asl).
"""

import os
import sys
import time
from pathlib import Path

AMBIENT_C, FULL_LOAD_C, TAU_S = 45.0, 45.0, 30.0


def used_s(pid: int) -> float:
    """Processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run until the process has ended."""
    pid, out = int(sys.argv[1]), Path(sys.argv[2])
    port = os.open("/dev/port", os.O_RDWR)
    temp_c = AMBIENT_C
    begin = last = time.monotonic()
    before = used_s(pid)
    with out.open("w", buffering=1) as file:
        file.write("seconds,load,temp_c\n")
        while Path(f"/proc/{pid}").exists():
            time.sleep(1.0)
            try:
                used = used_s(pid)
            except OSError:
                return
            now = time.monotonic()
            load = (used - before) / (now - last) / (os.cpu_count() or 1)
            temp_c += (AMBIENT_C + FULL_LOAD_C * load - temp_c) * (now - last) / TAU_S
            before, last = used, now
            os.pwrite(port, b"\x70", 0x70)
            os.pwrite(port, bytes([min(120, round(temp_c))]), 0x71)
            file.write(f"{now - begin:.1f},{load:.3f},{temp_c:.2f}\n")


if __name__ == "__main__":
    main()
