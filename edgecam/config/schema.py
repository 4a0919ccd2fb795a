"""Every setting of ``edgecam``, once: name, type, default, help text.

The command line, the environment's names, the TOML keys and their pages of help are all made from
:class:`Config`, through :func:`edgecam.config.options.options`; :mod:`edgecam.config` fills it.

One list, longer than other files: somebody who looks for a setting, or adds one, finds all of them here, in
the order of the help; parts of it in other files would only have to be put together again.
"""

# no `from __future__ import annotations` here: a hundred types as text would be compiled at every start
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgecam.core.units import Bytes, Seconds, Size

Unit = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1_000_000)]
Hertz = Annotated[float, Meta(gt=0, le=1000)]
Megapixels = Annotated[float, Meta(gt=0, le=1000)]
Celsius = Annotated[float, Meta(gt=0, le=120)]
Percent = Annotated[float, Meta(ge=0, le=90)]
ThreadCount = Annotated[int, Meta(ge=0, le=64)]
Count = Annotated[int, Meta(ge=1)]
Level = Annotated[int, Meta(ge=0)]
#: A zone, a line or a rule: the command line's word, or a table of the TOML file.
AreaSetting = str | dict[str, Any]

#: ``--classes none``, and what the window says when a person switches the last class off.
NO_CLASS = ("none",)


def _o(
    text: str, group: str, metavar: str | None = None, short: str | None = None, *, live: bool = False
) -> Meta:
    """live: may change while running; see :class:`edgecam.config.live.LiveSettings`."""
    return Meta(description=text, extra={"group": group, "metavar": metavar, "short": short, "live": live})


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of ``edgecam``; the descriptions are the ones ``--help`` prints."""

    source: Annotated[
        tuple[str, ...],
        _o(
            "what to look at: /dev/video0, 0, csi:0, a video file, a folder or 'glob*' of pictures, "
            "rtsp://…, http://…, synthetic:, demo:. Repeat for several cameras",
            "source",
            "SOURCE",
        ),
    ] = ()
    size: Annotated[Size | None, _o("size to ask the camera for", "source", "WxH")] = None
    rate: Annotated[Hertz | None, _o("frames per second to ask the camera for", "source", "FPS")] = None
    control: Annotated[
        tuple[str, ...], _o("camera control, as v4l2-ctl names it; repeat for more", "source", "NAME=VALUE")
    ] = ()
    rtsp_transport: Annotated[Literal["tcp", "udp"], _o("transport for rtsp://", "source")] = "tcp"
    camera_certificate: Annotated[
        str,
        _o(
            "which certificate to trust for rtsps:// and https://: check (the system's authorities), any, or "
            "a PEM file with the camera's own certificate",
            "source",
            "check|any|FILE",
        ),
    ] = "check"
    rotate: Annotated[
        Literal["0", "90", "180", "270"], _o("turn the pictures clockwise by so many degrees", "source")
    ] = "0"
    mirror: Annotated[bool, _o("mirror the pictures, left for right", "source")] = False
    credentials: Annotated[
        str | None,
        _o(
            "file (mode 0600) or systemd credential with the network cameras' users and passwords: lines of "
            "rtsp://HOST USER:PASSWORD",
            "source",
            "NAME|FILE",
        ),
    ] = None
    isolate: Annotated[
        Literal["auto", "on", "off"],
        _o(
            "decode each network camera in a process of its own, so that a crash there ends one picture and "
            "not the run; auto: where this Python can start one",
            "source",
        ),
    ] = "auto"
    frozen_after: Annotated[
        Seconds,
        _o(
            "a camera that sends the very same bytes for this long is lost; 0 for grabbers of still screens",
            "source",
            "TIME",
        ),
    ] = Seconds(10.0)
    max_pixels: Annotated[
        Megapixels | None,
        _o(
            "refuse pictures of more megapixels, before they are decoded (default: 64 for files, 33.2 for "
            "cameras and streams)",
            "source",
            "MP",
        ),
    ] = None
    reconnect: Annotated[
        str, _o("when a camera is lost: 'forever', 'off', or a number of tries", "source", "HOW")
    ] = "forever"
    wait: Annotated[
        bool, _o("wait for a camera that is not there yet, instead of ending with an error", "source")
    ] = False
    loop: Annotated[bool, _o("play a file again and again", "source")] = False
    detector: Annotated[
        str, _o("model name (see 'edgecam models'), an .onnx file, or off", "vision", "NAME|FILE|off")
    ] = "default"
    classifier: Annotated[str, _o("model name, an .onnx file, or off", "vision", "NAME|FILE|off")] = "default"
    classify: Annotated[
        Literal["frame", "crops", "off"], _o("classify the whole frame, or what was detected", "vision")
    ] = "crops"
    classify_budget: Annotated[
        Seconds, _o("time per frame for classifying crops, best first", "vision", "TIME")
    ] = Seconds(0.015)
    classify_score: Annotated[Unit, _o("show a class from this probability on", "vision", "P")] = 0.9
    score: Annotated[
        Unit | None,
        _o("show detections from this score on (default: the model's own)", "vision", "S", live=True),
    ] = None
    classes: Annotated[
        tuple[str, ...],
        _o(
            "what to look for: people, vehicles, pets, animals, things, all, names, -NAME to leave "
            "one out, or none (default: people, vehicles, animals and what else is found dependably)",
            "vision",
            "A,B",
            live=True,
        ),
    ] = ()
    detect_rate: Annotated[
        Hertz | None,
        _o("detect at most this often per second; between, boxes are predicted", "vision", "HZ", live=True),
    ] = None
    zone: Annotated[
        tuple[AreaSetting, ...],
        _o(
            "a part of the picture by its corners from 0 to 1: 'door=0.1,0.2 0.4,0.2 0.4,0.9'. "
            "Repeat for more; [[zone]] in the TOML can say more",
            "rules",
            "NAME=X,Y…",
            live=True,
        ),
    ] = ()
    line: Annotated[
        tuple[AreaSetting, ...],
        _o("a line to count at, by its two ends: 'gate=0.1,0.6 0.9,0.6'", "rules", "NAME=X,Y X,Y", live=True),
    ] = ()
    rule: Annotated[
        tuple[AreaSetting, ...],
        _o(
            "something to be told: person@door:0.6, car>gate (in), car<gate (out), motion@yard; "
            "[[rule]] in the TOML can say more",
            "rules",
            "WHAT",
            live=True,
        ),
    ] = ()
    gate: Annotated[Literal["off", "motion"], _o("motion: skip detection while nothing moves", "vision")] = (
        "off"
    )
    threads: Annotated[ThreadCount, _o("inference threads; 0 lets edgecam choose", "vision", "N")] = 0
    provider: Annotated[
        str, _o("ONNX Runtime provider: auto, cpu, xnnpack, acl, cuda, tensorrt", "vision", "NAME")
    ] = "auto"
    tune: Annotated[
        Literal["auto", "off", "again"],
        _o("measure threads and int8 on this board at first start", "vision"),
    ] = "auto"
    tune_for: Annotated[
        Literal["rate", "watts"], _o("tune for the highest rate or for rate per watt", "vision")
    ] = "rate"
    tune_rate: Annotated[
        Hertz | None,
        _o("detect on a smaller picture (fast) if default does fewer frames a second here", "vision", "HZ"),
    ] = None
    display: Annotated[
        Literal["auto", "window", "fullscreen", "none"], _o("where to show it", "output", None)
    ] = "auto"
    overlay: Annotated[
        Literal["simple", "full", "boxes", "off"],
        _o(
            "what stands over the picture: simple, full (all rates, age, heat, model), boxes or off",
            "output",
            live=True,
        ),
    ] = "simple"
    show: Annotated[
        Literal["confirmed", "tentative"],
        _o(
            "tentative: also draw, thinly, what has not been seen often enough to be sure",
            "output",
            live=True,
        ),
    ] = "confirmed"
    show_areas: Annotated[
        Literal["full", "outline", "off"],
        _o(
            "zones and lines on the picture: with names and counts, their outlines, or off",
            "output",
            live=True,
        ),
    ] = "full"
    stamp: Annotated[bool, _o("burn date, time and the camera's name into window and clips", "output")] = (
        False
    )
    record: Annotated[
        str | None, _o("write an annotated H.264 clip; a folder names clips by time", "output", "FILE|DIR")
    ] = None
    record_view: Annotated[Literal["annotated", "clean", "both"], _o("what the clip shows", "output")] = (
        "annotated"
    )
    record_on: Annotated[
        tuple[str, ...],
        _o(
            "record on events only: person:0.6,car, person@door, car>gate, motion@yard, key, signal or api",
            "output",
            "WHAT",
        ),
    ] = ()
    pre: Annotated[Seconds, _o("with --record-on: seconds before the event", "output", "TIME")] = Seconds(5.0)
    post: Annotated[Seconds, _o("with --record-on: seconds after the event", "output", "TIME")] = Seconds(5.0)
    record_longest: Annotated[
        Seconds, _o("with --record-on: an event's clip goes on in a new one after this", "output", "TIME")
    ] = Seconds(600.0)
    record_rate: Annotated[
        Hertz | None,
        _o("clips of this constant rate (default: every frame at its own time)", "output", "FPS"),
    ] = None
    snapshot_on: Annotated[
        tuple[str, ...],
        _o("a picture into --snapshots when person:0.6,car, person@door or motion begins", "output", "WHAT"),
    ] = ()
    segment: Annotated[
        Seconds | None, _o("cut a continuous recording into pieces this long", "output", "TIME")
    ] = None
    keep_days: Annotated[Positive | None, _o("delete clips older than this", "output", "DAYS")] = None
    keep_bytes: Annotated[Bytes | None, _o("keep at most this much", "output", "BYTES")] = None
    keep_free: Annotated[Percent, _o("keep this share of the disk free, percent", "output", "PERCENT")] = 5.0
    json: Annotated[str | None, _o("one JSON line per result; - is standard output", "output", "-|FILE")] = (
        None
    )
    events: Annotated[str | None, _o("one JSON line per event; - is standard output", "output", "-|FILE")] = (
        None
    )
    sink: Annotated[
        tuple[str, ...],
        _o(
            "give every result to a plug-in (see 'edgecam plugins'); repeat for more",
            "output",
            "NAME[:ARGUMENT]",
        ),
    ] = ()
    snapshots: Annotated[str, _o("folder for snapshots", "output", "DIR")] = "."
    mqtt: Annotated[
        str | None,
        _o(
            "tell a broker: events, counts, state, snapshots; and Home Assistant what there is. The password "
            "stands in --mqtt-password-file",
            "wire",
            "mqtt[s]://[USER@]HOST[:PORT]",
        ),
    ] = None
    mqtt_prefix: Annotated[str, _o("what every topic begins with; one per board", "wire", "TEXT")] = "edgecam"
    mqtt_client_id: Annotated[
        str | None, _o("the board's name at the broker (default: made from host and machine)", "wire", "TEXT")
    ] = None
    mqtt_password_file: Annotated[
        str | None, _o("the broker's password, on the first line", "wire", "FILE")
    ] = None
    mqtt_ca: Annotated[
        str | None, _o("the authority that signed the broker's certificate", "wire", "FILE.pem")
    ] = None
    mqtt_certificate: Annotated[str | None, _o("our own certificate", "wire", "FILE.pem")] = None
    mqtt_key: Annotated[str | None, _o("its key, if it stands in another file", "wire", "FILE.pem")] = None
    mqtt_discovery: Annotated[
        str, _o("Home Assistant's prefix; off: the board disappears from it", "wire", "TEXT|off")
    ] = "homeassistant"
    webhook: Annotated[
        tuple[str, ...], _o("post each event as JSON to this address; repeat for more", "wire", "URL")
    ] = ()
    webhook_secret_file: Annotated[
        str | None, _o("sign what is posted (HMAC-SHA256) with the secret on the first line", "wire", "FILE")
    ] = None
    webhook_picture: Annotated[bool, _o("post a form with the picture beside the JSON", "wire")] = False
    notify: Annotated[
        tuple[str, ...],
        _o(
            "tell a person of rules that hold, and of cameras and boards in trouble: ntfys://HOST/TOPIC, "
            "telegram://TOKEN/CHAT, smtps://USER@HOST/?from=A&to=B, apprise:URL; repeat for more",
            "wire",
            "URL",
        ),
    ] = ()
    notify_quiet: Annotated[str | None, _o("no messages in these hours", "wire", "HH:MM-HH:MM")] = None
    notify_per_hour: Annotated[
        Count, _o("at most so many messages an hour; the next one says what was held back", "wire", "N")
    ] = 20
    notify_link: Annotated[
        str | None, _o("the page's address, for a link in each message", "wire", "URL")
    ] = None
    action: Annotated[
        tuple[str, ...],
        _o(
            "when a rule holds run a command (the event comes on its standard input), or switch a pin: "
            "person-at-door=/usr/local/bin/ring, yard=gpio:17; repeat for more",
            "wire",
            "RULE=COMMAND",
        ),
    ] = ()
    metrics: Annotated[str | None, _o("serve /metrics for Prometheus here", "wire", "[ADDR:]PORT")] = None
    web: Annotated[
        str | None,
        _o(
            "serve the page and its API here: 8080 on this machine only, 0.0.0.0:8080 for the network "
            "(after 'edgecam web password')",
            "web",
            "[ADDR:]PORT",
        ),
    ] = None
    web_tls: Annotated[
        str,
        _o(
            "HTTPS: off, self (a certificate made here), or a PEM file with key and certificate",
            "web",
            "off|self|FILE",
        ),
    ] = "off"
    web_names: Annotated[
        tuple[str, ...], _o("further host names under which browsers may ask for the page", "web", "NAME")
    ] = ()
    web_proxies: Annotated[
        tuple[str, ...], _o("addresses of proxies whose X-Forwarded headers are believed", "web", "ADDR")
    ] = ()
    frames: Annotated[Count | None, _o("stop after this many frames", "run", "N")] = None
    duration: Annotated[Seconds | None, _o("stop after this long", "run", "TIME")] = None
    max_age: Annotated[
        Seconds | None, _o("never show an older result as current; violations are counted", "run", "TIME")
    ] = None
    max_watts: Annotated[
        Positive | None, _o("stay below this power by detecting less often", "run", "W", live=True)
    ] = None
    max_temp: Annotated[
        Celsius | None,
        _o(
            "stay below this temperature likewise (default: 2 °C below the firmware's limit)",
            "run",
            "°C",
            live=True,
        ),
    ] = None
    power_command: Annotated[
        str | None,
        _o("a command that prints the watts drawn, for meters edgecam does not know", "run", "CMD"),
    ] = None
    forget: Annotated[
        bool, _o("forget what was set in the window in earlier runs of these sources", "run")
    ] = False
    config: Annotated[str | None, _o("settings file; keys are the option names", "run", "FILE.toml")] = None
    verbose: Annotated[Level, _o("say more; twice for debugging and tracebacks", "run", None, "v")] = 0
