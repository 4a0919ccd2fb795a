"""Runs a harness on mutations of its seeds, by hypothesis, for so long; a finding comes out made small."""

from __future__ import annotations

import time
from collections.abc import Callable

from harnesses import Harness
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

#: Examples between two looks at the clock.
BLOCK = 150
#: Seconds of CPU that one input may take, whatever is in it.
LONGEST_S = 2.0

_EDGES = st.sampled_from(
    [
        b"\x00",
        b"\xff",
        b"\n",
        b"\r\n",
        b'"',
        b"=",
        b",",
        b"9" * 40,
        b"-1",
        b"nan",
        b"1e400",
        b"[" * 300,
        b"\xff\xd8",
        b"a" * 3000,
        b"\xc2\xb2",
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xff",
        b"\x00" * 16,
        b"{}",
        b"\\ud800",
    ]
)
_PIECES = st.one_of(_EDGES, st.binary(max_size=12))
_EDITS = st.lists(
    st.tuples(st.sampled_from("ridc"), st.floats(0, 1, width=32), st.integers(1, 40), _PIECES), max_size=8
)


def mutated(data: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    """``data`` with bytes replaced, inserted, deleted and repeated."""
    for kind, place, count, piece in edits:
        at = int(place * len(data))
        if kind == "r":
            data = data[:at] + piece + data[at + len(piece) :]
        elif kind == "i":
            data = data[:at] + piece + data[at:]
        elif kind == "d":
            data = data[:at] + data[at + count :]
        else:
            data = data[: at + count] + data[at : at + count] * min(count, 9) + data[at + count :]
    return data


def fuzz(harness: Harness, seconds: float, first: int = 0) -> int:
    """Run for ``seconds``; the number of inputs. Raises what the harness did, its input made small."""
    inputs = st.one_of(st.builds(mutated, st.sampled_from(harness.seeds), _EDITS), st.binary(max_size=400))
    counted = 0

    def one(data: bytes) -> None:
        nonlocal counted
        counted += 1
        began = time.process_time()
        harness.run(data)
        assert time.process_time() - began < LONGEST_S, "it takes too long"

    for data in harness.seeds:
        one(data)
    until, number = time.monotonic() + seconds, first
    while time.monotonic() < until:
        number += 1
        run: Callable[[], None] = seed(number)(
            settings(
                max_examples=BLOCK,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            )(given(inputs)(one))
        )
        run()
    return counted
