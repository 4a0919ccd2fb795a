"""Bad zones, lines and rules: one sentence each, with what is wrong and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from edgecam.core.errors import ConfigError
from edgecam.rules.reading import build

DOOR = "door=0.1,0.2 0.4,0.2 0.4,0.9"
TRIANGLE = {"name": "a", "points": "0,0 1,0 1,1"}
LABELS = ("person", "car", "potted plant")
CAMERAS = [("/dev/video0", "video0"), ("rtsp://cam/1", "cam/1")]


def made(**settings: Any) -> Any:
    return build(**settings, labels=LABELS, cameras=CAMERAS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"zones": ["door=0.1,0.2 0.4,0.2"]}, "zone 'door': a polygon has 3 to 64 corners, this one has 2"),
        ({"zones": ["door=0,0 1,1 1,0 0,1"]}, "its outline crosses itself (sides 1 and 3)"),
        ({"zones": ["door=0,0 1.2,0 1,1"]}, "the point 1.2,0 is outside the picture"),
        ({"zones": ["door=0,0 -0.1,0 1,1"]}, "outside the picture"),
        ({"zones": ["door=0,0 0.5,0.5 1,1"]}, "it has no area"),
        ({"zones": ["door"]}, "zone 'door' is not NAME=X,Y X,Y"),
        ({"zones": ["door=1,2,3 4"]}, "are no corners; write X,Y X,Y X,Y"),
        ({"zones": ["door=a,b c,d e,f"]}, "are no corners"),
        ({"zones": ["door=nan,0 1,0 1,1"]}, "outside the picture"),
        ({"zones": ["my door=0,0 1,0 1,1"]}, "a name is made of up to 32 letters, digits, - and _"),
        ({"zones": [DOOR, DOOR]}, "zone 'door': another zone or line has this name"),
        ({"zones": [DOOR], "lines": ["door=0,0 1,1"]}, "line 'door': another zone or line has this name"),
        ({"zones": ["video0=0,0 1,0 1,1"]}, "zone 'video0' has a camera's name"),
        (
            {"zones": [TRIANGLE | {"camera": "video1"}]},
            "there is no camera 'video1'",
        ),
        ({"zones": [TRIANGLE | {"classes": ["persn"]}]}, "did you mean 'person'?"),
        (
            {"zones": [TRIANGLE | {"loiter": 3}]},
            "unknown key 'loiter', did you mean",
        ),
        ({"zones": [TRIANGLE | {"score": 3}]}, "'score': expected"),
        ({"zones": [TRIANGLE | {"use": "flag"}]}, "'flag'; write zone, mask or motion"),
        ({"rules": [{"name": "r", "on": "car", "stationary": "parked"}]}, "; write any, moving or resting"),
        ({"rules": [{"name": "r", "on": "car", "do": "mqqt"}]}, "which is no output, did you mean 'mqtt'"),
        ({"zones": [TRIANGLE | {"loitering": "3 apples"}]}, "is not a duration"),
        ({"zones": [TRIANGLE | {"real": [1, 2]}]}, "needs four corners"),
        ({"zones": [{"points": "0,0 1,0 1,1"}]}, "'name' is missing"),
        ({"zones": [f"z{n}=0,0 1,0 1,1" for n in range(65)]}, "there are 65 zones and lines; the most is 64"),
        ({"lines": ["gate=0,0 1,1 0,1"]}, "a line has two points, this one has 3"),
        ({"lines": ["gate=0.5,0.5 0.5,0.5"]}, "its two points are the same"),
        ({"zones": [DOOR], "rules": ["person@doro"]}, "there is no zone 'doro', did you mean 'door'?"),
        ({"rules": ["car>gate"]}, "there is no line 'gate'; add --line 'gate=…'"),
        ({"zones": [DOOR], "record_on": ["persn@door"]}, "the detector does not know 'persn', did you mean"),
        (
            {"zones": [DOOR], "record_on": ["person@door:1.5"]},
            "'person@door:1.5' is not something to wait for",
        ),
        ({"zones": [DOOR], "record_on": ["person@"]}, "'person@' is not something to wait for"),
        ({"zones": [DOOR], "lines": ["g=0,0 1,1"], "rules": ["motion>g"]}, "motion has no direction"),
        (
            {"zones": [DOOR], "rules": [{"name": "r", "on": "person", "loitering": 3}]},
            "loitering needs a zone",
        ),
        ({"zones": [DOOR], "rules": [{"name": "r", "on": ""}]}, "it waits for nothing"),
        ({"zones": [DOOR], "rules": ["person@door", "person@door"]}, "another rule has this name"),
        (
            {"rules": [{"name": "r", "on": "person", "days": "mon-fry"}]},
            "'fry' is no day, did you mean 'fri'",
        ),
        ({"rules": [{"name": "r", "on": "person", "hours": "25:00-26:00"}]}, "is not a span of hours"),
        ({"rules": [{"name": "r", "on": "person", "stationary": "yes"}]}, "'stationary'"),
    ],
)
def test_one_sentence_says_what_is_wrong(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**settings)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_words_and_tables_say_the_same() -> None:
    word = made(zones=[DOOR], lines=["gate=0,0.5 1,0.5"], rules=["person@door:0.6"])
    table = made(
        zones=[{"name": "door", "points": [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]], "loitering": "0s"}],
        lines=[{"name": "gate", "points": [[0, 0.5], [1, 0.5]]}],
        rules=[{"name": "person@door:0.6", "on": ["person@door:0.6"]}],
    )
    assert word == table
    assert word.version == table.version
    assert word.version != made(zones=[DOOR]).version
    with_spaces = made(zones=[DOOR], rules=["potted plant @ door : 0.25"]).rules[0].words[0]
    assert (with_spaces.what, with_spaces.zone, with_spaces.score) == ("potted plant", "door", 0.25)


def test_a_cameras_own_and_everybodys() -> None:
    rules = made(
        zones=[DOOR, {"name": "yard", "points": "0,0 1,0 1,1", "camera": "video0"}],
        rules=["person@door", "person@yard"],
    )
    assert [z.name for z in rules.of("/dev/video0", "video0").zones] == ["door", "yard"]
    assert [z.name for z in rules.of("rtsp://cam/1", "cam/1").zones] == ["door"]
