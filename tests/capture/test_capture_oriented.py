"""Pictures turned and mirrored, for every source alike."""

from __future__ import annotations

import numpy as np
import pytest

from edgecam.capture import SourceOptions, open_source
from edgecam.config import load
from edgecam.core.errors import ConfigError

URI = "synthetic:?size=128x96&frames=2&seed=3"


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_pictures_are_mirrored_and_then_turned_clockwise(rotate: int, mirror: bool) -> None:
    with open_source(URI) as plain, open_source(URI, SourceOptions(rotate=rotate, mirror=mirror)) as turned:
        a, b = plain.read(1), turned.read(1)
        assert a is not None and b is not None
        wanted = a.image[:, ::-1] if mirror else a.image
        wanted = np.rot90(wanted, -rotate // 90)
        assert np.array_equal(b.image, wanted) and b.image.flags.c_contiguous
        assert turned.size_wh == b.size_wh == ((96, 128) if rotate in (90, 270) else (128, 96))
        assert (b.index, b.captured_ns > 0, turned.name, turned.is_live) == (0, True, plain.name, False)
        assert ("turned by" in turned.description) is bool(rotate)


def test_what_must_stay_clear_is_turned_too() -> None:
    """The demo's credit, in the lower left corner, is where its pixels are."""
    places = {}
    for rotate in (0, 90, 180, 270):
        with open_source("demo:?size=320x180", SourceOptions(rotate=rotate)) as source:
            share = source.keep_clear
            assert share is not None
            places[rotate] = share
    x, y, w, h = places[0]
    assert places[180] == pytest.approx((1 - x - w, 1 - y - h, w, h))
    assert places[90] == pytest.approx((1 - y - h, x, h, w))
    assert places[270] == pytest.approx((y, 1 - x - w, h, w))


def test_other_angles_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be one of 0, 90, 180, 270"):
        load({"source": ["demo:"], "rotate": "45"}, environment={})
