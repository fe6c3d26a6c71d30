"""The circuit breaker on a clock of its own."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bot.circuit import CircuitBreaker, CircuitState
from bot.errors import InvalidRequestError, UnavailableError


class Clock:
    """Seconds that grow when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: CircuitBreaker) -> None:
    """One call that fails."""
    with pytest.raises(UnavailableError, match="down"), breaker.call():
        raise UnavailableError("down")


def opened(clock: Clock) -> CircuitBreaker:
    """A breaker that has just opened for ten seconds."""
    breaker = CircuitBreaker("The model", failures=2, pause_s=10, max_pause_s=30, clock=clock)
    fail(breaker)
    fail(breaker)
    return breaker


def test_it_opens_after_failures_in_a_row_and_refuses_with_the_time_left() -> None:
    """The error says when another attempt makes sense."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 4

    with pytest.raises(UnavailableError, match="try again in 6 s") as caught, breaker.call():
        pytest.fail("the call went through")
    assert 6 == caught.value.retry_after_s
    assert CircuitState.OPEN is breaker.state


def test_an_answer_between_failures_starts_the_count_again() -> None:
    """Only failures in a row count, and a refusal is an answer."""
    breaker = CircuitBreaker("The model", failures=2, clock=Clock())
    fail(breaker)
    with pytest.raises(InvalidRequestError), breaker.call():
        raise InvalidRequestError("no")
    fail(breaker)

    assert CircuitState.CLOSED is breaker.state


def test_one_trial_goes_through_after_the_pause() -> None:
    """While it is under way others are refused; its success closes the circuit."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    with breaker.call():
        during = breaker.state
        with pytest.raises(UnavailableError, match="left alone"), breaker.call():
            pytest.fail("a second trial went through")

    assert CircuitState.HALF_OPEN is during
    assert CircuitState.CLOSED is breaker.state
    assert 0 == breaker.retry_after_s


def test_each_failed_trial_doubles_the_pause_up_to_the_longest() -> None:
    """After success the first pause holds again."""
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for _ in range(3):
        clock.now += breaker.retry_after_s
        fail(breaker)
        pauses.append(breaker.retry_after_s)
    clock.now += breaker.retry_after_s
    with breaker.call():
        pass
    fail(breaker)
    fail(breaker)

    assert [20, 30, 30] == pauses
    assert 10 == breaker.retry_after_s


def test_a_cancelled_trial_proves_nothing() -> None:
    """The next call is the next trial."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    after = breaker.state
    with breaker.call():
        pass

    assert CircuitState.OPEN is after
    assert CircuitState.CLOSED is breaker.state


def test_a_call_from_before_it_opened_changes_nothing_when_it_ends() -> None:
    """Only the trial decides."""
    clock = Clock()
    breaker = CircuitBreaker("The model", failures=1, pause_s=10, clock=clock)
    with breaker.call():
        fail(breaker)

    assert CircuitState.OPEN is breaker.state
    assert 10 == breaker.retry_after_s


def test_it_logs_once_when_it_opens_and_once_when_it_closes(caplog: pytest.LogCaptureFixture) -> None:
    """Refused calls and failed trials are silent."""
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    fail(breaker)
    with pytest.raises(UnavailableError), breaker.call():
        pass
    clock.now += 20
    with breaker.call():
        pass

    assert [
        "The model failed 2 times in a row and is left alone for 10 s",
        "The model answers again",
    ] == caplog.messages
