"""A camera whose every picture is flagged is believed; one that was whole in between is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edgecam.capture.network import loss_concealment as healing
from edgecam.capture.network.loss_concealment import HOLD_BACK_S, LossConcealment


@pytest.mark.parametrize("whole_between", [True, False])
def test_a_whole_picture_decoded_elsewhere_ends_the_row_of_flagged_ones(
    monkeypatch: pytest.MonkeyPatch, whole_between: bool
) -> None:
    now = [0]
    monkeypatch.setattr(healing, "now_ns", lambda: now[0])
    flagged: Any = SimpleNamespace(is_corrupt=True)
    judge = LossConcealment("camera", 10.0)
    assert not judge.is_clean(flagged)
    if whole_between:
        judge.clean()
    now[0] = int((HOLD_BACK_S + 1) * 1e9)
    assert judge.is_clean(flagged) is not whole_between
