"""What a client may cost. Every limit of the room stands here.

A board serves a household, not the public: the figures are generous for the one and hopeless for the other.
"""

from __future__ import annotations

#: Open connections in all, and from one address. Beyond, new ones are closed unread.
CONNECTIONS = 200
CONNECTIONS_PER_ADDRESS = 64
#: A connection must have sent a whole request head within this, seconds, and a body within that.
HEAD_S = 10.0
BODY_S = 10.0
#: Idle connections are closed after this, seconds.
KEEP_ALIVE_S = 15
#: Request line and headers together; a request's body; a WebSocket message from a browser. Bytes.
HEAD_BYTES = 16 * 1024
BODY_BYTES = 256 * 1024
SOCKET_BYTES = 4 * 1024
#: Characters of a path, and of a query string.
PATH_CHARS = 512
QUERY_CHARS = 2048
#: An answer that a client does not take within this, seconds, is given up.
SEND_S = 20.0
#: A connection that was closed and still has something to send is cut off after one to two of these, seconds.
LINGER_S = 10.0
#: Whoever watches a stream is asked so often whether the token, or the session, still holds, seconds.
STILL_EVERY_S = 3.0
#: Viewers of live pictures at once, and pages that listen for updates.
VIEWERS = 24
LISTENERS = 32
#: Work that touches disks runs on so many threads.
WORKERS = 2
#: What the store keeps; the oldest go.
SESSIONS = 64
TOKENS = 64
PAIRINGS = 8
SHARES = 256
#: Lines of a sidecar in one answer (ten minutes at 15 a second), and their bytes (ours have one kilobyte).
BOX_ROWS, BOX_BYTES = 9000, 12 << 20
#: Shares of a request's own answer: rows of a list.
PAGE_ROWS = 200
