"""Finds the best power meter this board has, and falls back to the next when it stops answering."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from edgecam import plugins
from edgecam.core.errors import ConfigError, EdgecamError
from edgecam.core.ports import PowerMeter
from edgecam.core.types import PowerReading
from edgecam.host.boards import Board, detect_board
from edgecam.host.commands import Run, default_run
from edgecam.plugins import Plugin, PluginError
from edgecam.telemetry import calibration
from edgecam.telemetry.meters import rapl as power_rapl
from edgecam.telemetry.meters.command import CommandMeter
from edgecam.telemetry.meters.estimate import EstimatedPowerMeter
from edgecam.telemetry.meters.pmic import PmicMeter

_log = logging.getLogger(__name__)


class MeterChain:
    """The first meter that answers, in order of trust. One thread.

    A sensor that vanishes hands over to the next at the same reading, and takes over again when it is back;
    both are logged once.
    """

    def __init__(self, meters: Sequence[PowerMeter]) -> None:
        self.meters = tuple(meters)
        self._used: PowerMeter | None = None

    @property
    def name(self) -> str:
        """The meter last used, or the best one before the first reading."""
        used = self._used or (self.meters[0] if self.meters else None)
        return used.name if used else "none"

    def read(self) -> PowerReading | None:
        """The best reading there is now, or None."""
        for meter in self.meters:
            reading = meter.read()
            if reading is not None:
                if self._used is not None and meter is not self._used:
                    _log.warning("power is now read from %s (before: %s)", meter.name, self._used.name)
                self._used = meter
                return reading
        return None


class Found(Struct, frozen=True):
    """A meter that exists here; ``hint`` says how to get a better one, or is empty."""

    board: Board
    meters: tuple[PowerMeter, ...]
    hint: str = ""


def find_meters(root: Path = Path("/"), command: str | None = None, run: Run | None = None) -> Found:
    """Every meter below ``root``, best first; the estimate is always the last.

    command: prints watts; comes before all others, because the user asked for it.
    run: runs commands; real ones for the real root, none below another.
    Raises ConfigError for a command line that cannot be read.
    """
    runner = run or default_run(root)
    board = detect_board(root)
    meters: list[PowerMeter] = []
    hints: list[str] = []
    if command:
        meters.append(CommandMeter(command, run) if run else CommandMeter(command))
    if board.family == "pi5":
        meters.append(PmicMeter(runner))
        if meters[-1].read() is None:
            meters.pop()
            hints.append(
                "the PMIC does not answer: vcgencmd must work for this user (sudo usermod -aG video $USER)"
            )
    # what somebody installed for this board; the whole machine, and the processor alone after it
    for plugin in plugins.every("meters"):
        meter = _of_plugin(plugin, root)
        if meter is not None:
            meters.append(meter)
    unlock = power_rapl.locked(root)
    if unlock:
        hints.append(unlock)
    own, problem = _own_calibration(root, board)
    if problem:
        hints.append(problem)
    meters.append(EstimatedPowerMeter(root, board, own))
    if len(meters) == 1 and own is None and not hints:
        hints.append("no meter found; `edgecam power calibrate` with a wall meter makes the estimate ±10 %")
    return Found(board, tuple(meters), "; ".join(hints))


def _of_plugin(plugin: Plugin, root: Path) -> PowerMeter | None:
    """The board's meter of that kind, if it has one; a plug-in's fault is told, and costs nothing else."""
    try:
        found: PowerMeter | None = plugin.make(root)
    except PluginError as error:
        _log.warning("power: %s", error)
        return None
    return found if found is None or plugin.is_built_in else _PluginMeter(plugin, found)


class _PluginMeter:
    """A plug-in's meter: told once that it fails, and then no longer asked."""

    def __init__(self, plugin: Plugin, meter: PowerMeter) -> None:
        self._plugin, self._meter, self._failed = plugin, meter, False
        self.name = str(plugin.call(getattr, meter, "name", plugin.name))

    def read(self) -> PowerReading | None:
        """The reading; None once the plug-in has failed."""
        if self._failed:
            return None
        try:
            return self._plugin.call(self._meter.read)
        except EdgecamError as error:
            self._failed = True
            _log.warning("power: %s; it is not asked again", error)
            return None


def _own_calibration(root: Path, board: Board) -> tuple[calibration.Calibration | None, str]:
    paths = [calibration.system_file(root)]
    if root == Path("/"):
        paths.insert(0, calibration.user_file())
    try:
        return calibration.find(board.name, paths), ""
    except ConfigError as error:  # a broken file must not stop the camera
        return None, str(error)


def open_power_meter(
    root: Path = Path("/"), command: str | None = None, run: Run | None = None
) -> PowerMeter:
    """The board's best power meter, the others behind it in case it vanishes. See :func:`find_meters`."""
    found = find_meters(root, command, run)
    if found.hint:
        _log.info("power: %s", found.hint)
    return MeterChain(found.meters)
