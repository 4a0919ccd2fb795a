"""Average precision, matching, calibration and pictures of what went wrong."""
