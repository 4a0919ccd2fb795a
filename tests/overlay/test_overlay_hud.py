"""What the lines of rates, watts and heat say."""

from __future__ import annotations

from typing import Any

import pytest
from overlay_samples import chips, texts

from edgecam.core.types import BoardHealth, PowerReading, Stats
from edgecam.core.units import power_text
from edgecam.overlay.compose import compose
from edgecam.overlay.hud import rate_text
from edgecam.overlay.scene import Chip, Text
from edgecam.overlay.style import Style


@pytest.mark.parametrize(
    ("power", "said"),
    [
        (PowerReading(5.42, "measured", "INA3221", 0), "5.4 W measured (INA3221)"),
        (PowerReading(6.08, "estimated", "Pi 4", 0, 0.25), "≈ 6.1 W ±25 % estimated"),
        (PowerReading(6.08, "estimated", "Pi 4", 0), "≈ 6.1 W estimated"),
    ],
)
def test_watts_always_say_where_they_come_from(power: Any, said: Any) -> None:
    assert power_text(power) == said
    assert said in texts(compose(None, Stats(power=power), Style(), (1280, 720)))


def test_energy_follows_its_meter() -> None:
    measured = PowerReading(5.42, "measured", "INA3221", 0)
    said = texts(compose(None, Stats(power=measured, mj_per_frame=2496.0), Style(), (1280, 720)))
    assert "5.4 W measured (INA3221) 2.5 J/frame" in said


def test_heat_alarms_and_remembers() -> None:
    def heat(health: BoardHealth) -> Chip:
        scene = compose(None, Stats(health=health), Style(), (1280, 720))
        return next(
            c for c in chips(scene) if "°C" in " ".join(m.text for m in c.marks if isinstance(m, Text))
        )

    cool, hot = heat(BoardHealth(60.0)), heat(BoardHealth(83.0))
    calm, alarmed = cool.marks[0], hot.marks[0]
    assert isinstance(calm, Text) and isinstance(alarmed, Text) and calm.colour != alarmed.colour
    earlier = heat(BoardHealth(60.0, throttled_since_boot=("frequency capped",)))
    assert any(isinstance(m, Text) and m.text == "since boot: frequency capped" for m in earlier.marks)


def test_rates_read_well() -> None:
    assert [rate_text(v) for v in (0.0, 7.26, 99.94, 142.4)] == ["–", "7.3", "99.9", "142"]
