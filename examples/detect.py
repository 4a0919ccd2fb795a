"""What a camera sees, printed. Usage: python examples/detect.py [SOURCE]"""

import sys

import edgecam

with edgecam.open_source(sys.argv[1] if len(sys.argv) > 1 else "/dev/video0") as camera:
    detector = edgecam.load_detector("default")
    for frame in camera:
        for d in detector.detect(frame):
            print(d.label, d.score, d.xyxy)
