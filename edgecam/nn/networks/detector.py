"""The detection networks of the family as one type, and building one from the table in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from edgecam.nn.networks.pan_detector import PanConfig, PanDetector
from edgecam.nn.networks.ssd import SSD, SSDConfig

#: What every detection network has: ``config`` (with ``labels``, ``resolution``, ``backbone``), ``backbone``,
#: ``network_input`` and ``predictions``.
DetectionNetwork: TypeAlias = SSD | PanDetector


def network_of(architecture: Mapping[str, Any]) -> DetectionNetwork:
    """Build a fresh network from its table; ``kind`` selects which (``pan``, else an SSD).

    Raises :class:`edgecam.core.errors.ModelError` for a table that is not ours.
    """
    if architecture.get("kind") == "pan":
        return PanDetector(PanConfig.from_dict(architecture))
    return SSD(SSDConfig.from_dict(architecture))
