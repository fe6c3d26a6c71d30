"""Reading what Slack sends about presses, commands and reactions: whatever it is, nothing breaks."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from adapters.slack.buttons import presses_of
from adapters.slack.home import home_commands
from adapters.slack.interactions_payloads import (
    elements,
    entered,
    is_handle,
    kept,
    part,
    records,
    where_of,
    where_of_event,
    where_of_submission,
)
from adapters.slack.slash import where_typed

KEYS = """type user id team_id team channel channel_id container thread_ts message message_ts ts trigger_id event item
    view state values private_metadata actions action_id value blocks elements positive_button user_id x""".split()
WORDS = st.sampled_from(
    [
        "U1",
        "C1",
        "T1",
        "1700000000.000100",
        "locus_vote",
        "up:x",
        "locus_stop",
        "\ud800",
        '{"channel": "C1"}',
        "[1]",
        "",
    ]
) | st.text(max_size=20)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    WORDS | st.none() | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=25,
)
BODIES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12)


@given(BODIES)
def test_reading_never_fails(body: Mapping[str, JsonValue]) -> None:
    """What is missing or malformed is left out, and what remains can be stored and sent."""
    found = [where_of(body), where_of_event(body), where_of_submission(body), where_typed(body)]
    for where in found:
        if where is not None:
            assert where.user
            assert all(text.encode() is not None for text in (where.team, where.channel, where.trigger_id))
    for press in presses_of(body):
        assert press.handle == "" or is_handle(press.handle)
    view = part(body, "view")
    home_commands(body)
    kept(view)
    entered(view, "x").encode()
    list(elements(records(body, "blocks")))


def test_handles_are_short_and_plain() -> None:
    """Neither a path nor a pattern nor a lone surrogate is one."""
    assert [True, False, False, False, False, False] == [
        is_handle(text) for text in ("aZ0_-", "", "a" * 65, "../x", "*", "\ud800")
    ]


def test_a_press_is_placed_by_its_container() -> None:
    """Channel and thread are those of the message that it was in, as Slack says."""
    body: dict[str, JsonValue] = {
        "user": {"id": "U1", "team_id": "T2"},
        "team": {"id": "T1"},
        "container": {"channel_id": "C1", "message_ts": "2.000001", "thread_ts": "1.000001"},
        "channel": {"id": "C9"},
        "trigger_id": "t",
    }
    where = where_of(body)

    assert where is not None
    assert ("U1", "T2", "T1", "C1", "1.000001", "2.000001") == (
        where.user,
        where.user_team,
        where.team,
        where.channel,
        where.thread_ts,
        where.message_ts,
    )
