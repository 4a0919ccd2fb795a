"""What starts an event recording: labels with a score, motion, a key, a signal, a call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecam.core.errors import ConfigError, suggest
from edgecam.core.types import Detections

#: Words that are not labels.
MOTION = "motion"
BY_HAND = ("key", "signal", "api")
#: A word with one of these names a zone or a line: ``person@door``, ``car>gate``.
PLACED = "@<>"


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """What ``--record-on`` says: lowest scores by label, and whether motion counts."""

    scores: tuple[tuple[str, float], ...] = ()
    motion: bool = False

    def matches(self, found: Detections) -> tuple[str, ...]:
        """The labels among ``found`` that start a recording."""
        hits = set()
        for label, score in self.scores:
            if label in found.labels:
                mask = found.class_id == found.labels.index(label)
                if np.any(found.score[mask] >= score):
                    hits.add(label)
        return tuple(sorted(hits))


def parse_triggers(words: Sequence[str], labels: Sequence[str] | None = None) -> TriggerSpec:
    """``("person:0.6", "car", "motion")`` → a spec. ``labels``: what the detector knows, if that is known.

    Raises ConfigError for a score that is none, or a label that the detector does not know.
    """
    scores: dict[str, float] = {}
    motion = False
    for word in words:
        if any(mark in word for mark in PLACED):
            continue  # a rule's: whoever applies the rules says when it holds
        label, _, text = word.strip().rpartition(":") if ":" in word else (word.strip(), "", "0")
        if label == MOTION:
            motion = True
            continue
        if label in BY_HAND:
            continue  # always possible; naming one only says that nothing else starts a recording
        try:
            score = float(text)
        except ValueError:
            score = -1.0
        if not label or not 0.0 <= score <= 1.0:
            raise ConfigError(f"--record-on: '{word}' is not LABEL or LABEL:SCORE, such as person:0.6")
        if labels is not None and label not in labels:
            near = suggest(label, [*labels, MOTION, *BY_HAND])
            raise ConfigError(f"--record-on: the detector does not know '{label}'{near or '; see --help'}")
        scores[label] = score
    return TriggerSpec(tuple(sorted(scores.items())), motion)


class HandTrigger:
    """Requests from other threads: a key, a signal, a call. ``request`` may be called from anywhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._causes: list[str] = []
        self._stop = False

    def request(self, cause: str) -> None:
        """Ask for a recording to begin, or to go on."""
        with self._lock:
            if cause not in self._causes:
                self._causes.append(cause)

    def request_stop(self) -> None:
        """Ask for the running event to end now, without post-roll; what was asked before is withdrawn."""
        with self._lock:
            self._causes, self._stop = [], True

    def take(self) -> tuple[tuple[str, ...], bool]:
        """What was asked for since the last call: the causes, and whether to stop."""
        with self._lock:
            causes, stop = tuple(self._causes), self._stop
            self._causes, self._stop = [], False
            return causes, stop
