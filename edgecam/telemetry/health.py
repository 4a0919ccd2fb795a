"""Temperature, fan, frequency, load, and what the firmware says of heat and supply."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgecam.core.ports import HealthMeter
from edgecam.core.types import BoardHealth
from edgecam.host.boards import detect_board
from edgecam.host.commands import DEFAULT_TIMEOUT_S, Run, default_run
from edgecam.host.cpu_load import CpuFrequency, CpuUsage
from edgecam.host.sysfs import listing, read_number, read_text

#: Bits 0 to 3 now, 16 to 19 the same since boot (Raspberry Pi documentation, vcgencmd get_throttled).
THROTTLED_BITS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")

#: The zone that is the processor, by board, best first; else the hottest plausible zone is taken.
_CPU_ZONES = (
    "cpu-thermal",
    "cpu_thermal",
    "CPU-therm",
    "tj-thermal",
    "x86_pkg_temp",
    "soc-thermal",
    "soc_thermal",
)
#: Constant or off-scale readings (JetPack 4's PMIC-Die is always 100 °C; unpowered zones give -256 or 0).
_IGNORED_ZONES = ("PMIC-Die", "thermal-fan-est")

#: Where the Raspberry Pi firmware begins to slow down (progressively from 80 °C, hard at 85 °C).
PI_SOFT_LIMIT_C = 80.0


def decode_throttled(bits: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(now, since boot) in words."""
    now = tuple(name for i, name in enumerate(THROTTLED_BITS) if bits >> i & 1)
    boot = tuple(name for i, name in enumerate(THROTTLED_BITS) if bits >> (16 + i) & 1)
    return now, boot


def parse_throttled(text: str | None) -> int | None:
    """The bits in ``throttled=0x50005`` (vcgencmd) or ``50005`` (sysfs, hexadecimal too); None if garbage."""
    if text is None:
        return None
    try:
        return int(text.strip().rpartition("=")[2], 16)
    except ValueError:
        return None


def firmware_limit_c(root: Path = Path("/")) -> float | None:
    """Where the board slows itself down: the Pi's 80 °C, else the lowest passive trip; None if unknown."""
    if detect_board(root).is_raspberry_pi:
        return PI_SOFT_LIMIT_C
    trips = [
        milli / 1e3
        for kind in listing(root / "sys/class/thermal", "thermal_zone*/trip_point_*_type")
        if read_text(kind) == "passive"
        if (milli := read_number(kind.with_name(kind.name.replace("_type", "_temp")))) is not None
        and 40e3 <= milli <= 125e3
    ]
    return min(trips) if trips else None


class _Counters:
    """Kernel event counters: any count means "since boot", a growing one means "now"."""

    def __init__(self, paths: list[Path], word: str) -> None:
        self.word = word
        self._paths = paths
        self._last: float | None = None

    def read(self) -> tuple[bool, bool]:
        """(now, since boot)."""
        if not self._paths:
            return False, False
        total = sum(read_number(path) or 0.0 for path in self._paths)
        now = self._last is not None and total > self._last
        self._last = total
        return now, total > 0


class SysHealthMeter:
    """Reads everything below ``root`` once per call: some tens of small files. One thread."""

    def __init__(self, root: Path, run: Run) -> None:
        self._root = root
        self._run = run
        self._usage = CpuUsage(root)
        self._frequency = CpuFrequency(root)
        self._temperature = self._find_temperature()
        hwmon = listing(root / "sys/class/hwmon", "hwmon*")
        self._fans = [fan for folder in hwmon for fan in listing(folder, "fan*_input")]
        self._throttled_file = next(
            (
                path
                for pattern in ("soc", "soc@*")
                for path in listing(root / "sys/devices/platform", f"{pattern}/soc:firmware/get_throttled")
            ),
            None,
        )
        self._ask_firmware = self._throttled_file is None and detect_board(root).is_raspberry_pi
        self._weak = [f / "in0_lcrit_alarm" for f in hwmon if read_text(f / "name") == "rpi_volt"]
        over_current = [
            c for f in hwmon if read_text(f / "name") == "soctherm_oc" for c in listing(f, "oc*_event_cnt")
        ]
        cores = root / "sys/devices/system/cpu"
        self._counters = (
            _Counters(over_current, "over-current throttling"),  # Jetson
            _Counters(
                listing(cores, "cpu[0-9]*/thermal_throttle/package_throttle_count"), "throttled"
            ),  # x86
        )

    def _find_temperature(self) -> Callable[[], float | None]:
        folders = listing(self._root / "sys/class/thermal", "thermal_zone*")
        zones = [(read_text(folder / "type") or "", folder / "temp") for folder in folders]
        for wanted in _CPU_ZONES:
            for kind, path in zones:
                if kind == wanted and _plausible_c(path) is not None:
                    return lambda: _plausible_c(path)
        paths = [path for kind, path in zones if kind not in _IGNORED_ZONES]
        if not paths:  # a PC without thermal zones
            hwmon = listing(self._root / "sys/class/hwmon", "hwmon*")
            paths = [f / "temp1_input" for f in hwmon if read_text(f / "name") in ("coretemp", "k10temp")]
        return lambda: max((t for t in map(_plausible_c, paths) if t is not None), default=None)

    def _throttling(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        bits: int | None = None
        if self._throttled_file is not None:
            bits = parse_throttled(read_text(self._throttled_file))
        elif self._ask_firmware:
            bits = parse_throttled(self._run(("vcgencmd", "get_throttled"), DEFAULT_TIMEOUT_S))
        now, boot = decode_throttled(bits or 0)
        if bits is None and any(read_number(path) for path in self._weak):
            now = (*now, "under-voltage")
        for counter in self._counters:
            is_now, since_boot = counter.read()
            now += (counter.word,) if is_now else ()
            boot += (counter.word,) if since_boot else ()
        return now, boot

    def read(self) -> BoardHealth:
        """The board's state now; what it does not tell is None or empty."""
        now, boot = self._throttling()
        share = self._usage.share()
        fans = [rpm for rpm in map(read_number, self._fans) if rpm is not None]
        return BoardHealth(
            temperature_c=self._temperature(),
            frequency_mhz=self._frequency.current_mhz(),
            fan_rpm=round(max(fans)) if fans else None,
            cpu_percent=None if share is None else share * 100.0,
            throttled_now=now,
            throttled_since_boot=boot,
        )


def _plausible_c(path: Path) -> float | None:
    value = read_number(path)
    if value is None or not -40e3 <= value <= 150e3 or value == 0.0:
        return None
    return value / 1e3


def open_health_meter(root: Path = Path("/"), run: Run | None = None) -> HealthMeter:
    """The board's health below ``root``. Always works; a board that tells nothing gives an empty state."""
    return SysHealthMeter(root, run or default_run(root))
