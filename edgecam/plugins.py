"""What edgecam can be extended with, and what it is made of: one registry for both.

A package adds to edgecam by entry points, such as ``[project.entry-points."edgecam.sources"]`` in its
pyproject.toml; docs/plugins.md says what each group's are called with, and examples/plugin/ is one.

A plug-in that cannot be imported, lacks what its port asks for, or raises, costs one sentence with its
package's name: a :class:`PluginError` where somebody asked for it, a line in the log where nobody did.
Errors of edgecam's own that it raises pass as they are. Nothing is imported before it is needed. Looking for
plug-ins reads one small file for each installed package, without ``importlib.metadata``, whose import alone
takes longer than that.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, Literal, TypeVar, cast, get_args

from msgspec import Struct

from edgecam.core.errors import EdgecamError
from edgecam.core.package import __version__

Group = Literal["sources", "detectors", "runtimes", "sinks", "actions", "meters"]
GROUPS: tuple[Group, ...] = get_args(Group)
T = TypeVar("T")

#: The Protocol in :mod:`edgecam.core.ports` that each group's things implement.
PORTS: dict[Group, str] = {
    "sources": "Source",
    "detectors": "Detector",
    "runtimes": "Runtime",
    "sinks": "Sink",
    "actions": "EventSink",
    "meters": "PowerMeter",
}

#: What edgecam ships, in the order in which it is asked where the order matters (meters: by trust).
BUILT_IN: dict[Group, dict[str, str]] = {
    "sources": {
        "http": "edgecam.capture.network.stream:StreamSource",
        "https": "edgecam.capture.network.stream:StreamSource",
        "rtsp": "edgecam.capture.network.stream:StreamSource",
        "rtsps": "edgecam.capture.network.stream:StreamSource",
        "csi": "edgecam.capture.csi.source:CsiSource.from_uri",
        "demo": "edgecam.capture.generated.demo:DemoSource.from_uri",
        "synthetic": "edgecam.capture.generated.synthetic:SyntheticSource.from_uri",
    },
    "detectors": {".onnx": "edgecam.inference.load:load_detector"},
    "runtimes": {"onnxruntime": "edgecam.inference.runtime.session:Session"},
    "sinks": {"json": "edgecam.outputs.json_lines:JsonLinesSink"},
    "actions": {},
    "meters": {
        "ina3221": "edgecam.telemetry.meters.ina3221:Ina3221Meter.find",
        "hwmon": "edgecam.telemetry.meters.hwmon:HwmonMeter.find",
        "battery": "edgecam.telemetry.meters.battery:BatteryMeter.find",
        "rapl": "edgecam.telemetry.meters.rapl:RaplMeter.find",
    },
}


class PluginError(EdgecamError, RuntimeError):
    """A plug-in that cannot be used; the message names its package."""


class Plugin(Struct, frozen=True):
    """One entry: of edgecam itself, or of an installed package.

    target: ``module:attribute`` of what is called. package, version: whose it is.
    """

    group: Group
    name: str
    target: str
    package: str = "edgecam"
    version: str = __version__

    @property
    def is_built_in(self) -> bool:
        """Whether edgecam ships it."""
        return self.package == "edgecam"

    def __str__(self) -> str:
        return f"plug-in '{self.name}' of the package {self.package} {self.version}"

    def load(self) -> Callable[..., Any]:
        """What is to be called. Imports it; raises PluginError where that fails."""
        module, _, path = self.target.partition(":")
        try:
            found = import_module(module)
            for part in path.split(".") if path else ():
                found = getattr(found, part)
        except Exception as error:
            if self.is_built_in:
                raise  # a package that is missing is told as such
            raise PluginError(f"{self} cannot be imported: {_told(error)}") from error
        if not callable(found):
            raise PluginError(f"{self} is a {type(found).__name__} that cannot be called: '{self.target}'")
        return cast("Callable[..., Any]", found)

    def make(self, *arguments: Any, **options: Any) -> Any:
        """What calling it gives, checked against its port. Raises PluginError and edgecam's own errors."""
        made = self.call(self.load(), *arguments, **options)
        if self.is_built_in or (made is None and self.group == "meters"):
            return made
        missing = [name for name in attributes_of(self.group) if not hasattr(made, name)]
        if missing:
            raise PluginError(
                f"{self} gives a {type(made).__name__} without {', '.join(missing)}: it is no "
                f"edgecam.core.ports.{PORTS[self.group]}"
            )
        return made

    def call(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """``function(…)``; what it raises becomes a PluginError, but for errors of edgecam's own."""
        try:
            return function(*arguments, **options)
        except EdgecamError:
            raise
        except Exception as error:
            if self.is_built_in:
                raise
            raise PluginError(f"{self} failed: {_told(error)}") from error


class Guarded:
    """Stands before a plug-in's thing and hands everything on; what that raises is said in one sentence.

    error: the kind of EdgecamError that then is raised.
    """

    def __init__(self, plugin: Plugin, thing: Any, error: type[EdgecamError]) -> None:
        self._plugin, self._thing, self._error = plugin, thing, error

    def _call(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        try:
            return self._plugin.call(function, *arguments, **options)
        except PluginError as error:
            raise self._error(str(error)) from error

    def __getattr__(self, name: str) -> Any:
        try:
            value = getattr(self._thing, name)
        except AttributeError:
            raise  # whoever asks knows what that means
        except Exception as error:
            raise self._error(f"{self._plugin} failed: {_told(error)}") from error
        return partial(self._call, value) if callable(value) else value


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' + text if text else ''}"


def attributes_of(group: Group) -> list[str]:
    """What a thing of ``group`` must have: the public names of its port."""
    from edgecam.core import ports

    kinds = [kind for kind in getattr(ports, PORTS[group]).__mro__ if kind.__module__ == ports.__name__]
    return sorted({name for kind in kinds for name in vars(kind) if not name.startswith("_")})


def find(group: Group, name: str) -> Plugin | None:
    """The entry called ``name``. edgecam's own come first, and are found without looking for others."""
    target = BUILT_IN[group].get(name)
    if target is not None:
        return Plugin(group, name, target)
    return added(group).get(name)


def added(group: Group) -> dict[str, Plugin]:
    """What installed packages add to ``group``, by name. Looked for once per process."""
    return {plugin.name: plugin for plugin in installed() if plugin.group == group}


def every(group: Group) -> list[Plugin]:
    """What others added, and then edgecam's own."""
    return [*added(group).values(), *(Plugin(group, name, to) for name, to in BUILT_IN[group].items())]


@lru_cache(maxsize=1)
def installed() -> tuple[Plugin, ...]:
    """Every entry point ``edgecam.*`` of the packages on ``sys.path``; where two share a name, the first."""
    found: dict[tuple[Group, str], Plugin] = {}
    for folder in dict.fromkeys(sys.path):
        for plugin in _in_folder(folder or "."):
            if plugin.name not in BUILT_IN[plugin.group]:
                found.setdefault((plugin.group, plugin.name), plugin)
    return tuple(found.values())


def _in_folder(folder: str) -> Iterator[Plugin]:
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-info")))  # noqa: PTH208
    except OSError:
        return  # not a folder: an archive, or gone
    for name in names:
        try:
            with open(f"{folder}/{name}/entry_points.txt", encoding="utf-8") as file:  # noqa: PTH123
                text = file.read()
        except (OSError, UnicodeDecodeError):
            continue
        if "[edgecam." in text:
            yield from _entries(text, *_identity(f"{folder}/{name}"))


def _identity(folder: str) -> tuple[str, str]:
    """(name, version) of the package whose metadata lie in ``folder``."""
    told: dict[str, str] = {}
    for file in ("METADATA", "PKG-INFO"):
        try:
            with open(f"{folder}/{file}", encoding="utf-8") as lines:  # noqa: PTH123
                for line in lines:
                    key, colon, value = line.partition(":")
                    if not colon:
                        break  # the headers are over
                    told.setdefault(key.lower(), value.strip())
        except (OSError, UnicodeDecodeError):
            continue
    name = os.path.basename(folder).rsplit(".", 1)[0].split("-")[0]  # noqa: PTH119
    return told.get("name", name), told.get("version", "of unknown version")


def _entries(text: str, package: str, version: str) -> Iterator[Plugin]:
    groups: Mapping[str, Group] = {f"edgecam.{group}": group for group in GROUPS}
    group: Group | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            group = groups.get(line.strip("[] "))
        elif group is not None and "=" in line and line[0] not in "#;":
            name, _, target = line.partition("=")
            target = target.partition("[")[0]  # behind it stand extras
            yield Plugin(group, name.strip(), "".join(target.split()), package, version)
