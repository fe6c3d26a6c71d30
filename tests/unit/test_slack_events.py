"""What Slack delivers, read into values whatever arrives, and for whom a message is."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.addressing import Addressee, addressee, mentioned
from adapters.slack.client import Identity
from adapters.slack.events import READERS, Deleted, Edited, Revoked, Stopped, Written, read_event
from bot.errors import InvalidRequestError
from bot.messages import Place
from bot.threads import TURNS, TURNS_S, LoopGuard, RecentThreads

BOT = Identity("T1", "UBOT", "B1")
MESSAGE = {"type": "message", "channel": "C1", "user": "U1", "text": "Hi", "ts": "1700000000.000100"}

NAMES = st.sampled_from(
    """type subtype channel user text ts thread_ts deleted_ts message previous_message edited bot_id bot_profile files
    channel_type team user_team hidden""".split()
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["C1", "U1", "UBOT", "1.1", "1700000000.000100", "message_changed", "message_deleted", "tombstone"]
    ),
    st.lists(st.integers(), max_size=2),
)
FIELDS = st.recursive(
    st.dictionaries(NAMES, ODD, max_size=8),
    lambda inner: st.dictionaries(NAMES, inner | ODD, max_size=8),
    max_leaves=12,
)


def body(event: object, **fields: object) -> dict[str, object]:
    """Return a payload around an event."""
    return {"type": "event_callback", "team_id": "T1", "event": event, **fields}


def read(**fields: object) -> object:
    """Read a message that differs from an ordinary one."""
    return read_event(body({**MESSAGE, **fields}), BOT)


@given(st.sampled_from([*READERS, "unknown", ""]), FIELDS | ODD, st.dictionaries(NAMES, ODD, max_size=3))
def test_any_payload_is_read_or_refused_with_a_sentence(kind: str, event: object, fields: dict[str, object]) -> None:
    """Nothing but InvalidRequestError is raised, and what is read has ids that can be used."""
    if isinstance(event, dict):
        event = {**event, "type": kind}
    with contextlib.suppress(InvalidRequestError):
        found = read_event({**fields, "event": event}, BOT)
        if isinstance(found, Written):
            assert float(found.ts) >= 0
            assert found.channel
            assert "UBOT" != found.user


@given(FIELDS)
def test_any_odd_field_of_a_message_is_survived(fields: dict[str, object]) -> None:
    """Also where all other fields are as they should be."""
    with contextlib.suppress(InvalidRequestError):
        read(**fields)


def test_a_message_is_read_with_its_thread() -> None:
    """One that is no reply begins its thread itself."""
    assert Written("C1", "1700000000.000100", "U1", "Hi", "1700000000.000100") == read()
    assert "1699999999.000100" == getattr(read(thread_ts="1699999999.000100"), "thread", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"subtype": "huddle_thread"},
        {"subtype": "channel_join"},
        {"subtype": "bot_message"},
        {"bot_id": "B9"},
        {"bot_profile": {"id": "B9"}},
        {"user": "UBOT"},
        {"user": "USLACKBOT"},
        {"user": None},
    ],
)
def test_what_no_person_wrote_is_nothing(fields: dict[str, object]) -> None:
    """Messages of bots, of Slack itself and of the bot are left alone."""
    assert read(**fields) is None


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast"])
def test_files_and_broadcast_replies_are_messages(subtype: str) -> None:
    """People write these too."""
    assert isinstance(read(subtype=subtype), Written)


@pytest.mark.parametrize("ts", ["", "17", "1e5", "١.١", "1700000000.000100\n", 17.0, None])
def test_a_time_stamp_of_another_form_is_refused(ts: object) -> None:
    """It could not be answered."""
    with pytest.raises(InvalidRequestError):
        read(ts=ts)


def test_a_change_is_an_edit_only_when_the_text_differs() -> None:
    """What Slack adds to a message is no edit."""
    changed = {"type": "message", "subtype": "message_changed", "channel": "C1", "previous_message": MESSAGE}
    edit = read_event(body({**changed, "message": {**MESSAGE, "text": "Ho", "edited": {"ts": "1700000009.1"}}}), BOT)

    assert isinstance(edit, Edited)
    assert ("Ho", "Hi", "1700000009.1") == (edit.now.text, edit.before, edit.now.version)
    assert read_event(body({**changed, "message": {**MESSAGE, "attachments": [{}]}}), BOT) is None


def test_a_deletion_names_what_was_deleted() -> None:
    """Also where replies keep the place of a deleted message."""
    gone = {"type": "message", "subtype": "message_deleted", "channel": "C1", "deleted_ts": MESSAGE["ts"]}
    stone = {**MESSAGE, "subtype": "tombstone", "user": "USLACKBOT"}
    kept = {"type": "message", "subtype": "message_changed", "channel": "C1", "message": stone}
    deletions = [read_event(body({**event, "previous_message": MESSAGE}), BOT) for event in (gone, kept)]

    assert [MESSAGE["ts"]] * 2 == [deletion.was.ts for deletion in deletions if isinstance(deletion, Deleted)]


def test_other_events_are_read_too() -> None:
    """Stop, and what may have made the token invalid."""
    stop = {"type": "agent_session_stopped", "user": "U1", "channel": "D1", "thread_ts": "1.1"}

    assert Stopped("D1", "1.1", "U1", False) == read_event(body(stop, is_ext_shared_channel=False), BOT)
    assert Revoked() == read_event(body({"type": "tokens_revoked", "tokens": {}}), BOT)
    assert read_event(body({"type": "made_up"}), BOT) is None


@pytest.mark.parametrize(
    ("text", "whom"),
    [
        ("<@UBOT> what is a QTL?", Addressee.BOT),
        ("Hello <@UBOT|locus>, what is a QTL?", Addressee.BOT),
        ("<@UBOT> ask <@U2>", Addressee.BOT),
        ("<@U2> ask <@UBOT>", Addressee.OTHERS),
        ("<!here> <@UBOT>", Addressee.OTHERS),
        ("<!subteam^S1> please", Addressee.OTHERS),
        ("which locus is it?", Addressee.NOBODY),
        ("see <#C2|general> and <https://example.org|@locus>", Addressee.NOBODY),
        ("&lt;@UBOT&gt; typed", Addressee.NOBODY),
    ],
)
def test_a_message_is_for_the_one_it_calls_first(text: str, whom: Addressee) -> None:
    """The word locus, channels and links call nobody."""
    assert whom is addressee(text, "UBOT")


def test_people_who_are_named_are_found() -> None:
    """Groups and everybody are no people."""
    assert frozenset({"U2", "UBOT"}) == mentioned("<@UBOT> and <@U2|ben> and <!here>")


def test_a_thread_with_too_many_questions_is_left_alone_for_a_while() -> None:
    """A message counts once however often it is delivered."""
    now = [0.0]
    guard = LoopGuard(clock=lambda: now[0])
    place = Place("slack", "T1", "C1", "1.1")
    first = [guard.allows(place, f"{number}.0") for number in range(TURNS)]
    late = [guard.allows(place, "new.0"), guard.allows(place, "0.0"), guard.allows(Place("slack", "T1", "C2"), "new.0")]
    now[0] = TURNS_S + 1

    assert [True] * TURNS == first
    assert [False, True, True] == late
    assert guard.allows(place, "new.0")


async def test_threads_are_known_once_joined() -> None:
    """Each for itself."""
    threads = RecentThreads()
    await threads.join(Place("slack", "T1", "C1", "1.1"))

    assert await threads.joined(Place("slack", "T1", "C1", "1.1"))
    assert not await threads.joined(Place("slack", "T1", "C1", "2.2"))
