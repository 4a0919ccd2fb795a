"""Detect, track and classify in a loop of one's own. Usage: python examples/own_loop.py SOURCE"""

import sys

import edgecam

if len(sys.argv) != 2:
    sys.exit("Usage: python examples/own_loop.py SOURCE")
detector, classifier, tracker = edgecam.load_detector(), edgecam.load_classifier(), edgecam.Tracker()
with edgecam.open_source(sys.argv[1]) as source:
    for frame in source:
        for d in tracker.update(detector.detect(frame), frame.captured_ns):
            best = classifier.classify(frame.image, d.xyxy)[:1]
            print(frame.index, d.track_id, d.label, [f"{c.label} {c.score:.2f}" for c in best])
