"""What the fuzz tests share: JSON that nobody expects, texts that repeat, and how many examples are tried.

`pytest` tries a hundred examples of each; `make fuzz` loads the profile "fuzz" and tries many more.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pydantic import JsonValue

# Examples may be slow beside other work: what takes too long is found by `repeated`, whose limit is generous.
settings.register_profile("locus", deadline=None)
settings.register_profile(
    "fuzz", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def load_profile() -> None:
    """Let tests try a hundred examples each, however long they take; `--hypothesis-profile=fuzz` comes after this."""
    settings.load_profile("locus")


REPEATED_CHARS = 40_000  # steps that grow with the square are minutes, those that do not are milliseconds
PATIENCE_S = 20.0

DEEP = 100_000  # brackets, more than any reader of JSON may follow

odd_texts = st.text(max_size=40) | st.sampled_from(
    [
        "\ud800",
        "\x00",
        "\x1b[2J",
        "\u202e",
        "\ufeff",
        "<!channel>",
        "1e999",
        "9" * 5000,
        "-0",
        "NaN",
        "None",
        "null",
        "",
    ]
)
odd_numbers = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63), 2**200, 1e308, -1.0])
odd_scalars: st.SearchStrategy[JsonValue] = st.none() | st.booleans() | odd_numbers | odd_texts


def json_of(
    names: Sequence[str], scalars: st.SearchStrategy[JsonValue] = odd_scalars, leaves: int = 20
) -> st.SearchStrategy[JsonValue]:
    """Any JSON, in which objects mostly have the given names."""
    keys = st.sampled_from(list(names)) | st.text(max_size=6)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=8), max_leaves=leaves
    )


def pieces_of(pieces: Sequence[str], most: int = 30) -> st.SearchStrategy[str]:
    """Texts of these pieces in any order, with something else between them."""
    return st.lists(st.sampled_from(list(pieces)) | st.text(max_size=4), max_size=most).map("".join)


def repeated(pieces: Sequence[str], chars: int = REPEATED_CHARS) -> st.SearchStrategy[str]:
    """Long texts that repeat a few pieces again and again, and then end in another way."""
    unit = st.lists(st.sampled_from(list(pieces)), min_size=1, max_size=3).map("".join)
    return st.tuples(st.sampled_from(["", *pieces]), unit.filter(bool), st.sampled_from(["", "!", *pieces])).map(
        lambda three: three[0] + three[1] * (chars // len(three[1])) + three[2]
    )


def broken(data: bytes, changes: Sequence[tuple[int, int]], end: int) -> bytes:
    """Return data with some bytes changed, and cut off."""
    mutable = bytearray(data)
    for place, byte in changes:
        mutable[place % len(mutable)] = byte
    return bytes(mutable[: max(1, end % (len(mutable) + 1))])


def damage(size: int = 12) -> st.SearchStrategy[tuple[list[tuple[int, int]], int]]:
    """What `broken` does to data: bytes to change, and where it ends; mostly it stays whole."""
    changes = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=size)
    return st.tuples(changes, st.just(-1) | st.integers(0, 1 << 20))


@contextlib.contextmanager
def in_time(seconds: float = PATIENCE_S) -> Iterator[None]:
    """Fail where something takes longer; the limit is a hundred times what it should take."""
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < seconds


def outcome(action: Callable[[], object], *expected: type[Exception]) -> object:
    """Return what an action returns, or the error it raises, where that is one of those expected and has a sentence."""
    try:
        return action()
    except expected as error:
        return error if str(error).strip() else None
