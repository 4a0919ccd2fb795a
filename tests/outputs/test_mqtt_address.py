"""Which brokers can be meant, and that no message shows a password."""

from __future__ import annotations

import pytest

from edgecam.core.errors import ConfigError
from edgecam.outputs.mqtt.link import parse_broker


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("broker", "begins with mqtt://"),
        ("http://broker", "begins with mqtt://"),
        ("mqtt://", "name is missing"),
        ("mqtt://u:geheim@h:port", "port is not a number"),
        ("mqtt://h/topic", "nothing may follow the port"),
    ],
)
def test_a_broker_that_cannot_be_meant_is_refused_in_a_sentence(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse_broker(url)
    assert "geheim" not in str(caught.value)


def test_a_broker_is_read_and_never_shows_its_password() -> None:
    broker = parse_broker("mqtts://joe:p%40ss@h", client_id="c")
    assert (broker.host, broker.port, broker.tls, broker.user, broker.password) == (
        "h",
        8883,
        True,
        "joe",
        "p@ss",
    )
    assert "p@ss" not in repr(broker) and "joe" not in repr(broker)
    with pytest.raises(ConfigError, match="certificates need mqtts://"):
        parse_broker("mqtt://h", ca="ca.pem")
