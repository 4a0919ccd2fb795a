"""Which board this is, and what is published of its power."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from edgecam.host.cpu import cpu_count
from edgecam.host.sysfs import read_text

#: Raspberry Pi's own supplies give 5.1 V; their published currents are at that voltage.
_PI_SUPPLY_V = 5.1


class Anchors(Struct, frozen=True):
    """Power at the supply when idle and with every core busy, in watts, and where that stands.

    error: relative; half the spread of the published figures plus what cameras, screens and USB add.
    """

    idle_w: float
    full_w: float
    error: float
    source: str


class Board(Struct, frozen=True):
    """A board by the name it gives itself, and its anchors."""

    name: str
    family: str
    anchors: Anchors

    @property
    def is_raspberry_pi(self) -> bool:
        """Whether the VideoCore firmware (``vcgencmd``) is there."""
        return self.family.startswith("pi")


# Raspberry Pi's documentation, "Typical power requirements" (HDMI screen, keyboard and mouse attached):
# Pi 3B idle 0.30 A, stress 0.85 A on average; Pi 4B idle 0.6 A, stress 1.2 A on average, 1.25 A at most.
_PI_TABLE = "Raspberry Pi documentation, power supply table"
_ANCHORS: dict[str, Anchors] = {
    "pi3": Anchors(0.30 * _PI_SUPPLY_V, 0.85 * _PI_SUPPLY_V, 0.30, _PI_TABLE),
    "pi4": Anchors(0.60 * _PI_SUPPLY_V, 1.225 * _PI_SUPPLY_V, 0.25, _PI_TABLE),
    # Four busy cores: PMIC rails 7.24 W, 8.9 W at the wall by the published fit (FIELD-NOTES 6). Idle: a
    # reviewers' figure; the board normally measures itself and this is only used when vcgencmd is missing.
    "pi5": Anchors(2.7, 8.9, 0.30, "published PMIC capture (full), reviewers' figure (idle)"),
    # Idle 120 mA at 5 V (CNX Software, Bullseye Lite, headless). Full: 1.4 W above a Zero W's 0.23 A at 5 V.
    "pizero2": Anchors(0.6, 2.5, 0.35, "CNX Software and A. Jacobs, headless, one board each"),
    # The modules' own power modes; an INA3221 normally measures, and this is only used when it does not.
    "jetson-nano": Anchors(2.0, 10.0, 0.40, "module's 10 W power mode"),
    "jetson-orin": Anchors(5.0, 15.0, 0.40, "module's 15 W power mode"),
    # Nothing is published for "an x86 computer": a small fanless one idles near 6 W and peaks near 25 W.
    "x86": Anchors(6.0, 25.0, 0.60, "no published figure: a typical small x86 computer"),
    "unknown": Anchors(3.0, 9.0, 0.60, "no published figure: a typical four-core board"),
}


def detect_board(root: Path = Path("/"), machine: str | None = None) -> Board:
    """The board below ``root``. ``machine`` is ``uname -m``, asked of the system when None and needed."""
    for path in ("proc/device-tree/model", "sys/firmware/devicetree/base/model"):
        model = read_text(root / path)
        if model:
            return Board(model, _family(model), _ANCHORS[_family(model)])
    if machine is None:
        import platform

        machine = platform.machine()
    if machine in ("x86_64", "AMD64", "i686"):
        name = _cpu_name(root) or read_text(root / "sys/class/dmi/id/product_name") or "x86 computer"
        return Board(name, "x86", _ANCHORS["x86"])
    return Board(f"unknown {machine} board", "unknown", _ANCHORS["unknown"])


def board_name() -> str:
    """What a figure holds for: this board's name, and the number of CPUs that this process may use."""
    return f"{detect_board().name} x{cpu_count()}"


def _cpu_name(root: Path) -> str:
    """``AMD EPYC 7B13``, of a computer whose maker's name says little about what it can do."""
    lines = (read_text(root / "proc/cpuinfo") or "").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _family(model: str) -> str:
    for needle, family in (
        ("Raspberry Pi 5", "pi5"),
        ("Raspberry Pi 500", "pi5"),
        ("Compute Module 5", "pi5"),
        ("Raspberry Pi 4", "pi4"),
        ("Compute Module 4", "pi4"),
        ("Zero 2", "pizero2"),
        ("Raspberry Pi 3", "pi3"),
        ("Compute Module 3", "pi3"),
        ("Jetson Nano", "jetson-nano"),
        ("Jetson", "jetson-orin"),
        ("Orin", "jetson-orin"),
    ):
        if needle in model:
            return family
    return "unknown"
