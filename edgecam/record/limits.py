"""What a folder of clips may hold. Every limit of this room stands here; docs/security.md lists them.

The folder may be a USB stick or a network disk, so that all in it counts as written by somebody else.
"""

#: Clips of one folder, and of the rows in its index: one a minute for four months.
CLIPS = 200_000
#: Files of events, one a day, and bytes of one; of the rules that once held, together.
DAYS, DAY_BYTES, RULES_BYTES = 10_000, 1 << 30, 64 << 20
#: One line of a sidecar (ours have about a kilobyte), and all of them (a day at 30 fps has 2.6 GB; the rest
#: is passed over, and costs no more than labels that the index does not know).
LINE_BYTES = 1 << 20
SIDECAR_BYTES = 4 << 30
#: Of one clip, what the index keeps: labels, causes, events, and characters of each.
LABELS, CAUSES, EVENTS = 1000, 100, 10_000
TEXT = 200
#: And of all clips together, bytes of JSON (ours have some sixty a clip, and take fourteen times as much when
#: they are read): what is beyond has its name, times and size only.
DETAILS_BYTES = 16 << 20
#: Seconds of a clip: a week.
DURATION_S = 7 * 86400.0
#: The latest second of the epoch that is believed (the year 3000), and that every datetime can hold.
LATEST_S = 32_503_680_000.0
#: Bytes of one value in the index.
ROW_BYTES = 4 << 20
#: How long one call waits for another program's write to the index.
BUSY_MS = 1000
#: And to the index of events: at its first look the other enters a year of them.
EVENTS_BUSY_MS = 5000
#: Looking after what a crash left takes at most so long at one start; the rest waits for the next.
RECOVER_S = 120.0
#: Video at the end of an unfinished clip that is decoded to see where it breaks off.
TAIL_BYTES = 32 << 20
