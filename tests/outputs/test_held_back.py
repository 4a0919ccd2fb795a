"""Messages held back by quiet hours or a limit: kept across a restart, said as soon as they may be."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from http_catcher import Catcher
from test_webhook_and_messages import event

from edgecam.outputs.courier import Courier, NotDelivered
from edgecam.outputs.messages import Message, parse_target
from edgecam.outputs.notify import Notifier, parse_quiet


class Run:
    """One run of the program, at an hour of the day and a second of the clock."""

    def __init__(self, keep: Path | None, hour: int, at_s: float = 1e9, **more: Any) -> None:
        self.sent: list[Message] = []
        self.hour, self.at_s, self.fails = hour, at_s, False
        self.notifier = Notifier(
            self._send,
            quiet=parse_quiet("22:00-07:00"),
            keep=keep,
            wall=lambda: datetime(2026, 1, 1, self.hour),
            wall_s=lambda: self.at_s,
            monotonic=lambda: self.at_s,
            **more,
        )

    def _send(self, message: Message) -> None:
        if self.fails:
            raise NotDelivered("nobody answers")
        self.sent.append(message)


def test_what_a_night_held_back_is_said_in_the_morning_after_a_restart(tmp_path: Path) -> None:
    keep = tmp_path / "state" / "held.json"
    night = Run(keep, 23)
    for number in range(7):
        night.notifier(event(number, zones=(f"zone-{number}",)))
    night.notifier(event(6, zones=("zone-6",)))  # delivered again after a kill: held once
    night.notifier.idle()
    assert night.sent == [] and keep.stat().st_mode & 0o777 == 0o600
    later = Run(keep, 3)  # a restart in the same night
    later.notifier.idle()
    assert later.sent == [] and later.notifier.held == 7
    morning = Run(keep, 8)
    morning.fails = True
    morning.notifier.idle()
    morning.fails = False
    morning.notifier.idle()  # not at once again
    assert morning.sent == []
    morning.at_s += 301
    morning.notifier.idle()
    morning.notifier.idle()
    (told,) = morning.sent
    assert told.text.startswith("7 messages were held back: person at zone-2, ") and "zone-6" in told.text
    assert Run(keep, 9).notifier.held == 0


def test_the_limit_of_an_hour_holds_across_a_restart(tmp_path: Path) -> None:
    keep = tmp_path / "held.json"
    first = Run(keep, 12, per_hour=2)
    for number in range(3):
        first.notifier(event(number))
    again = Run(keep, 12, 1e9 + 600, per_hour=2)
    again.notifier(event(4))
    again.notifier.idle()
    assert (len(first.sent), again.sent, again.notifier.held) == (2, [], 2)
    again.at_s += 3600
    again.notifier(event(5))
    assert again.sent[0].text.endswith("2 more were held back: person at door")
    # a clock that was set back silences nobody
    back = Run(keep, 12, 5e8, per_hour=1)
    back.notifier(event(6))
    assert len(back.sent) == 1


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"v": 1, "count": "x"}', '{"v": 9}', "\0" * 99])
def test_a_damaged_file_costs_no_message(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    keep = tmp_path / "held.json"
    keep.write_text(damage)
    run = Run(keep, 12)
    run.notifier(event(1))
    assert len(run.sent) == 1 and "cannot be read" in caplog.text
    assert json.loads(keep.read_text())["v"] == 1


def test_a_couriers_idle_time_is_used_to_say_it(tmp_path: Path) -> None:
    """The courier itself, with a real server: what was held back goes out with no new event."""
    keep = tmp_path / "held.json"
    Run(keep, 23).notifier(event(1))
    with Catcher() as server:
        notifier = Notifier(parse_target(f"ntfy://127.0.0.1:{server.port}/topic"), keep=keep)
        courier = Courier("message-1", tmp_path, notifier, idle=notifier.idle)
        courier.open()
        try:
            assert server.wait_for(1)
        finally:
            courier.close()
    assert b"1 message was held back: person at door" in server.posted[0].body
    assert notifier.held == 0
