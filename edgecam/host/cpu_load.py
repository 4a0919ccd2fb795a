"""Processor load and frequency, from /proc and cpufreq below an injectable root."""

from __future__ import annotations

from pathlib import Path

from edgecam.host.sysfs import listing, read_number, read_text

#: A shorter interval than this would be a handful of the kernel's 10 ms ticks.
_MIN_TICKS = 5


class CpuUsage:
    """Share of all cores that was busy since the last reading. One thread."""

    def __init__(self, root: Path) -> None:
        self._path = root / "proc/stat"
        self._last = self._ticks()
        self._share: float | None = None

    def _ticks(self) -> tuple[int, int] | None:
        """(busy, total) ticks since boot, summed over cores."""
        text = read_text(self._path)
        if text is None:
            return None
        fields = text.split("\n", 1)[0].split()
        if len(fields) < 5 or fields[0] != "cpu":
            return None
        try:
            # user nice system idle iowait irq softirq steal; guest is already inside user (proc(5))
            ticks = [int(field) for field in fields[1:9]]
        except ValueError:
            return None
        idle = ticks[3] + (ticks[4] if len(ticks) > 4 else 0)
        return sum(ticks) - idle, sum(ticks)

    def share(self) -> float | None:
        """Busy share 0..1 since the last call; the last answer again if asked too soon; None if unknown."""
        now = self._ticks()
        if now is None:
            self._last, self._share = None, None
        elif self._last is None or now[1] < self._last[1]:
            self._last = now
        elif now[1] - self._last[1] >= _MIN_TICKS:
            busy, total = now[0] - self._last[0], now[1] - self._last[1]
            self._share = min(max(busy / total, 0.0), 1.0)
            self._last = now
        return self._share


class CpuFrequency:
    """Current, lowest and highest core frequency, in MHz. One thread."""

    def __init__(self, root: Path) -> None:
        self._cpuinfo = root / "proc/cpuinfo"
        self._folders = [
            p.parent for p in listing(root / "sys/devices/system/cpu", "cpu[0-9]*/cpufreq/scaling_cur_freq")
        ]

    def current_mhz(self) -> float | None:
        """Mean over the cores that tell; None if none does."""
        khz = [f for f in (read_number(folder / "scaling_cur_freq") for folder in self._folders) if f]
        if khz:
            return sum(khz) / len(khz) / 1e3
        return self._from_cpuinfo()

    def range_mhz(self) -> tuple[float, float] | None:
        """(lowest, highest) the hardware can do; None if it does not tell."""
        low = [f for f in (read_number(folder / "cpuinfo_min_freq") for folder in self._folders) if f]
        high = [f for f in (read_number(folder / "cpuinfo_max_freq") for folder in self._folders) if f]
        return (min(low) / 1e3, max(high) / 1e3) if low and high else None

    def _from_cpuinfo(self) -> float | None:
        """x86 without cpufreq (a virtual machine) tells it per core in /proc/cpuinfo."""
        text = read_text(self._cpuinfo) or ""
        found = []
        for line in text.splitlines():
            if line.startswith("cpu MHz"):
                try:
                    found.append(float(line.rpartition(":")[2]))
                except ValueError:
                    continue
        return sum(found) / len(found) if found else None
