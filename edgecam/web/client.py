"""A small client for programs: every answer typed, by the structs that the API itself is made of.

from edgecam.web.client import Client

board = Client("http://192.168.1.20:8080", token="…")
for event in board.events(label="person", limit=10).events:
    print(event.id, event.start_time, event.zones)
for header, h264 in board.live("front"):
    print(header.index, [box.label for box in header.detections])
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from edgecam.web.api.account import Me
from edgecam.web.api.camera_types import BoardStats, CameraRow, Changed, Labels
from edgecam.web.api.clip_types import ClipBoxes, ClipRow, Clips, Hour, MadeShare
from edgecam.web.api.events import EventRow, Events
from edgecam.web.api.operation import Done
from edgecam.web.api.replays import ReplayRow, Trial
from edgecam.web.api.rule_types import NewPlaces, NewRules, Places, RuleRow, Rules
from edgecam.web.client_link import RefusedError
from edgecam.web.client_owner import Owner
from edgecam.web.live.message import LiveHeader, unpack

__all__ = ["Client", "RefusedError"]


class Client(Owner):
    """One board. Any thread; every call raises RefusedError with the board's own sentence.

    url: of the page. token: of ``edgecam web token``; not needed on the board itself without a password.
    certificate: a PEM file to trust, for a board with a certificate of its own. timeout_s: per request.
    """

    # -- the board

    def me(self) -> Me:
        """Who this program is to the board."""
        return self._json("GET", "me", Me)

    def stats(self) -> BoardStats:
        """The board's figures now."""
        return self._json("GET", "stats", BoardStats)

    def cameras(self) -> list[CameraRow]:
        """The cameras that this program may see."""
        return self._json("GET", "cameras", list[CameraRow])

    def labels(self) -> Labels:
        """The classes that can be looked for."""
        return self._json("GET", "labels", Labels)

    def change(self, **settings: Any) -> Changed:
        """Change live settings, from the next frame on."""
        return self._json("PUT", "live", Changed, body={"settings": settings})

    # -- pictures

    def picture(self, camera: str, *, height: int | None = None, boxes: bool = False) -> bytes:
        """The newest picture, as JPEG."""
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
        """End the recording that was begun so."""
        return self._json("DELETE", f"{quote(camera)}/record", Done)

    # -- what happened

    def events(self, **query: Any) -> Events:
        """Newest first; before, after, camera, label, kind, zone, rule, limit."""
        return self._json("GET", "events", Events, query=query)

    def event(self, event_id: str) -> EventRow:
        """One event."""
        return self._json("GET", f"events/{quote(event_id)}", EventRow)

    def event_hours(self, **query: Any) -> list[Hour]:
        """How many began in each hour; before, after, camera, label."""
        return self._json("GET", "event-hours", list[Hour], query=query)

    def protect_event(self, event_id: str, protected: bool = True) -> Done:
        """Keep the event's clip whatever its age, or no longer."""
        return self._json("PUT", f"events/{quote(event_id)}/protected", Done, body={"protected": protected})

    def delete_event(self, event_id: str) -> Done:
        """Delete the event's clip and picture."""
        return self._json("DELETE", f"events/{quote(event_id)}", Done)

    def event_picture(self, event_id: str) -> bytes:
        """The event's best picture, as JPEG."""
        return self._bytes("GET", f"events/{quote(event_id)}/snapshot.jpg")

    def clips(self, **query: Any) -> Clips:
        """Newest first; before, after, camera, label, protected, limit. id: this one, if it is there."""
        return self._json("GET", "clips", Clips, query=query)

    def clip(self, clip_id: str) -> ClipRow:
        """One clip."""
        return self._json("GET", f"clips/{quote(clip_id)}", ClipRow)

    def clip_hours(self, **query: Any) -> list[Hour]:
        """How many began in each hour; before, after, camera."""
        return self._json("GET", "clip-hours", list[Hour], query=query)

    def clip_sheet(self, clip_id: str, *, first: bool = False) -> bytes:
        """The clip's contact sheet, or only the first picture of it, as JPEG."""
        return self._bytes("GET", f"clips/{quote(clip_id)}/{'thumb' if first else 'sheet'}.jpg")

    def clip_boxes(self, clip_id: str, since: float = 0.0, until: float = 600.0) -> ClipBoxes:
        """What was seen in each frame of the clip."""
        query = {"since": since, "until": until}
        return self._json("GET", f"clips/{quote(clip_id)}/boxes", ClipBoxes, query=query)

    def clip_video(self, clip_id: str, chunk: int = 1 << 18) -> Iterator[bytes]:
        """The clip's file, in pieces."""
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
        """The zones and lines of every camera."""
        return self._json("GET", "zones", Places)

    def draw(self, camera: str, places: NewPlaces) -> Places:
        """All zones and lines of one camera, live at once."""
        return self._json("PUT", f"{quote(camera)}/zones", Places, body=places)

    def rules(self) -> list[RuleRow]:
        """The rules: what is told, and when."""
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
