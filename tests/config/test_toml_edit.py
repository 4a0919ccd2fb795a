"""A settings file changed in single places; all the rest stays as its owner wrote it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecam.config.toml_edit import changed, parse
from edgecam.core.errors import ConfigError

FILE = """\
# the camera
source = ["/dev/video0"]   # by the door
wait = true

detect-rate = 5
classes = [
  "person",  # and
  "car",
]

[[zone]]
name = "door"
# the step
points = [[0.1, 0.2], [0.3, 0.4], [0.1, 0.4]]
"""


def test_what_is_not_changed_stays_to_the_letter() -> None:
    made = changed(FILE, {"wait": False, "score": 0.5, "detect_rate": None, "classes": ["dog"]})
    assert made == FILE.replace("wait = true", "wait = false").replace("detect-rate = 5\n", "").replace(
        'classes = [\n  "person",  # and\n  "car",\n]\n', 'classes = ["dog"]\nscore = 0.5\n'
    )
    assert changed(FILE, {"source": ["demo:"]}).splitlines()[1] == 'source = ["demo:"]   # by the door'
    assert "detect-rate = 7" in changed(FILE, {"detect_rate": 7}), "spelt as it was"


def test_tables_are_written_anew_and_keys_stay_before_them() -> None:
    zone = {"name": "gate", "points": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]}
    made = changed(FILE, {"zone": [zone], "score": 0.4})
    assert parse(made)["zone"] == [zone] and parse(made)["score"] == 0.4
    assert parse(changed(FILE, {"zone": []}))["zone"] == []
    assert changed("", {"score": 0.5}) == "score = 0.5\n"


def test_a_broken_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        changed("score = [", {"score": 0.5})


_TEXT = st.text("ab\"'#=[]{}\\\n\t é\x7f", max_size=12)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["source", "score", "wait", "detect_rate", "zone", "classes", "record"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.floats(0, 1),
            _TEXT,
            st.lists(_TEXT, max_size=3),
        ),
        max_size=4,
    )
)
def test_whatever_is_set_is_what_is_read(values: dict[str, object]) -> None:
    found = parse(changed(FILE, values))
    before = parse(FILE)
    for name, value in values.items():
        assert found.get(name) == value
    for name in before.keys() - values.keys():
        assert found[name] == before[name]
