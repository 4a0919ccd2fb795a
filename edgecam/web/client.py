"""A small client for programs: every answer typed, by the structs that the API itself is made of.

from edgecam.web.client import Client

board = Client("http://192.168.1.20:8080", token="…")
for event in board.events(label="person", limit=10).events:
    print(event.id, event.start_time, event.zones)
for header, h264 in board.live("front"):
    print(header.index, [box.label for box in header.detections])
"""

from __future__ import annotations

import contextlib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from edgecam.core.errors import EdgecamError
from edgecam.inference.models.card import Task
from edgecam.web.api.account import Me
from edgecam.web.api.camera_types import BoardStats, CameraRow, Changed, Labels
from edgecam.web.api.clip_types import ClipBoxes, ClipRow, Clips, MadeShare
from edgecam.web.api.events import EventRow, Events
from edgecam.web.api.models import Checked, Choice, ModelRow, Pick
from edgecam.web.api.operation import Done, Error
from edgecam.web.api.replays import ReplayRow, Trial
from edgecam.web.api.rule_types import NewPlaces, NewRules, Places, RuleRow, Rules
from edgecam.web.api.settings import Settings
from edgecam.web.api.system import HistoryColumns
from edgecam.web.live.message import LiveHeader, unpack

_T = TypeVar("_T")
#: The longest answer that is read whole; videos are read in pieces.
MOST_BYTES = 64 << 20


class RefusedError(EdgecamError):
    """The board said no. ``status``: as of HTTP; 0 if it did not answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """One board. Any thread; every call raises RefusedError with the board's own sentence.

    url: of the page. token: of ``edgecam web token``; not needed on the board itself without a password.
    certificate: a PEM file to trust, for a board with a certificate of its own. timeout_s: per request.
    """

    def __init__(
        self, url: str, *, token: str | None = None, certificate: str | None = None, timeout_s: float = 20.0
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._timeout_s = timeout_s
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.create_default_context(cafile=certificate)
            self._tls.check_hostname = False  # the certificate itself is pinned

    # -- the board

    def me(self) -> Me:
        """Who the board takes this program for."""
        return self._json("GET", "me", Me)

    def stats(self) -> BoardStats:
        """Its figures now."""
        return self._json("GET", "stats", BoardStats)

    def cameras(self) -> list[CameraRow]:
        """Those that this program may see."""
        return self._json("GET", "cameras", list[CameraRow])

    def labels(self) -> Labels:
        """What can be looked for."""
        return self._json("GET", "labels", Labels)

    def models(self) -> list[ModelRow]:
        """Models, with accuracy and this board's milliseconds."""
        return self._json("GET", "models", list[ModelRow])

    def model_choices(self) -> list[Choice]:
        """What runs and what is set."""
        return self._json("GET", "model-choices", list[Choice])

    def check_model(self, name: str, task: Task = "detection") -> Checked:
        """Compare it with its card, and try it on the newest picture."""
        return self._json("POST", f"models/{quote(name)}/check", Checked, body=Pick(task))

    def use_model(self, name: str, task: Task = "detection") -> Choice:
        """Have the next start take it; see :meth:`restart`."""
        return self._json("POST", f"models/{quote(name)}/use", Choice, body=Pick(task))

    def previous_model(self, task: Task = "detection") -> Choice:
        """Have the next start take what was set before."""
        return self._json("POST", "model-choices/back", Choice, body=Pick(task))

    def remove_model(self, name: str) -> Done:
        """Delete a model of your own."""
        return self._json("DELETE", f"models/{quote(name)}", Done)

    def restart(self) -> Done:
        """End the program and start it anew."""
        return self._json("POST", "restart", Done)

    def history(self, hours: float = 3.0) -> HistoryColumns:
        """Power, heat and rates."""
        return self._json("GET", "history", HistoryColumns, query={"hours": hours})

    def settings(self) -> Settings:
        """Every setting."""
        return self._json("GET", "config", Settings)

    def change(self, **settings: Any) -> Changed:
        """Change live settings, from the next frame on."""
        return self._json("PUT", "live", Changed, body={"settings": settings})

    # -- pictures

    def picture(self, camera: str, *, height: int | None = None, boxes: bool = False) -> bytes:
        """The newest one, as JPEG."""
        query = {"h": height, "boxes": str(boxes).lower()}
        return self._bytes("GET", f"{quote(camera)}/latest.jpg", query=query)

    def live(
        self, camera: str, *, size: str = "live", jpeg: bool = False
    ) -> Iterator[tuple[LiveHeader, bytes]]:
        """Live pictures with their boxes, until the caller stops: H.264 access units, or JPEGs."""
        from websockets.sync.client import connect

        address = self.url.replace("http", "ws", 1) + f"/api/{quote(camera)}/live?size={size}"
        address += "&format=jpeg" if jpeg else ""
        extra: dict[str, Any] = {} if self._tls is None else {"ssl": self._tls}
        with connect(
            address, additional_headers=self._headers, max_size=16 << 20, compression=None, **extra
        ) as link:
            for message in link:
                if isinstance(message, bytes):
                    yield unpack(message)

    def snapshot(self, camera: str) -> Done:
        """Save the newest picture on the board."""
        return self._json("POST", f"{quote(camera)}/snapshot", Done)

    def record(self, camera: str) -> Done:
        """Record now."""
        return self._json("POST", f"{quote(camera)}/record", Done)

    def stop_recording(self, camera: str) -> Done:
        """End that recording."""
        return self._json("DELETE", f"{quote(camera)}/record", Done)

    # -- what happened

    def events(self, **query: Any) -> Events:
        """Newest first; before, after, camera, label, kind, zone, rule, limit."""
        return self._json("GET", "events", Events, query=query)

    def event(self, event_id: str) -> EventRow:
        """One event."""
        return self._json("GET", f"events/{quote(event_id)}", EventRow)

    def event_picture(self, event_id: str) -> bytes:
        """Its best picture, as JPEG."""
        return self._bytes("GET", f"events/{quote(event_id)}/snapshot.jpg")

    def clips(self, **query: Any) -> Clips:
        """Newest first; before, after, camera, label, protected, limit."""
        return self._json("GET", "clips", Clips, query=query)

    def clip(self, clip_id: str) -> ClipRow:
        """One clip."""
        return self._json("GET", f"clips/{quote(clip_id)}", ClipRow)

    def clip_boxes(self, clip_id: str, since: float = 0.0, until: float = 600.0) -> ClipBoxes:
        """What was seen in each frame of it."""
        query = {"since": since, "until": until}
        return self._json("GET", f"clips/{quote(clip_id)}/boxes", ClipBoxes, query=query)

    def clip_video(self, clip_id: str, chunk: int = 1 << 18) -> Iterator[bytes]:
        """Its file, in pieces."""
        with self._open("GET", f"clips/{quote(clip_id)}/video.mp4") as answer:
            while piece := answer.read(chunk):
                yield piece

    def protect(self, clip_id: str, protected: bool = True) -> Done:
        """Keep a clip whatever its age, or no longer."""
        return self._json("PUT", f"clips/{quote(clip_id)}/protected", Done, body={"protected": protected})

    def delete(self, clip_id: str) -> Done:
        """Delete a clip."""
        return self._json("DELETE", f"clips/{quote(clip_id)}", Done)

    def share(self, clip_id: str, hours: float = 24.0) -> MadeShare:
        """A link to one clip that ends."""
        return self._json("POST", f"clips/{quote(clip_id)}/share", MadeShare, body={"hours": hours})

    # -- zones

    def zones(self) -> Places:
        """Of every camera."""
        return self._json("GET", "zones", Places)

    def draw(self, camera: str, places: NewPlaces) -> Places:
        """All zones and lines of one camera, live at once."""
        return self._json("PUT", f"{quote(camera)}/zones", Places, body=places)

    def rules(self) -> list[RuleRow]:
        """What is told."""
        return self._json("GET", "rules", Rules).rules

    def set_rules(self, rules: Sequence[RuleRow], places: Mapping[str, NewPlaces] | None = None) -> Rules:
        """All rules, and the places of some cameras with them; live at once, all or nothing."""
        return self._json("PUT", "rules", Rules, body=NewRules(list(rules), dict(places or {})))

    def replay(self, trial: Trial, *, poll_s: float = 0.5) -> ReplayRow:
        """What other rules would have told of what was recorded; returns when it is done.

        An exception while it waits (Ctrl-C too) cancels it.
        """
        row = self._json("POST", "replays", ReplayRow, body=trial)
        try:
            while row.state == "running":
                time.sleep(poll_s)
                row = self._json("GET", f"replays/{row.id}", ReplayRow)
        except BaseException:
            self._json("DELETE", f"replays/{row.id}", Done)
            raise
        return row

    def replay_picture(self, replay_id: str, event_id: str, height: int = 360) -> bytes:
        """One of its gained or lost events, as JPEG."""
        path = f"replays/{quote(replay_id)}/{quote(event_id)}/picture.jpg"
        return self._bytes("GET", path, query={"h": height})

    # -- how

    def _json(
        self, method: str, path: str, kind: type[_T], *, query: dict[str, Any] | None = None, body: Any = None
    ) -> _T:
        try:
            return msgspec.json.decode(self._bytes(method, path, query=query, body=body), type=kind)
        except msgspec.DecodeError as error:
            raise RefusedError(0, f"{self.url} answered something else than edgecam does: {error}") from error

    def _bytes(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, body: Any = None
    ) -> bytes:
        with self._open(method, path, query=query, body=body) as answer:
            data: bytes = answer.read(MOST_BYTES)
            return data

    @contextlib.contextmanager
    def _open(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, body: Any = None
    ) -> Iterator[Any]:
        given = {k: v for k, v in (query or {}).items() if v is not None}
        address = f"{self.url}/api/{path}" + (f"?{urlencode(given)}" if given else "")
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(address, data, dict(self._headers), method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s, context=self._tls) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with contextlib.suppress(msgspec.DecodeError):
                message = msgspec.json.decode(error.read(65536), type=Error).error
                raise RefusedError(error.code, message) from None
            raise RefusedError(error.code, f"{self.url} answered {error.code}") from None
        except OSError as error:
            raise RefusedError(0, f"{self.url} does not answer: {error}") from error
