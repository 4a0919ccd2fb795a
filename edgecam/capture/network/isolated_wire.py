"""What a decoder process and its owner say to each other, besides JSON objects with a ``kind``."""

from __future__ import annotations

import struct

#: The owner's first message, and each of the process's.
REQUEST_BYTES, RECORD_BYTES = 64 * 1024, 2048
#: "P": slot, width, height, captured_ns of a picture in the shared memory.
PICTURE = struct.Struct("<cBIIq")
#: "A": the question's number, and nanoseconds: will nobody look for so long? Answer: "y" or "n", number.
ASK = struct.Struct("<cBq")
#: How long the answer is waited for; without one the picture is decoded.
ASK_S = 0.01
