"""A session and its tens of MB go with their last user, not when garbage is collected."""

# Private names are touched here, for a weak reference shows that the session's memory is gone with its
# last user.

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_models import card, detector_graph, save

from edgecam.inference.runtime.session import open_session


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
def test_a_session_that_ran_is_gone_when_its_user_is(tmp_path: Path) -> None:
    session = open_session(save(detector_graph(), tmp_path / "tiny.onnx", card()), 1, ["cpu"])
    bound = session.bind(np.zeros((1, 8, 8, 3), np.uint8))
    assert len(bound.run()) == 2
    runtime = weakref.ref(session._session)
    del session, bound
    assert runtime() is None
