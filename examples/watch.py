"""The whole pipeline, with tracks and clips, in two lines. Usage: python examples/watch.py [SOURCE]"""

import sys

import edgecam

for result in edgecam.watch(
    sys.argv[1] if len(sys.argv) > 1 else "demo:", classes=["person"], record="clips"
):
    print(result.frame.index, [(d.track_id, d.label) for d in result.detections])
