"""Detector and classifier: a model's file and card, preprocessing, the runtime, tuning to the board."""
