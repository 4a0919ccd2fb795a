"""What a rule waits for, in words: ``person``, ``person@door:0.6``, ``car>gate``, ``motion@yard``."""

from __future__ import annotations

import re

from msgspec import Struct

from edgecam.core.errors import ConfigError

MOTION, ANY = "motion", "any"
#: What a zone's or a line's name may be made of: it becomes a part of MQTT topics, URLs and these words.
NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_WORD = re.compile(
    r"(?P<what>[^@<>:]+?)\s*(?:(?P<how>@|<>|>|<)\s*(?P<area>[^@<>:]*?))?\s*(?::(?P<score>.*))?"
)
_DIRECTIONS = {">": ("in",), "<": ("out",), "<>": ("in", "out")}


class Word(Struct, frozen=True):
    """One thing to wait for.

    text: as it was written. what: a class, ``any`` for every class, or ``motion``. zone: where, "" for
    everywhere. line: which line is crossed, in one of ``directions``; "" for none. score: the least.
    """

    text: str
    what: str
    zone: str = ""
    line: str = ""
    directions: tuple[str, ...] = ()
    score: float = 0.0


def has_area(word: str) -> bool:
    """Whether a word names a zone or a line; the others are also the recorder's own (``person:0.6``)."""
    return any(mark in word for mark in "@<>")


def parse_word(text: str, what: str) -> Word:
    """Raises ConfigError, beginning with ``what``, for what is none."""
    match = _WORD.fullmatch(text.strip())
    try:
        score = float(match["score"]) if match and match["score"] is not None else 0.0
    except ValueError:
        score = -1.0
    if match is None or not 0.0 <= score <= 1.0 or (match["how"] and not match["area"]):
        raise ConfigError(
            f"{what}: '{text}' is not something to wait for; write person, person:0.6, person@ZONE, car>LINE"
            " (in), car<LINE (out), car<>LINE or motion@ZONE"
        )
    thing, how, area = match["what"].strip(), match["how"], match["area"] or ""
    if how == "@" or how is None:
        return Word(text.strip(), thing, zone=area, score=score)
    if thing == MOTION:
        raise ConfigError(f"{what}: '{text}': motion has no direction; write motion@ZONE")
    return Word(text.strip(), thing, line=area, directions=_DIRECTIONS[how], score=score)
