"""Health: what parts report, what the log hears of it, and when the service counts as ready."""

from __future__ import annotations

import logging

import pytest

from bot.health import MAX_REASONS, Health, State

AWAY = "Redis does not answer."


class Clock:
    """Seconds since 1970 that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_part_that_goes_and_comes_back_is_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is reported meanwhile."""
    health = Health()
    with caplog.at_level(logging.INFO, "bot.health"):
        health.report("redis")
        for _ in range(50):
            health.report("redis", State.DOWN, AWAY)
        health.report("redis")
        health.report("redis")

    assert ["redis is down: Redis does not answer.", "redis is back"] == caplog.messages


def test_another_reason_while_a_part_is_away_is_logged_once_too(caplog: pytest.LogCaptureFixture) -> None:
    """A full disk after an outage is news; both again are not."""
    health = Health()
    with caplog.at_level(logging.INFO, "bot.health"):
        for _ in range(3):
            health.report("redis", State.DOWN, AWAY)
            health.report("redis", State.DOWN, "Its disk is full.")

    assert 2 == len(caplog.messages)


def test_a_part_that_invents_reasons_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """So many are logged until it is back."""
    health = Health()
    for number in range(1000):
        health.report("chat", State.DEGRADED, f"reason {number}")

    assert MAX_REASONS == len(caplog.messages)


def test_ready_means_that_no_part_is_down() -> None:
    """A degraded part still does its work."""
    health = Health()
    states = [health.ready()]
    for state in (State.OK, State.DEGRADED, State.DOWN):
        health.report("redis", state, AWAY)
        states.append(health.ready())
    health.forget("redis")

    assert [True, True, True, False] == states
    assert health.ready()


def test_parts_that_are_expected_are_down_until_they_report() -> None:
    """So that nobody sends questions to a service that is still starting."""
    health = Health(["redis"])
    before = health.ready()
    health.report("redis")

    assert not before
    assert health.ready()


def test_since_is_when_the_state_began() -> None:
    """Reports of the same state do not move it; the reason is the newest, and gone when the part is well."""
    clock = Clock()
    health = Health(clock=clock)
    health.report("redis", State.DOWN, AWAY)
    clock.now += 60
    health.report("redis", State.DOWN, "Its disk is full.")
    during = health.as_json()
    clock.now += 60
    health.report("redis", State.OK, "left over")

    expected = {"redis": {"state": "down", "reason": "Its disk is full.", "since": "2001-09-09T01:46:40+00:00"}}
    assert {"ready": False, "parts": expected} == during
    part = health.find("redis")
    assert part is not None
    assert (State.OK, "", clock.now) == (part.state, part.reason, part.since)
