"""Every setting, and how settings are read: ``load`` merges command line, environment, file and defaults."""

from __future__ import annotations

from edgecam.config.loading import given, load
from edgecam.config.options import Option, options
from edgecam.config.schema import Config

__all__ = ["Config", "Option", "given", "load", "options"]
