"""Which names of a classifier say more than the detector's class."""

from __future__ import annotations

from edgecam.inference.models.card import Card
from edgecam.inference.models.refines import refinements
from edgecam.inference.models.store import describe, find_model
from edgecam.nn.labels.coco import COCO80


def card(*labels: str, **extra: object) -> Card:
    return Card(
        name="c", task="classification", architecture="", labels=labels, resolution=(224, 224), extra=extra
    )


def test_the_shipped_classifier_refines_animals_and_vehicles_and_never_people() -> None:
    own, _ = describe(find_model("default", "classification"))
    finer = refinements(own, COCO80)
    assert "English springer" in finer["dog"] and "garbage truck" in finer["car"]
    assert "person" not in finer and "tie" not in finer
    assert not any(label in names for label, names in finer.items())
    assert not any("parachute" in names or "face" in names for names in finer.values())


def test_a_card_may_say_it_and_a_classifier_of_ones_own_names_everything() -> None:
    told = card("helmet", "no helmet", "beagle", refines={"person": ["helmet", "no helmet", "hat"]})
    assert refinements(told, ("person", "dog")) == {"person": frozenset({"helmet", "no helmet"})}
    own = card("ripe", "unripe", "apple")
    assert refinements(own, ("apple",)) == {"apple": frozenset({"ripe", "unripe"})}
    assert refinements(card("beagle", "golf ball"), ("dog", "person")) == {"dog": frozenset({"beagle"})}
