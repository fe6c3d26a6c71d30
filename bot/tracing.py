"""What happens for a request, stage by stage: the port that takes finished spans, and the one that takes none.

A span has a name, a beginning and an end, and facts: numbers and fixed words, never a text, a name or an id of a person
or a place. Which trace a span belongs to follows from the reference of its request alone, so that the process that
accepted a message, the one that answered it and the one that took over from a dead one add to the same trace without
telling each other anything.

Stages open spans with `span`; where no trace runs, that does nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

Fact = str | int | float | bool
NS = 1_000_000_000  # nanoseconds in a second
WHOLE = "request"  # the span around all others, from being accepted to the visible end


@dataclass(frozen=True, slots=True)
class Span:
    """A stage that is over.

    Attributes:
        request: Reference of the request.
        name: One of a few words.
        span_id: 64 bits, not 0.
        parent_id: The span around it; 0 for the outermost one.
        begun_ns: Nanoseconds since 1970.
        ended_ns: The same; not before the beginning.
        facts: Numbers and fixed words.
        failed: Kind of the error that ended it, or "".
    """

    request: str
    name: str
    span_id: int
    parent_id: int
    begun_ns: int
    ended_ns: int
    facts: Mapping[str, Fact] = field(default_factory=dict)
    failed: str = ""


class Traces(Protocol):
    """Takes spans."""

    def take(self, span: Span) -> None:
        """Take a span; returns at once and never raises."""


class Untraced:
    """Takes no spans; implements `Traces`."""

    def take(self, span: Span) -> None: ...


UNTRACED = Untraced()


class OpenSpan:
    """A stage that runs; facts that are known later are noted on it."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self.facts = dict(facts)

    def note(self, **facts: Fact) -> None:
        """Add facts."""
        self.facts.update(facts)


@dataclass(frozen=True, slots=True)
class _Place:
    traces: Traces
    request: str
    span_id: int


_place: ContextVar[_Place | None] = ContextVar("span", default=None)


def trace_id(request: str) -> int:
    """Return the trace of a request: 128 bits, not 0, the same in every process."""
    return _hashed("trace", request, 16)


def whole_id(request: str) -> int:
    """Return the outermost span of a request: 64 bits, not 0, the same in every process."""
    return _hashed("whole", request, 8)


@contextmanager
def traced(traces: Traces, request: str) -> Iterator[None]:
    """Let the stages until the end, tasks and threads begun meanwhile included, belong to a request."""
    if isinstance(traces, Untraced):
        yield
        return
    token = _place.set(_Place(traces, request, whole_id(request)))
    try:
        yield
    finally:
        _place.reset(token)


@contextmanager
def span(name: str, **facts: Fact) -> Iterator[OpenSpan]:
    """Take the time of a stage.

    Not around a `yield` of an async generator, whose caller would go on inside of it: see `since`.
    """
    around, stage = _place.get(), OpenSpan(facts)
    if around is None:
        yield stage
        return
    inside = _Place(around.traces, around.request, _new_id())
    token = _place.set(inside)
    begun, clock, failed = time.time_ns(), time.perf_counter_ns(), ""
    try:
        yield stage
    except BaseException as error:
        failed = type(error).__name__
        raise
    finally:
        _place.reset(token)
        ended = begun + time.perf_counter_ns() - clock
        _tell(around, name, inside.span_id, around.span_id, (begun, ended), stage.facts, failed)


def since(name: str, begun_s: float, *, failed: str = "", **facts: Fact) -> None:
    """Tell of a stage that ends now.

    Args:
        name: What it is called.
        begun_s: `time.time()` when it began.
        failed: Kind of the error that ended it, or "".
        facts: Numbers and fixed words.
    """
    around = _place.get()
    if around is not None:
        times = int(begun_s * NS), time.time_ns()
        _tell(around, name, _new_id(), around.span_id, times, facts, failed)


def whole(begun_s: float, **facts: Fact) -> None:
    """Tell of a request that ends now, and that began at `begun_s`, in seconds since 1970."""
    around = _place.get()
    if around is not None:
        times = int(begun_s * NS), time.time_ns()
        _tell(around, WHOLE, whole_id(around.request), 0, times, facts)


def _tell(
    around: _Place,
    name: str,
    span_id: int,
    parent_id: int,
    times: tuple[int, int],
    facts: Mapping[str, Fact],
    failed: str = "",
) -> None:
    begun, ended = times
    # Clocks of two machines may differ: no span ends before it begins.
    around.traces.take(Span(around.request, name, span_id, parent_id, begun, max(begun, ended), facts, failed))


def _new_id() -> int:
    return secrets.randbits(64) or 1


def _hashed(what: str, request: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{what} {request}".encode(), digest_size=size).digest(), "big") or 1
