"""The outputs that leave this machine, made from the settings, each on threads of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from edgecam import plugins
from edgecam.app.plugin_sinks import plugin_sink
from edgecam.config import Config
from edgecam.core.areas import Areas
from edgecam.core.control import Control
from edgecam.core.errors import ConfigError, suggest
from edgecam.core.events import Event
from edgecam.core.naming import short
from edgecam.core.ports import EventSink
from edgecam.core.text import escape
from edgecam.core.types import Result
from edgecam.host.memory import give_back_heap, unmap_unused_code
from edgecam.host.paths import state_folder
from edgecam.pipeline.pipeline import Pipeline
from edgecam.rules.areas import areas_of
from edgecam.rules.spec import RuleSet

log = logging.getLogger(__name__)

#: A secret is one line of a small file.
MOST_SECRET_BYTES = 4096


class Wire:
    """The outputs that the settings ask for; each package is imported only for what was asked.

    control: what may be seen and set. picture: the JPEG of an event's ``snapshot``. record: begins a
    recording or ends it. add: has an opened sink take every event. rules: as they stand now.

    Raises ConfigError or MissingExtraError.
    """

    def __init__(
        self,
        config: Config,
        control: Control,
        *,
        picture: Callable[[str], bytes | None],
        record: Callable[[bool], str],
        add: Callable[[EventSink, str], None],
        rules: Callable[[], RuleSet],
    ) -> None:
        self._config, self._control = config, control
        self._picture, self._record, self._add, self._rules = picture, record, add, rules
        self._pipeline: Pipeline | None = None
        self._running = False
        self._waiting: dict[str, Callable[[], int]] = {}
        #: Told of every result, quickly.
        self.hooks: list[Callable[[Result], None]] = []

    def attach(self, pipeline: Pipeline) -> None:
        """From now on counts of zones and lines can be sent."""
        self._pipeline = pipeline

    def start(self) -> None:
        """From now on commands are carried out; those that came earlier were kept."""
        self._running = True

    def open(self, undo: ExitStack) -> None:
        """Open them all; ``undo`` closes them again."""
        config = self._config
        if config.notify_quiet is not None and not config.notify:
            from edgecam.outputs.notify import parse_quiet

            parse_quiet(config.notify_quiet)  # what is wrong is said, even if nobody is to be told
        if config.mqtt is not None:
            self._open(self._mqtt(config.mqtt), "mqtt", undo)
        for number, url in enumerate(config.webhook, 1):
            self._open(self._webhook(url, number), f"webhook {number}", undo)
        for number, url in enumerate(config.notify, 1):
            self._open(self._notifier(url, number), f"message {number}", undo)
        if config.action:
            from edgecam.outputs.actions import Actions

            actions = Actions(list(config.action), _plugin_action, self._told("action"))
            self._open(actions, "actions", undo)
            self._know(actions.rules)
        if config.metrics is not None:
            from edgecam.outputs.metrics import MetricsOutput, parse_address

            address = parse_address(config.metrics)
            metrics = MetricsOutput(address, self._control.state, self.counts_waiting)
            self._open(metrics, "metrics", undo)
            self.hooks.append(metrics.observe)
        if config.mqtt or config.metrics or config.webhook or config.notify:
            # loading libssl and such mapped pages again after the start's were given back: 4 MB
            give_back_heap()
            unmap_unused_code()

    def _know(self, asked: Sequence[str]) -> None:
        """Warn of actions for rules that do not exist: no error, since rules may still be added."""
        known = [rule.name for rule in self._rules().rules]
        for name in dict.fromkeys(asked):
            if name != "*" and name not in known:
                near = suggest(name, known) or (f"; there is {', '.join(known)}" if known else "")
                log.warning("--action: no rule is called '%s'%s", escape(name, 64), near)

    def _told(self, output: str) -> Callable[[Event], bool]:
        """Whether ``output`` is told of an event: not where its rule's ``do`` names others only."""

        def told(event: Event) -> bool:
            if not event.rule:
                return True
            do = next((rule.do for rule in self._rules().rules if rule.name == event.rule), ())
            return not do or output in do

        return told

    def _open(self, sink: EventSink, name: str, undo: ExitStack) -> None:
        sink.open()
        undo.callback(sink.close)
        self._add(sink, name)

    def counts_waiting(self) -> Mapping[str, int]:
        """How many events wait for each output."""
        return {name: count() for name, count in self._waiting.items()}

    def _latest(self) -> Sequence[Result | None]:
        pipeline = self._pipeline
        if pipeline is None:
            return ()
        return [pipeline.latest.get(index) for index in range(len(self._control.state().sources))]

    def _areas(self, camera: str) -> Areas:
        for result in self._latest():
            if result is not None and result.frame.source == camera and result.told is not None:
                return result.told.areas
        return areas_of(self._rules().of(camera, short(camera)))  # nothing has been counted yet

    def _mqtt(self, url: str) -> EventSink:
        from edgecam.outputs.mqtt.link import parse_broker
        from edgecam.outputs.mqtt.output import MqttOptions, MqttOutput, MqttView

        config = self._config
        prefix = config.mqtt_prefix.strip("/")
        if not prefix or any(c in prefix for c in "+#\0 "):
            raise ConfigError(
                f"--mqtt-prefix '{config.mqtt_prefix}': write a word or a path without +, # and blanks"
            )
        broker = parse_broker(
            url,
            password=read_secret(config.mqtt_password_file, "--mqtt-password-file") or None,
            client_id=config.mqtt_client_id,
            ca=config.mqtt_ca,
            certificate=config.mqtt_certificate,
            key=config.mqtt_key,
        )
        discovery = "" if config.mqtt_discovery == "off" else config.mqtt_discovery.strip("/")
        options = MqttOptions(
            broker, state_folder(), prefix, discovery, zone_labels=self._zone_labels, wants=self._told("mqtt")
        )
        view = MqttView(
            self._control, self._latest, self._areas, self._picture, self._record, lambda: self._running
        )
        made = MqttOutput(options, view)
        self._waiting["mqtt"] = lambda: made.waiting
        return made

    def _zone_labels(self) -> Mapping[str, tuple[str, ...]]:
        return {zone.name: zone.classes for zone in self._rules().zones if zone.classes}

    def _webhook(self, url: str, number: int) -> EventSink:
        from edgecam.outputs.courier import Courier
        from edgecam.outputs.http_post import parse_address
        from edgecam.outputs.webhook import Webhook

        config = self._config
        secret = read_secret(config.webhook_secret_file, "--webhook-secret-file")
        picture = self._picture if config.webhook_picture else None
        hook = Webhook(parse_address(url, "--webhook"), secret, picture)
        courier = Courier(f"webhook-{number}", state_folder(), hook, self._told("webhook"))
        self._waiting[courier.name] = lambda: courier.waiting
        return courier

    def _notifier(self, url: str, number: int) -> EventSink:
        from edgecam.outputs.courier import Courier
        from edgecam.outputs.messages import parse_target
        from edgecam.outputs.notify import Notifier, parse_quiet, wanted

        config = self._config
        page = (config.notify_link or "").rstrip("/")
        notifier = Notifier(
            parse_target(url),
            picture=self._picture,
            link=lambda event_id: f"{page}/#/events/{event_id}" if page else "",
            quiet=None if config.notify_quiet is None else parse_quiet(config.notify_quiet),
            per_hour=config.notify_per_hour,
            keep=state_folder() / f"held-message-{number}.json",
        )
        told = self._told("notify")
        courier = Courier(
            f"message-{number}",
            state_folder(),
            notifier,
            lambda event: wanted(event) and told(event),
            notifier.idle,
        )
        self._waiting[courier.name] = lambda: courier.waiting
        return courier


def read_secret(file: str | None, option: str) -> str:
    """The first line of ``file``; empty without one. Raises ConfigError."""
    if file is None:
        return ""
    try:
        with Path(file).expanduser().open(encoding="utf-8") as opened:
            secret = opened.readline(MOST_SECRET_BYTES).rstrip("\r\n")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(
            f"{option} {file}: cannot be read ({error}); its first line is the secret"
        ) from None
    if not secret:
        raise ConfigError(f"{option} {file}: the first line is empty; write the secret there")
    return secret


def _plugin_action(text: str) -> EventSink | None:
    """An action that an installed package brings, by ``NAME:ARGUMENT``; None where nobody has that name.

    It is open already. Raises ConfigError.
    """
    name, colon, argument = text.partition(":")
    plugin = plugins.added("actions").get(name) if colon else None
    if plugin is None:
        return None
    sink = plugin_sink(plugin, argument)
    sink.open()
    return sink
