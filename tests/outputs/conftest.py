"""A broker and a listener for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Any]:
    from broker import Mosquitto

    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder)
    yield broker
    broker.kill()


@pytest.fixture
def listener(mosquitto: Any) -> Iterator[Any]:
    from mqtt_kit import Listener

    made = Listener(mosquitto.port)
    yield made
    made.close()
