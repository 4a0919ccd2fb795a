"""Changes to live settings, queued to the one thread that owns them: :class:`AppControl`."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Set
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerError
from types import MappingProxyType

from msgspec import Struct, field

from edgecam.app.state import StateMaker
from edgecam.config import Config
from edgecam.config.live import LIVE, LiveSettings
from edgecam.config.remembered import RememberedSettings
from edgecam.core.clock import now_ns
from edgecam.core.control import Changes
from edgecam.core.errors import ConfigError
from edgecam.core.state import State
from edgecam.core.threads import OwnedThread

log = logging.getLogger(__name__)

#: So many changes may wait; more are refused.
QUEUE_DEPTH = 64
#: An answer takes a fraction of a millisecond; whoever waits longer than this is told that it did not come.
ANSWER_WITHIN_S = 5.0
#: The thread finishes what it is doing, and one write to a slow card.
JOIN_S = 10.0
#: What a person set is written this long after, so that a slider does not wear a card out.
SAVE_AFTER_NS = 1_000_000_000

_BUSY = "edgecam is busy with other changes; try again"
_STOPPING = "edgecam is stopping"


class _Request(Struct):
    """A change that waits. wanted: names and values. whole: all or nothing. by_person: to be remembered."""

    wanted: Mapping[str, object]
    whole: bool = False
    by_person: bool = False
    answer: Future[Changes] = field(default_factory=Future)


class AppControl:
    """Implements :class:`edgecam.core.control.Control`.

    From ``start`` to ``close`` changes are made on a thread of its own, ``control``. Before that a change is
    made by whoever asks (the one thread that builds); after ``close`` it is refused. trigger: begins an event
    recording. Everything but ``start`` and ``close`` is for any thread.
    """

    def __init__(self, live: LiveSettings, states: StateMaker, trigger: Callable[[str], None]) -> None:
        self._live = live
        self._states = states
        self._trigger = trigger
        self._queue: queue.Queue[_Request | None] = queue.Queue(QUEUE_DEPTH)
        self._thread: OwnedThread | None = None
        self._owner: int | None = None
        self._lock = threading.Lock()  # what is queued comes before the end
        self._closed = False
        self._memory: RememberedSettings | None = None
        self._by_person: dict[str, object] = {}  # the owner's; what no file and no option says otherwise
        self._save_ns: int | None = None

    def state(self) -> State:
        """See :class:`edgecam.core.control.Control`."""
        return self._states.get()

    def change(self, **settings: object) -> Changes:
        """See :class:`edgecam.core.control.Control`."""
        return self._ask(_Request(dict(settings), by_person=True))

    def trigger(self, cause: str) -> None:
        """See :class:`edgecam.core.control.Control`."""
        self._trigger(cause)

    def remember(self, memory: RememberedSettings, given: Set[str]) -> Changes:
        """Bring back what a person set in an earlier run, and keep what is set from now on. Before ``start``.

        given: the settings that command line, environment or file set, which hold against it.
        """
        self._memory = memory
        self._by_person = memory.read()
        wanted = {name: value for name, value in self._by_person.items() if name not in given}
        changes = self._ask(_Request(wanted))
        for name, why in changes.refused.items():
            log.warning("what was set earlier is not used: %s", why)
            self._by_person.pop(name)
        return changes

    def reload(self, config: Config, given: Set[str] = frozenset()) -> list[str]:
        """Take the live settings from a configuration that was read again; the others that differ.

        given: as of :meth:`remember`; what is not given stays as a person set it.
        All or nothing: raises ConfigError, with every reason, if one of them does not fit.
        """
        wanted = {name: getattr(config, name) for name in LIVE}
        wanted |= {name: value for name, value in self._by_person.items() if name not in given}
        changes = self._ask(_Request(wanted, whole=True))
        if changes.refused:
            raise ConfigError("; ".join(changes.refused.values()))
        return self._live.differing(config)

    def _ask(self, request: _Request) -> Changes:
        with self._lock:
            if self._closed:
                return _none_of(request, _STOPPING)
            direct = self._thread is None or threading.get_ident() == self._owner
            if not direct:
                try:
                    self._queue.put_nowait(request)
                except queue.Full:
                    return _none_of(request, _BUSY)
        if direct:
            return self._do(request)
        try:
            return request.answer.result(ANSWER_WITHIN_S)
        except NoAnswerError:
            if request.answer.cancel():
                return _none_of(request, _BUSY)
            return request.answer.result()  # it is being done

    def _do(self, request: _Request) -> Changes:
        changes = self._live.change(request.wanted, whole=request.whole)
        self._states.renew()
        for name, why in changes.refused.items():
            log.info("setting %s not changed: %s", name, why)
        if request.by_person and changes.applied:
            self._keep(changes.applied)
        return changes

    def _keep(self, applied: Mapping[str, object]) -> None:
        defaults = Config()
        kept = {**self._by_person, **applied}
        self._by_person = {name: value for name, value in kept.items() if value != getattr(defaults, name)}
        if self._save_ns is None:
            self._save_ns = now_ns() + SAVE_AFTER_NS

    def _save(self) -> None:
        self._save_ns = None
        if self._memory is not None:
            self._memory.write(self._by_person)

    # -- the owner's thread

    def start(self) -> None:
        """Begin to take changes from every thread."""
        if self._thread is None:
            self._thread = OwnedThread("control", self._run)
            self._thread.start()

    def close(self) -> None:
        """Answer what waits, and end the thread. Idempotent."""
        with self._lock:
            self._closed = True
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Full):  # the join tells
                self._queue.put(None, timeout=JOIN_S)
            thread.join(JOIN_S)
            if thread.error is not None:
                raise thread.error
        if self._save_ns is not None:
            self._save()

    def _run(self) -> None:
        self._owner = threading.get_ident()
        while True:
            wait_s = None if self._save_ns is None else (self._save_ns - now_ns()) / 1e9
            if wait_s is not None and wait_s <= 0:
                self._save()
                continue
            try:
                request = self._queue.get(timeout=wait_s)
            except queue.Empty:
                continue
            if request is None:
                return
            if not request.answer.set_running_or_notify_cancel():
                continue
            try:
                request.answer.set_result(self._do(request))
            except Exception as error:  # a defect: of the one who asked, who gets it; the others go on
                request.answer.set_exception(error)


def _none_of(request: _Request, why: str) -> Changes:
    return Changes(refused=MappingProxyType(dict.fromkeys(request.wanted, why)))
