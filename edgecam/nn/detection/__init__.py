"""Training, evaluating and exporting detectors."""
