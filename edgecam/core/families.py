"""Groups of classes that people mean: ``people``, ``vehicles``, ``pets``, ``animals``, ``things``, ``all``.

The names are COCO's (the 80 classes of its 2017 detection task) and Pascal VOC's few other words for them, so
that a foreign detector's labels fall into the same groups. Whatever stands in none of them is a thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

PEOPLE = frozenset({"person"})
VEHICLES = frozenset(
    {
        "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
        "motorbike", "aeroplane", "bike", "van",
    }
)  # fmt: skip
PETS = frozenset({"cat", "dog"})
#: Pets are animals as well.
ANIMALS = PETS | {"bird", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"}

#: What each preset holds among a detector's labels; ``things`` is everything else, ``all`` is everything.
PRESETS = ("people", "vehicles", "pets", "animals", "things", "all")
#: Looked for unless somebody asks otherwise, beside the things that are dependable enough.
DEFAULT_PRESETS = ("people", "vehicles", "pets", "animals")

#: The preset of those, and the things.
DEFAULT = "default"

#: The codes of :func:`family_codes`.
PERSON, VEHICLE, ANIMAL, THING = 0, 1, 2, 3


def members(preset: str, labels: Sequence[str]) -> tuple[str, ...]:
    """The ``labels`` that ``preset`` holds, in their order; KeyError for a name that is no preset."""
    known = PEOPLE | VEHICLES | ANIMALS
    held = {"people": PEOPLE, "vehicles": VEHICLES, "pets": PETS, "animals": ANIMALS}
    if preset == "all":
        return tuple(labels)
    if preset == "things":
        return tuple(label for label in labels if label not in known)
    return tuple(label for label in labels if label in held[preset])


def as_request(wanted: Set[str], default: Iterable[str]) -> tuple[str, ...]:
    """The shortest request for exactly ``wanted`` where ``default`` is what is looked for anyway.

    A window's switches ask with it, so that switching one class off does not move the others' scores.
    """
    usual = tuple(default)
    if not wanted:
        return ("none",)
    extra = tuple(sorted(wanted - set(usual)))
    gone = tuple(f"-{x}" for x in usual if x not in wanted)
    if len(gone) == len(usual):
        return extra
    return (DEFAULT, *extra, *gone) if extra or gone else ()


@lru_cache(maxsize=8)
def family_codes(labels: tuple[str, ...]) -> NDArray[np.uint8]:
    """(C,) the family of each label: :data:`PERSON`, :data:`VEHICLE`, :data:`ANIMAL` or :data:`THING`."""
    codes = [
        PERSON if x in PEOPLE else VEHICLE if x in VEHICLES else ANIMAL if x in ANIMALS else THING
        for x in labels
    ]
    made = np.array(codes, np.uint8)
    made.setflags(write=False)
    return made
