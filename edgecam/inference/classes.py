"""Which classes are looked for, from which score on: the resolver of ``--classes`` and ``--score``.

``--classes`` takes presets (``people vehicles pets animals things all default``), names of classes, and
either with a minus before it, which takes away: ``default,bottle``, ``animals,-bird``. Command line,
settings file, window and Control all come here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from edgecam.core.errors import ConfigError, suggest
from edgecam.core.families import DEFAULT, DEFAULT_PRESETS, PRESETS, members
from edgecam.inference.models.card import Card
from edgecam.inference.models.shown import ShownTable

#: Things that are looked for by default however seldom they are found; their score says how sure one must be.
ALWAYS = frozenset({"bottle"})
#: So many weak classes are named.
NAMED_WEAK = 5
#: Named first where something is off: what people miss soonest.
EXAMPLES = ("chair", "cup", "laptop")
#: COCO's unused ids.
UNUSED = "???"


class ClassChoice(Struct, frozen=True):
    """What a request means for a model. scores: label → least score, of the classes looked for."""

    scores: Mapping[str, float]
    labels: tuple[str, ...]

    @property
    def off(self) -> tuple[str, ...]:
        """The classes that are not looked for."""
        return tuple(x for x in self.labels if x not in self.scores and x != UNUSED)


def default_labels(card: Card, table: ShownTable | None) -> tuple[str, ...]:
    """People, vehicles, pets and animals, bottles, and the things that are dependable when shown.

    Without a table (a model of somebody else's): everything but what its card calls weak.
    """
    if table is None:
        weak = set(card.weak_labels)
        return tuple(x for x in card.labels if x not in weak and x != UNUSED)
    wanted = {x for preset in DEFAULT_PRESETS for x in members(preset, card.labels)}
    wanted |= ALWAYS | {x for x, row in table.classes.items() if row.dependable}
    return tuple(x for x in card.labels if x in wanted)


def choose(
    card: Card, table: ShownTable | None, classes: Sequence[str] | None, score: float | None = None
) -> ClassChoice:
    """Resolve a request.

    classes: None is the default; an empty one, nothing. A class that is there by a preset is shown from the
    score on at which it is right often enough; one that is asked for by its name, from its best operating
    point on (the card's), be it weak or not. score: for all of them; it is taken to the letter.

    Raises ConfigError for a score outside 0 … 1, and for a name that is neither a class nor a preset.
    """
    if score is not None and not 0.0 <= score <= 1.0:
        raise ConfigError(f"score {score} is not between 0 and 1")
    found: dict[str, float] = {}
    for word in (DEFAULT,) if classes is None else _with_start(classes):
        taken = word.startswith("-")
        name = word.removeprefix("-")
        for label in _meant(name, card, table):
            if taken:
                found.pop(label, None)
            elif name in card.labels:
                found[label] = best_score(card, label)
            else:
                found.setdefault(label, _shown_score(card, table, label))
    scores = {x: found[x] if score is None else score for x in card.labels if x in found and x != UNUSED}
    return ClassChoice(scores, card.labels)


def _with_start(classes: Sequence[str]) -> Sequence[str]:
    """The request; one that only takes classes away begins with the default."""
    return (DEFAULT, *classes) if classes and all(x.startswith("-") for x in classes) else classes


def _meant(name: str, card: Card, table: ShownTable | None) -> tuple[str, ...]:
    if name in card.labels:
        return (name,)
    if name == DEFAULT:
        return default_labels(card, table)
    if name in PRESETS:
        return members(name, card.labels)
    known = [*card.labels, *PRESETS, DEFAULT]
    raise ConfigError(
        f"model {card.name} does not know the class '{name}'{suggest(name, known)} "
        f"(`edgecam models info {card.name}` lists its {len(card.labels)} classes; "
        f"groups: {', '.join((*PRESETS, DEFAULT))})"
    )


def best_score(card: Card, label: str) -> float:
    """Where a class has its best balance of precision and recall."""
    return card.thresholds.get(label, card.score_threshold)


def _shown_score(card: Card, table: ShownTable | None, label: str) -> float:
    row = None if table is None else table.classes.get(label)
    return best_score(card, label) if row is None else row.show


def weak(card: Card, choice: ClassChoice) -> str:
    """One line for people: what is looked for although the model misses most of it; empty for none."""
    found = [x for x in card.weak_labels if x in choice.scores]
    if not found:
        return ""
    more = f" and {len(found) - NAMED_WEAK} more" if len(found) > NAMED_WEAK else ""
    return f"{', '.join(found[:NAMED_WEAK])}{more}: most of them are missed"


def summary(choice: ClassChoice, asked: bool) -> str:
    """One line for people: what is looked for, what is not, and how to have it."""
    labels = choice.labels
    on, off = set(choice.scores), choice.off
    parts: list[str] = []
    rest = [x for x in labels if x in on]
    for preset in ("people", "vehicles", "animals"):
        held = members(preset, labels)
        if held and on.issuperset(held):
            parts.append(preset)
            rest = [x for x in rest if x not in held]
    if on.issuperset(x for x in labels if x != UNUSED):
        return f"everything it knows, {len(on)} classes"
    parts += rest if len(rest) <= 2 else [rest[0], f"{len(rest) - 1} more"]
    text = ", ".join(parts) or "nothing"
    if not off or asked:
        return text
    example = next((x for x in EXAMPLES if x in off), off[0])
    return f"{text}; {len(off)} off: --classes all or {example}"
