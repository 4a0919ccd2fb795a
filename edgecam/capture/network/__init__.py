"""Network cameras: RTSP and HTTP."""
