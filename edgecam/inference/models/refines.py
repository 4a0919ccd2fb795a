"""Which of a classifier's names say more than the detector's class, and never contradict it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from edgecam.inference.models.card import Card


@cache
def _table() -> Mapping[str, Sequence[str]]:
    """``refines.json``, made by scripts/refinements.py: a detector's class → finer names."""
    text = Path(__file__).with_name("refines.json").read_text("utf-8")
    table: Mapping[str, Sequence[str]] = json.loads(text)
    return table


def refinements(card: Card, detected: Sequence[str]) -> dict[str, frozenset[str]]:
    """For each of the detector's labels ``detected`` that the classifier of ``card`` has finer names for:
    those names. A crop of any other class need not be looked at.

    The card's ``extra["refines"]`` (class → names) comes first; without one, the table that edgecam ships.
    A classifier that shares no name with that table is somebody's own, for their own purpose: all of its
    names are finer names of everything.
    """
    own = card.extra.get("refines")
    labels = frozenset(card.labels)
    if isinstance(own, Mapping):
        finer = {x: frozenset(map(str, own.get(x, ()))) & labels for x in detected}
    else:
        table = _table()
        if labels.isdisjoint(name for names in table.values() for name in names):
            finer = {x: frozenset(labels) for x in detected}
        else:
            finer = {x: labels.intersection(table.get(x, ())) for x in detected}
    return {x: frozenset(names - {x}) for x, names in finer.items() if names - {x}}
