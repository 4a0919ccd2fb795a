"""One connection to a broker, kept by paho-mqtt: it comes back by itself, and says when it is there."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from edgecam.core.errors import ConfigError, MissingExtraError
from edgecam.core.text import escape
from edgecam.core.threads import OwnedThread
from edgecam.host.installation import install_extra
from edgecam.outputs.courier import NotDelivered
from edgecam.outputs.mqtt.topics import OFFLINE, Topics

if TYPE_CHECKING:
    from paho.mqtt.client import Client

log = logging.getLogger(__name__)

#: A broker that does not acknowledge within this time has not got it.
ACKNOWLEDGED_WITHIN_S = 10.0
KEEP_ALIVE_S = 30
CONNECT_WITHIN_S = 5.0
#: State messages that wait in the client while the network is slow; the newest state follows anyway.
MOST_QUEUED = 1000
JOIN_S = 10.0
#: A command longer than this is no command.
MOST_COMMAND_BYTES = 1024
#: And what else a broker sends to us is no longer than this.
MOST_PACKET_BYTES = 64 * 1024
NOT_YET = "not connected yet"
PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and who we are there. ``password`` never appears in a message."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None
    client_id: str = ""
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    def __repr__(self) -> str:
        return f"Broker({self.name})"

    @property
    def name(self) -> str:
        """For people: without user and password."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_broker(url: str, **more: str | None) -> Broker:
    """``mqtt[s]://[user[:password]@]host[:port]``. Raises ConfigError, which never repeats a password."""
    hint = "write --mqtt mqtt://broker, mqtts://broker:8883 or the like"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"--mqtt: the port is not a number from 1 to 65535; {hint}") from None
    if parts.scheme not in PORTS:
        raise ConfigError(f"--mqtt: an address begins with mqtt:// or mqtts://; {hint}")
    if not parts.hostname:
        raise ConfigError(f"--mqtt: the broker's name is missing; {hint}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(f"--mqtt: nothing may follow the port; topics are set by --mqtt-prefix; {hint}")
    user = None if parts.username is None else unquote(parts.username)
    password = more.pop("password", None) or (None if parts.password is None else unquote(parts.password))
    tls = parts.scheme == "mqtts"
    if not tls and (more.get("ca") or more.get("certificate")):
        raise ConfigError("--mqtt: certificates need mqtts://; with mqtt:// nothing is encrypted")
    return Broker(
        parts.hostname, port or PORTS[parts.scheme], tls, user, password, more.get("client_id") or "",
        more.get("ca"), more.get("certificate"), more.get("key"),
    )  # fmt: skip


def _why(error: BaseException | None) -> str:
    """Why a connection could not be made, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = escape(error.verify_message, 120)
        return f"its certificate is not accepted ({why}); --mqtt-ca names the authority that signed it"
    if isinstance(error, ssl.SSLError):
        return f"no encrypted connection ({escape(error.reason or error, 120)}); is it mqtts:// there?"
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return "it does not answer"


class MqttLink:
    """A connection that lasts as long as the run.

    on_connect: called on the connection's thread each time it is made. on_message: topic and text of what
    comes on the subscribed topics. Everything but ``open`` and ``close`` is for any thread.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        on_connect: Callable[[], None],
        on_message: Callable[[str, str], None],
    ) -> None:
        self.broker = broker
        self.fault = NOT_YET
        self._topics = topics
        self._on_connect = on_connect
        self._on_message = on_message
        self._subscribed: tuple[str, ...] = ()
        self._client: Client | None = None
        self._thread: OwnedThread | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._client is not None and self._client.is_connected()

    def open(self) -> None:
        """Begin to connect, for ever. Raises ConfigError (certificates) or MissingExtraError."""
        try:
            from paho.mqtt.client import Client, MQTTv311
            from paho.mqtt.enums import CallbackAPIVersion
        except ModuleNotFoundError:
            raise MissingExtraError(f"--mqtt needs the package paho-mqtt: {install_extra('mqtt')}") from None
        broker = self.broker

        class Bounded(Client):
            """Limit what is read of a message: Paho takes whatever length a broker names, up to 256 MB."""

            def _sock_recv(self, bufsize: int) -> bytes:
                if bufsize > MOST_PACKET_BYTES:
                    raise ConnectionError(f"a message of {bufsize} bytes is over the limit")
                return super()._sock_recv(bufsize)

        client = Bounded(CallbackAPIVersion.VERSION2, client_id=broker.client_id, protocol=MQTTv311)
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            try:
                context = ssl.create_default_context(cafile=broker.ca)
                if broker.ca:  # one's own often lacks the key usage that Python 3.13 began to ask for
                    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
                if broker.certificate:
                    context.load_cert_chain(broker.certificate, broker.key)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"--mqtt: a certificate cannot be used: {error}") from None
            client.tls_set_context(context)
        client.will_set(self._topics.available, OFFLINE, qos=1, retain=True)
        client.reconnect_delay_set(1, 30)
        client.max_queued_messages_set(MOST_QUEUED)
        client.connect_timeout = CONNECT_WITHIN_S
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_connect_fail = self._failed
        client.on_message = self._message
        client.connect_async(broker.host, broker.port, keepalive=KEEP_ALIVE_S)
        self._client = client
        self._thread = OwnedThread("mqtt", self._run)
        self._thread.start()

    def _run(self) -> None:
        assert self._client is not None
        try:
            self._client.loop_forever(retry_first_connection=True)
        except Exception as error:
            self._tell(f"the connection is over: unexpected {type(error).__name__}: {escape(error, 200)}")
            raise

    def subscribe(self, *topics: str) -> None:
        """Listen to ``topics``, after each connection."""
        self._subscribed = topics

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = True) -> bool:
        """Send, if the broker is there; what is retained will be told again when it comes back."""
        if not self.connected or self._client is None:
            return False
        self._client.publish(topic, payload, qos=1 if retain else 0, retain=retain)
        return True

    def deliver(self, topic: str, payload: str | bytes) -> None:
        """Send with QoS 1, and return when the broker has it. Raises NotDelivered."""
        client = self._client
        if client is None or not client.is_connected():
            raise NotDelivered(f"no connection to {self.broker.name} ({self.fault})")
        info = client.publish(topic, payload, qos=1)
        try:
            info.wait_for_publish(ACKNOWLEDGED_WITHIN_S)
        except (RuntimeError, ValueError) as error:
            raise NotDelivered(f"{self.broker.name} did not take it: {error}") from None
        if not info.is_published():
            raise NotDelivered(f"{self.broker.name} did not acknowledge within {ACKNOWLEDGED_WITHIN_S:g} s")

    def close(self) -> None:
        """Say goodbye and end. Idempotent."""
        client, thread = self._client, self._thread
        self._client = self._thread = None
        if client is None:
            return
        if client.is_connected():
            client.publish(self._topics.available, OFFLINE, qos=1, retain=True).wait_for_publish(2.0)
        client.disconnect()
        if thread is not None:
            thread.join(JOIN_S)
            if thread.error is not None:
                raise thread.error

    # -- paho's callbacks, on the connection's thread

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if reason.is_failure:
            self._tell(f"the broker refuses: {reason}")
            return
        if self.fault:
            log.info("mqtt: connected to %s", self.broker.name)
        self.fault = ""
        for topic in self._subscribed:
            client.subscribe(topic, qos=1)
        self._on_connect()

    def _disconnected(self, _client: Client, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if self._client is None:
            return
        if self.fault == NOT_YET:
            self._tell(f"it takes the connection, and ends it or says nothing ({reason})")
        elif not self.fault:  # else why it is not there was told already
            self._tell(f"the connection was lost: {reason}")

    def _failed(self, _client: Client, _data: Any) -> None:
        self._tell(_why(sys.exc_info()[1]))  # paho calls this while it handles the error

    def _tell(self, why: str) -> None:
        if why != self.fault:
            log.warning("mqtt: %s: %s; trying again, and events wait on disk", self.broker.name, why)
        self.fault = why

    def _message(self, _client: Client, _data: Any, message: Any) -> None:
        if len(message.payload) > MOST_COMMAND_BYTES:
            log.warning("mqtt: %s: a command of %d bytes is no command", message.topic, len(message.payload))
            return
        self._on_message(message.topic, message.payload.decode("utf-8", "replace").strip())
