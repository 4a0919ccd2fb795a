"""What a disk refuses to delete: told once when it begins and once when it is over, not at every round."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

#: With these it is the folder that refuses, and every other file of it would be refused too.
OF_ALL = (errno.EROFS, errno.EACCES)
#: So many files may each be refused (one may be immutable) before a round leaves the rest to the next.
PER_ROUND = 8


class Refusals:
    """The refusals of a round of deleting, and whether they have been told. One thread's.

    what: that is deleted, in the plural. ``last``: this round's latest refusal in words, or empty.
    """

    def __init__(self, what: str) -> None:
        self.last = ""
        self._what = what
        self._told = False
        self._count = 0
        self._deleted = False
        self._of_all = False

    @property
    def end_round(self) -> bool:
        """Whether further files need not be tried in this round."""
        return self._of_all or self._count >= PER_ROUND

    @contextmanager
    def round(self) -> Iterator[None]:
        """A round: at its end it is told if deleting works again."""
        self.last, self._count, self._deleted, self._of_all = "", 0, False, False
        yield
        if self._told and self._deleted and not self._count:
            self._told = False
            log.warning("%s can be deleted again", self._what)

    def deleted(self) -> None:
        """One was deleted."""
        self._deleted = True

    def refused(self, one: str, why: str, error: OSError) -> None:
        """``one`` was not, though it should go because of ``why``."""
        self.last = error.strerror or str(error)
        self._count += 1
        self._of_all = error.errno in OF_ALL
        if not self._told:
            self._told = True
            log.error(
                "%s should go because %s, but cannot be deleted: %s; make its folder writable"
                " (this is told once, until %s can be deleted again)",
                one,
                why,
                error,
                self._what,
            )
