"""How many different objects of each kind went by. Usage: python examples/count.py SOURCE"""

import sys
from collections import Counter

import edgecam

if len(sys.argv) != 2:
    sys.exit("Usage: python examples/count.py SOURCE")
seen = {(d.track_id, d.label) for result in edgecam.watch(sys.argv[1]) for d in result.detections}
print(Counter(label for _, label in seen))
