"""Only a camera can be covered, defocused or moved; what edgecam draws itself cannot."""

from __future__ import annotations

import pytest

from edgecam.app.rules import Rules
from edgecam.capture import open_source
from edgecam.config import load
from edgecam.core.ports import Source
from edgecam.core.types import Frame, Result


def watched(uri: str, source: Source) -> bool:
    rules = Rules(load({"source": [uri]}, {}), [source], (), lambda *_: None)
    return rules._watched[0].condition is not None


@pytest.mark.parametrize("uri", ["demo:?live=1", "synthetic:?live=1", "demo:?frames=3", "demo"])
def test_generated_pictures_have_no_condition(uri: str) -> None:
    with open_source(uri) as source:
        assert not watched(uri, source)


def test_a_camera_has() -> None:
    class Camera:
        is_live, name = True, "front"

        def read(self, _timeout_s: float) -> Frame | Result | None:
            return None

    assert watched("/dev/video0", Camera())  # type: ignore[arg-type]
