"""edgecam: camera vision for embedded boards."""

from __future__ import annotations

import os

# From 1.29 on ONNX Runtime's wheels report to Microsoft unless this is set before they are imported: they
# keep a device number and a cache in ~/.cache/Microsoft and connect to the internet, which is no camera's
# business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
