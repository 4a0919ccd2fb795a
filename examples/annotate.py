"""A picture with boxes drawn in. Usage: python examples/annotate.py PICTURE OUT.jpg"""

import sys

import cv2

import edgecam

if len(sys.argv) != 3:
    sys.exit("Usage: python examples/annotate.py PICTURE OUT.jpg")
detector = edgecam.load_detector("default", score=0.4)
for frame in edgecam.open_source(sys.argv[1]):
    cv2.imwrite(sys.argv[2], edgecam.annotate(frame, detector.detect(frame)))
