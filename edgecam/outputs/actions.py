"""``--action``: what the board itself does when a rule holds: run a command, switch a pin."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

from edgecam.core.errors import ConfigError, MissingExtraError
from edgecam.core.events import Event
from edgecam.core.text import escape
from edgecam.host.commands import kill_group
from edgecam.host.installation import install_package
from edgecam.host.trusted import changeable_by_others

log = logging.getLogger(__name__)

#: A command gets so long; then it, and what it started, is killed.
COMMAND_WITHIN_S = 10.0
#: An event without a duration (a line was crossed) puts a pin on for so long: ten times what a relay needs.
PULSE_S = 1.0
#: GPIO numbers of a Raspberry Pi's header (Broadcom's).
PINS = range(28)


def parse_action(text: str) -> tuple[str, str]:
    """``RULE=WHAT`` to (rule, what); ``*`` is every rule. Raises ConfigError."""
    rule, equals, what = text.partition("=")
    if not equals or not rule.strip() or not what.strip():
        raise ConfigError(
            f"--action '{escape(text, 60)}': write RULE=COMMAND, such as person-at-door=/usr/local/bin/ring, "
            "or RULE=gpio:17"
        )
    return rule.strip(), what.strip()


class CommandAction:
    """Runs a command with arguments, never a shell, with the event as JSON on its standard input."""

    def __init__(self, text: str) -> None:
        try:
            self.command = shlex.split(text)
        except ValueError as error:
            raise ConfigError(f"--action '{escape(text, 60)}': {error}; close the quotation") from None
        if shutil.which(self.command[0]) is None:
            raise ConfigError(
                f"--action: there is no program '{escape(self.command[0], 80)}'; give its full path"
            )
        open_to = changeable_by_others(self.command)
        if open_to:
            raise ConfigError(
                f"--action is not run: {escape(open_to, 200)}, so that others decide what runs here; move it "
                "where only you or root may write (chmod go-w)"
            )

    def write(self, event: Event) -> None:
        """Run it, and wait for its end, at most :data:`COMMAND_WITHIN_S`. A failure is told in the log."""
        if event.type != "new":
            return
        name = escape(self.command[0], 80)
        try:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            log.warning("action %s: cannot be started: %s", name, error)
            return
        try:
            process.communicate(event.to_json().encode() + b"\n", timeout=COMMAND_WITHIN_S)
        except subprocess.TimeoutExpired:
            kill_group(process)
            log.warning("action %s: killed, it did not end within %g s", name, COMMAND_WITHIN_S)
            return
        if process.returncode:
            log.warning("action %s: ended with code %d", name, process.returncode)

    def close(self) -> None:
        """Nothing to close."""


class PinAction:
    """``gpio:N``: the pin is on while at least one of the rule's events lasts; a crossing is a pulse."""

    def __init__(self, text: str) -> None:
        number = text.partition(":")[2]
        if not number.isdigit() or int(number) not in PINS:
            raise ConfigError(
                f"--action '{escape(text, 40)}': a pin is gpio:0 to gpio:27 (Broadcom's numbers)"
            )
        try:
            from gpiozero import DigitalOutputDevice
            from gpiozero.exc import GPIOZeroError
        except ModuleNotFoundError:
            raise MissingExtraError(
                f"--action gpio: needs the package gpiozero: {install_package('gpiozero')}"
            ) from None
        try:
            self._pin: Any = DigitalOutputDevice(int(number))
        except (GPIOZeroError, OSError) as error:
            raise ConfigError(f"--action {text}: the pin cannot be used: {escape(error, 120)}") from None
        self._lasting: set[str] = set()

    def write(self, event: Event) -> None:
        """On with the first, off with the last."""
        if event.type == "new" and event.end_time is not None:
            if not self._lasting:
                self._pin.blink(on_time=PULSE_S, off_time=0, n=1)  # on a thread of gpiozero's
            return
        if event.type == "end":
            self._lasting.discard(event.id)
        elif event.type == "new":
            self._lasting.add(event.id)
        if self._lasting:
            self._pin.on()
        else:
            self._pin.off()

    def close(self) -> None:
        """Switch the pin off and release it. Idempotent."""
        self._lasting.clear()
        if not self._pin.closed:
            self._pin.off()
            self._pin.close()


class Actions:
    """An :class:`~edgecam.core.ports.EventSink`: each event goes to the actions of its rule, one by one.

    One that fails costs the others nothing.
    """

    def __init__(
        self,
        wishes: list[str],
        extra: Callable[[str], Any] | None = None,
        wants: Callable[[Event], bool] = lambda _: True,
    ) -> None:
        self._wants = wants
        self._of: list[tuple[str, Any]] = []
        for wish in wishes:
            rule, what = parse_action(wish)
            made: Any = None if extra is None else extra(what)
            if made is None:
                made = PinAction(what) if what.startswith("gpio:") else CommandAction(what)
            self._of.append((rule, made))

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of rules that were asked for; ``*`` is every one."""
        return tuple(rule for rule, _ in self._of)

    def open(self) -> None:
        """Nothing to open."""

    def write(self, event: Event) -> None:
        """Hand it on."""
        for rule, action in self._of:
            if event.rule and rule in (event.rule, "*") and self._wants(event):
                try:
                    action.write(event)
                except Exception as error:
                    log.warning("an action of rule %s failed: %s", rule, escape(error, 200))

    def close(self) -> None:
        """Close them all. Idempotent."""
        for _, action in self._of:
            action.close()
