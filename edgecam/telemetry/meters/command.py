"""A command of the user's that prints watts: a smart plug, a bench supply, a USB meter."""

from __future__ import annotations

import logging
import math
import re
import shlex
from collections.abc import Callable

from edgecam.core.clock import now_ns
from edgecam.core.errors import ConfigError
from edgecam.core.types import PowerReading
from edgecam.host.commands import DEFAULT_TIMEOUT_S, Run, run_command
from edgecam.host.trusted import changeable_by_others

_log = logging.getLogger(__name__)

_NUMBER = re.compile(
    r"(?<![\w.])([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|[-+]?\.\d+)\s*(mW|milliwatts?|µW|uW|kW|W|watts?)?(?!\w)"
)
_UNITS = {"m": 1e-3, "µ": 1e-6, "u": 1e-6, "k": 1e3}
#: So much of what it prints is looked at.
LONGEST_OUTPUT = 4096
#: More than this is a wrong unit, not a camera board.
_MAX_W = 10_000.0


def parse_watts(text: str) -> float | None:
    """Watts in what a command printed, or None.

    A number with a unit (W, mW, µW, kW) wins over bare ones; without any unit there must be exactly one
    number, taken as watts. Negative, infinite or absurd values are None.
    """
    found = _NUMBER.findall(text[:LONGEST_OUTPUT])
    with_unit = [(number, unit) for number, unit in found if unit]
    if with_unit:
        number, unit = with_unit[0]
    elif len(found) == 1:
        number, unit = found[0]
    else:
        return None
    factor = 1.0 if unit[:1] in ("W", "w", "") else _UNITS[unit[0]]
    watts = float(number) * factor
    return watts if math.isfinite(watts) and 0.0 <= watts <= _MAX_W else None


class CommandMeter:
    """Runs the command once per reading, without a shell, for at most two seconds. One thread.

    Raises ConfigError if the command line cannot be split (an open quote), is empty, or names a program that
    somebody else may change.
    """

    def __init__(self, command: str, run: Run = run_command, clock: Callable[[], int] = now_ns) -> None:
        try:
            self._argv = shlex.split(command)
        except ValueError as error:
            raise ConfigError(
                f"the power command {command!r} cannot be read ({error}): check its quotes"
            ) from None
        if not self._argv:
            raise ConfigError(
                "the power command is empty: give one that prints watts, e.g. 'plug-power --watts'"
            )
        open_to = changeable_by_others(self._argv)
        if open_to:
            raise ConfigError(
                f"the power command is not run: {open_to}, so that others decide what runs here; "
                "move it where only you or root may write (chmod go-w)"
            )
        self.name = f"command {self._argv[0]}"
        self._run = run
        self._clock = clock
        self._failing = False

    def read(self) -> PowerReading | None:
        """What the command printed, or None if it failed, took too long, or printed no watts."""
        begin_ns = self._clock()
        text = self._run(self._argv, DEFAULT_TIMEOUT_S)
        watts = None if text is None else parse_watts(text)
        if (watts is None) != self._failing:
            self._failing = watts is None
            if self._failing:
                printed = "nothing (failed or took over 2 s)" if text is None else repr(text[:80])
                _log.warning("power command %s gives no watts: it printed %s", self._argv[0], printed)
            else:
                _log.info("power command %s works again", self._argv[0])
        if watts is None:
            return None
        return PowerReading(watts, "measured", self.name, (begin_ns + self._clock()) // 2)
