"""Text from outside (names of files and cameras, labels, what servers say) made fit to be shown."""

from __future__ import annotations

import re

#: Joiners that scripts and emoji need; they move no cursor and hide no text.
_JOINERS = frozenset("\u200c\u200d")
_WORDS = re.compile(r"([\s'\"`<>(),=|]+)")
#: So much of one text is shown.
LONGEST = 2000


def escape(text: object, longest: int = LONGEST) -> str:
    """``text`` on one line, for a terminal, a log or a page: what is not printable as a Python escape.

    Control characters (a terminal obeys them), line ends (a log's next line), marks that turn the direction
    of writing, and bytes that are no UTF-8 (lone surrogates, as :func:`os.fsdecode` makes them) become
    ``\\x1b``, ``\\n``, ``\\u202e`` or ``\\xff``. What is longer than ``longest`` ends in ``…``.
    """
    whole = hide_passwords(str(text))
    shown = whole[: longest + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() or c in _JOINERS else _escaped(c) for c in shown)
    if max(len(whole), len(shown)) > longest:
        shown = shown[: max(longest - 1, 0)] + "…"
    return shown


def hide_passwords(text: str) -> str:
    """``text`` without what stands before the ``@`` of an address, however the address is misspelt.

    ``rtsp://joe:PW@host/``, ``rtsp:/joe:PW@host`` and ``ftp:joe:PW@host`` lose ``joe:PW``.
    """
    if "@" not in text:
        return text
    return "".join(_without_userinfo(word) for word in _WORDS.split(text))


def _without_userinfo(word: str) -> str:
    colon, slash = word.find(":"), word.find("/")
    if "@" not in word or colon < 0:
        return word
    if slash == 0 and word[1:2] != "/":
        return word  # a path with an @ in it
    scheme = word[:slash] if 0 <= slash < colon else word[: colon + 1]
    if slash > 0 and not scheme.strip(":;.,").isalpha():
        return word
    start = len(scheme)
    while word[start : start + 1] == "/":
        start += 1
    host = word.find("/", start)
    end = word.rfind("@", start, host if host > 0 else len(word))
    end = word.rfind("@") if end < 0 else end  # a password with a slash in it
    return f"{word[:start]}…{word[end:]}" if end >= start else word


def escape_lines(text: object) -> str:
    """The same for a text of our own that has several lines: its line ends and tabs stay."""
    lines = str(text).expandtabs().split("\n")
    return "\n".join(escape(line, 10 * LONGEST) for line in lines)


def decodable(text: str) -> str:
    """``text`` without lone surrogates, which neither SQLite nor strict readers of JSON take."""
    if text.isascii():
        return text
    return "".join(_escaped(c) if "\ud800" <= c <= "\udfff" else c for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that os.fsdecode could not read
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
