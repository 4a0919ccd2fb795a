"""``--classes``: presets, names, taking away, and from which score on each is shown."""

from __future__ import annotations

import numpy as np
import pytest

from edgecam.core.errors import ConfigError
from edgecam.core.families import as_request
from edgecam.inference.classes import choose, default_labels, summary, weak
from edgecam.inference.detector import thresholds_for
from edgecam.inference.models.card import Card
from edgecam.inference.models.shown import ClassShown, ShownTable

LABELS = ("person", "car", "boat", "dog", "bird", "bottle", "tv", "cup")
CARD = Card(
    name="m",
    task="detection",
    architecture="",
    labels=LABELS,
    resolution=(300, 300),
    score_threshold=0.4,
    thresholds={"bottle": 0.3, "dog": 0.42},
    weak_labels=("cup", "bottle", "boat"),
)
TABLE = ShownTable(
    weights_sha256="",
    target=0.82,
    measured_on="",
    classes={x: ClassShown(show=0.6, dependable=x == "tv") for x in LABELS},
)


def test_the_default_is_people_vehicles_animals_and_dependable_things_from_their_shown_scores() -> None:
    assert default_labels(CARD, TABLE) == ("person", "car", "boat", "dog", "bird", "bottle", "tv")
    choice = choose(CARD, TABLE, None)
    assert choice.off == ("cup",) and set(choice.scores.values()) == {0.6}
    said = summary(choice, asked=False)
    assert said == "people, vehicles, animals, bottle, tv; 1 off: --classes all or cup" and len(said) <= 72
    assert summary(choose(CARD, TABLE, ("pets", "tv")), asked=True) == "dog, tv"
    limits = thresholds_for(CARD, None, None, TABLE).score
    assert np.isinf(limits[LABELS.index("cup")]) and limits[0] == np.float32(0.6)


def test_a_class_asked_for_by_name_is_looked_for_at_its_best_operating_point() -> None:
    assert choose(CARD, TABLE, ("bottle",)).scores == {"bottle": 0.3}
    mixed = choose(CARD, TABLE, ("animals", "bottle")).scores
    assert mixed == {"dog": 0.6, "bird": 0.6, "bottle": 0.3}
    assert choose(CARD, TABLE, ("all", "dog")).scores["dog"] == 0.42
    assert set(choose(CARD, TABLE, ("things",)).scores) == {"bottle", "tv", "cup"}
    assert choose(CARD, TABLE, ("pets",)).scores == {"dog": 0.6}


def test_what_is_looked_for_and_mostly_missed_is_said() -> None:
    assert weak(CARD, choose(CARD, TABLE, None)) == "bottle, boat: most of them are missed"
    assert weak(CARD, choose(CARD, TABLE, ("people",))) == ""
    many = Card(
        name="m", task="detection", architecture="", labels=LABELS, resolution=(9, 9), weak_labels=LABELS
    )
    assert "and 3 more: most" in weak(many, choose(many, TABLE, ("all",)))


def test_taking_away_and_a_score_to_the_letter() -> None:
    assert set(choose(CARD, TABLE, ("-boat",)).scores) == {"person", "car", "dog", "bird", "bottle", "tv"}
    assert set(choose(CARD, TABLE, ("all", "-things")).scores) == {"person", "car", "boat", "dog", "bird"}
    assert set(choose(CARD, TABLE, ("vehicles", "bottle"), 0.25).scores.values()) == {0.25}
    assert choose(CARD, TABLE, ()).scores == {}


def test_without_a_table_everything_but_the_weak_from_the_cards_scores() -> None:
    assert choose(CARD, None, None).scores == {"person": 0.4, "car": 0.4, "dog": 0.42, "bird": 0.4, "tv": 0.4}


def test_wrong_words_are_told() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vehicles'"):
        choose(CARD, TABLE, ("vehicels",))
    with pytest.raises(ConfigError, match=r"1\.5 is not between"):
        choose(CARD, TABLE, None, 1.5)


@pytest.mark.parametrize(
    "wanted",
    [set(default_labels(CARD, TABLE)), {"person"}, set(LABELS), {"bottle"}, {"person", "tv", "bottle"}],
)
def test_a_windows_switches_ask_for_exactly_what_they_show_and_move_no_other_score(wanted: set[str]) -> None:
    usual = default_labels(CARD, TABLE)
    request = as_request(wanted, usual)
    chosen = choose(CARD, TABLE, request or None).scores
    assert set(chosen) == wanted
    if len(wanted & set(usual)):
        assert all(chosen[x] == 0.6 for x in wanted & set(usual))
    assert as_request(set(), usual) == ("none",) and as_request(set(usual), usual) == ()
