"""MQTT over TLS to a real broker: its certificate is checked, and ours is shown where it asks for one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("paho.mqtt.client", reason="needs the extra 'mqtt'")
if shutil.which("openssl") is None:
    pytest.skip("needs openssl, to make certificates", allow_module_level=True)

from broker import Mosquitto
from mqtt_kit import board, event, until

from edgecam.core.errors import ConfigError
from edgecam.outputs.mqtt.link import NOT_YET, Broker, parse_broker
from edgecam.outputs.mqtt.output import MqttOptions, MqttOutput, MqttView

CURVE = "ec_paramgen_curve:prime256v1"


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


def authority(folder: Path, name: str) -> None:
    files = ("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")
    openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        CURVE,
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
        *files,
    )


def signed(folder: Path, name: str, common: str, by: str) -> None:
    """``name.pem`` and ``name.key`` for a host or a client, by an authority."""
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    request = ("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
    openssl("req", "-newkey", "ec", "-pkeyopt", CURVE, "-nodes", "-subj", f"/CN={common}", *request)
    ca = ("-CA", f"{folder}/{by}.pem", "-CAkey", f"{folder}/{by}.key", "-CAcreateserial")
    pair = ("-in", f"{folder}/{name}.csr", "-out", f"{folder}/{name}.pem")
    openssl("x509", "-req", "-days", "2", "-extfile", f"{folder}/ext", *ca, *pair)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    authority(folder, "ca")
    authority(folder, "other")
    signed(folder, "server", "127.0.0.1", "ca")
    signed(folder, "client", "edgecam", "ca")
    return folder


# paho 2 leaves the socket of a handshake that failed to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_brokers_certificate_is_checked_and_ours_is_shown(
    tmp_path: Path, certificates: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto = Mosquitto(
        tmp_path,
        f"cafile {certificates}/ca.pem\ncertfile {certificates}/server.pem\n"
        f"keyfile {certificates}/server.key\n"
        "require_certificate true\nuse_identity_as_username true\n",
    )

    def connected(broker: Broker, number: int) -> str:
        """Why not; empty once the event has arrived."""
        of = board()
        made = MqttOutput(MqttOptions(broker, tmp_path / str(number)), MqttView(of, of.latest))
        made.open()
        try:
            made.write(event(number))
            until(lambda: made.waiting == 0 or made._link.fault not in ("", NOT_YET))
            return made._link.fault
        finally:
            made.close()

    url = f"mqtts://127.0.0.1:{mosquitto.port}"
    ours = {"certificate": f"{certificates}/client.pem", "key": f"{certificates}/client.key"}
    try:
        assert connected(parse_broker(url, ca=f"{certificates}/ca.pem", **ours), 1) == ""
        for more in ({"ca": f"{certificates}/other.pem"}, {}):  # signed by nobody who is known
            why = connected(parse_broker(url, **ours, **more), 2)
            assert "its certificate is not accepted" in why and "--mqtt-ca" in why
        assert "ends it or says nothing" in connected(parse_broker(url, ca=f"{certificates}/ca.pem"), 3)
        plain = connected(parse_broker(url.replace("mqtts", "mqtt")), 4)
        assert "ends it or says nothing" in plain
    finally:
        mosquitto.kill()
    assert caplog.text.count("events wait on disk") >= 3


def test_a_certificate_that_cannot_be_used_is_said_at_once(tmp_path: Path, certificates: Path) -> None:
    of = board()
    for more in ({"ca": f"{certificates}/nothing.pem"}, {"certificate": f"{certificates}/ca.key"}):
        broker = parse_broker("mqtts://127.0.0.1:1", **more)
        with pytest.raises(ConfigError, match="a certificate cannot be used"):
            MqttOutput(MqttOptions(broker, tmp_path), MqttView(of, of.latest)).open()
