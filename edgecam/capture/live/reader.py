"""One thread that grabs all the time, and one place that holds the newest picture.

For cameras whose library blocks without a deadline: the owner waits here, with one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edgecam.core.clock import now_ns
from edgecam.core.types import Image

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Grab:
    """A picture, in fresh memory, and when it was captured. ``lores``: as in Frame."""

    image: Image
    captured_ns: int
    lores: Image | None = None


class Grabber(Protocol):
    """The camera, seen from the reader's thread; every call is made there, ``close`` too."""

    def grab(self) -> Grab | None:
        """The next picture, or None: then it is asked again. May block, but not for ever. Raises what the
        owner is to see.
        """

    def close(self) -> None:
        """Release the camera."""

    def abort(self) -> None:
        """From the owner's thread: make a blocking ``grab`` end soon, where that is possible."""


class LatestReader:
    """Opens a grabber and reads it on a thread of its own; the newest picture wins, the others are counted.

    Owner: the source that made it. Stop: ``stop``, which asks the thread to end and waits as long as told; a
    thread that hangs in its library's call is left alone and closes the grabber itself as soon as that
    returns. The thread is a daemon for the one case that a library never returns: then the program can end
    all the same.

    Once stopped it holds neither the way to the camera nor the error it ended with: in a circle with its
    owner these would keep a lost camera's decoder and its threads until the garbage collector comes by.
    """

    def __init__(self, name: str, start: Callable[[], Grabber]) -> None:
        self._name = name
        self._change = threading.Condition()
        self._stopping = False
        self._newest: Grab | None = None
        self._number = -1
        self._taken = -1
        self._end: BaseException | None = None
        self._grabber: Grabber | None = None
        self._thread = threading.Thread(target=self._run, args=(start,), name=f"reader {name}", daemon=True)
        self._thread.start()

    def _run(self, start: Callable[[], Grabber]) -> None:
        grabber: Grabber | None = None
        end: BaseException | None = None
        try:
            grabber = self._grabber = start()
            while not self._stopping:
                grab = grabber.grab()
                if grab is not None:
                    with self._change:
                        self._newest = grab
                        self._number += 1
                        self._change.notify_all()
        except Exception as error:  # re-raised in the owner by take()
            end = error
        finally:
            self._grabber = None
            if grabber is not None:
                try:
                    grabber.close()
                except Exception as error:
                    log.warning("%s: closing failed: %s", self._name, error)
            with self._change:
                self._end = None if self._stopping else end  # an aborted call's own error tells nothing
                self._newest = None if self._stopping else self._newest
                self._change.notify_all()
            grabber = end = None  # the error's traceback has this frame

    def peek(self, timeout_s: float) -> Grab | None:
        """Wait for the first picture without taking it. Raises what the thread ended with."""
        with self._change:
            self._change.wait_for(lambda: self._newest or self._end or self._stopping, timeout_s)
            if self._newest is None and self._end is not None:
                raise self._end
            return self._newest

    def take(self, timeout_s: float) -> tuple[int, Grab] | None:
        """The newest picture that was not taken yet, with its number; None if none came in time.

        Numbers count skipped pictures too. Raises what the thread ended with, after its last picture.
        """
        with self._change:
            self._change.wait_for(
                lambda: self._number > self._taken or self._end is not None or self._stopping, timeout_s
            )
            if self._number > self._taken and self._newest is not None:
                self._taken = self._number
                return self._number, self._newest
            if self._end is not None:
                raise self._end
            return None

    def interrupt(self) -> None:
        """Make a waiting ``take`` return None, and the thread end after its present call."""
        with self._change:
            self._stopping = True
            self._newest = None
            self._change.notify_all()
        grabber = self._grabber
        if grabber is not None:
            try:
                grabber.abort()
            except Exception as error:  # the thread may be closing it right now; it ends by itself
                log.debug("%s: aborting: %r", self._name, error)

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end and wait for it. False if a call into its library had not returned."""
        self.interrupt()
        deadline_ns = now_ns() + int(timeout_s * 1e9)
        self._thread.join(max(0.0, (deadline_ns - now_ns()) / 1e9))
        if self._thread.is_alive():
            log.info("%s: its reader hangs; left to end by its own time-out", self._name)
            return False
        self._end = None
        return True
