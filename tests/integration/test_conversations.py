"""What is remembered of conversations, in a real Redis."""

from __future__ import annotations

import time

import pytest

from bot.messages import IncomingMessage, Turn
from bot.requests import Request
from bot.store.client import Store, number, texts
from bot.store.conversations import CHARS_PER_TOKEN, MAX_CHARS, MAX_TURNS, Conversations
from tests.fakes import message

MINUTE_MS = 60_000


@pytest.fixture
def conversations(store: Store) -> Conversations:
    """No conversation yet; about 100 tokens are loaded of one."""
    return Conversations(store, days=1, tokens=100)


async def say(store: Store, conversations: Conversations, asked: IncomingMessage, answer: str) -> None:
    """Add a question and its answer."""
    await store.transaction(
        *conversations.append(Request(asked.request_id, asked), asked.text, answer, scopes=("public",))
    )


def key_of(store: Store, asked: IncomingMessage) -> str:
    """The key of a message's conversation."""
    return store.key("conversation", asked.place.conversation_id)


async def test_a_thread_is_one_conversation_and_another_thread_another(
    store: Store, conversations: Conversations
) -> None:
    """Turns come oldest first, whoever asked, and only those of the place."""
    first = message("What is BXD?", number=1, thread="t1")
    second = message("And HXB?", number=2, thread="t1", user="u2")
    await say(store, conversations, first, "A family of mice.")
    await say(store, conversations, second, "A family of rats.")

    expected = (
        Turn("user", "What is BXD?"),
        Turn("assistant", "A family of mice."),
        Turn("user", "And HXB?"),
        Turn("assistant", "A family of rats."),
    )
    assert expected == (await conversations.load(second.place, scopes=("public",))).turns
    assert () == (await conversations.load(message("?", thread="t2").place, scopes=("public",))).turns


async def test_the_latest_whole_turns_within_the_budget_are_loaded(store: Store, conversations: Conversations) -> None:
    """What is loaded begins with a question and never exceeds the tokens."""
    for place in range(10):
        await say(store, conversations, message(f"Question {place}?".ljust(60), number=place), "Answer.".ljust(90))

    loaded = (await conversations.load(message("?").place, scopes=("public",))).turns
    assert ["user", "assistant"] * 2 == [turn.role for turn in loaded]
    assert "Question 8?" == loaded[0].content.strip()
    assert sum(len(turn.content) for turn in loaded) <= 100 * CHARS_PER_TOKEN


async def test_a_budget_of_nothing_loads_nothing(store: Store) -> None:
    """Where no tokens are allowed, a conversation has no memory."""
    forgetful = Conversations(store, days=1, tokens=0)
    await say(store, forgetful, message("What is BXD?"), "A family of mice.")

    assert () == (await forgetful.load(message("?").place, scopes=("public",))).turns


async def test_long_texts_are_cut_and_bad_characters_replaced(store: Store) -> None:
    """What is stored is bounded and can always be written."""
    roomy = Conversations(store, days=1, tokens=100_000)
    await say(store, roomy, message("x" * 50_000), "a lone surrogate: \ud800 and a zero: \x00")

    question, answer = (await roomy.load(message("?").place, scopes=("public",))).turns
    assert (MAX_CHARS, "x …") == (len(question.content), question.content[-3:])
    assert "a lone surrogate: ? and a zero: \x00" == answer.content


async def test_a_conversation_of_ten_thousand_messages_is_bounded_and_fast(store: Store) -> None:
    """The list keeps a fixed number of turns, and loading takes as long as for a short one."""
    roomy = Conversations(store, days=1, tokens=1_000_000)
    for hundred in range(50):
        commands = []
        for one in range(100):
            asked = message(f"Question {100 * hundred + one}?", number=100 * hundred + one)
            commands += roomy.append(
                Request(asked.request_id, asked), asked.text, "An answer. " * 50, scopes=("public",)
            )
        await store.transaction(*commands)
    key = key_of(store, message("?"))

    begin = time.perf_counter()
    loaded = (await roomy.load(message("?").place, scopes=("public",))).turns
    took_s = time.perf_counter() - begin

    assert MAX_TURNS == number(await store.call("LLEN", key)) == len(loaded)
    assert "Question 4999?" == loaded[-2].content
    assert took_s < 0.25


async def test_a_conversation_lives_as_long_as_set_after_its_last_message(
    store: Store, conversations: Conversations
) -> None:
    """Each message sets the lifetime anew, also that of the person's handles."""
    asked = message("What is BXD?")
    await say(store, conversations, asked, "Mice.")
    await store.call("PEXPIRE", key_of(store, asked), 1000)
    await say(store, conversations, asked, "Mice.")

    person = store.key("person", asked.sender.person_id, "conversation")
    for key in (key_of(store, asked), person):
        assert 24 * 60 * MINUTE_MS - MINUTE_MS < number(await store.call("PTTL", key)) <= 24 * 60 * MINUTE_MS


async def test_restarting_forgets_the_turns_of_that_place_only(store: Store, conversations: Conversations) -> None:
    """After `new` nothing of the conversation is loaded."""
    await say(store, conversations, message("What is BXD?"), "Mice.")
    await say(store, conversations, message("What is HXB?", channel="c2"), "Rats.")
    await store.transaction(*conversations.restart(message("?").place))

    assert () == (await conversations.load(message("?").place, scopes=("public",))).turns
    assert 2 == len((await conversations.load(message("?", channel="c2").place, scopes=("public",))).turns)


async def test_turns_that_cannot_be_read_are_left_out(store: Store, conversations: Conversations) -> None:
    """Damage to one turn costs that turn."""
    asked = message("What is BXD?")
    await say(store, conversations, asked, "Mice.")
    await store.call("RPUSH", key_of(store, asked), "{damaged", '{"v":99,"role":"user"}')

    assert 2 == len((await conversations.load(asked.place, scopes=("public",))).turns)


async def test_forgetting_takes_a_person_s_turns_and_leaves_the_others(
    store: Store, conversations: Conversations
) -> None:
    """Question and answer go together; the lifetime of what stays is not changed."""
    mine, other = message("Mine?", thread="t"), message("Other?", number=2, thread="t", user="u2")
    await say(store, conversations, mine, "To me.")
    await say(store, conversations, other, "To the other.")
    await store.call("PEXPIRE", key_of(store, mine), 30_000)

    assert await conversations.forget(mine.sender.person_id, mine.place.conversation_id)
    assert (Turn("user", "Other?"), Turn("assistant", "To the other.")) == (
        await conversations.load(mine.place, scopes=("public",))
    ).turns
    assert 0 < number(await store.call("PTTL", key_of(store, mine))) <= 30_000
    assert not await conversations.forget(mine.sender.person_id, mine.place.conversation_id)


async def test_nothing_is_left_of_a_conversation_whose_only_person_is_forgotten(
    store: Store, conversations: Conversations
) -> None:
    """No key stays, not even the person's handles."""
    asked = message("What is BXD?")
    await say(store, conversations, asked, "Mice.")
    await conversations.forget(asked.sender.person_id, asked.place.conversation_id)

    assert [] == texts(await store.call("KEYS", store.key("*")))


async def test_what_was_said_before_a_question_is_told_from_what_was_said_after_it(
    store: Store, conversations: Conversations
) -> None:
    """A question that is asked once more is answered as it was then; where it is forgotten, nothing was before it."""
    asked = [message(f"Question {number}?", number=number, thread="t1") for number in range(3)]
    for one in asked:
        await say(store, conversations, one, "Yes.")
    place = asked[0].place
    loaded = [
        await conversations.load(place, scopes=("public",), before=before)
        for before in (asked[1].request_id, asked[0].request_id, "forgotten")
    ]

    assert [(Turn("user", "Question 0?"), Turn("assistant", "Yes.")), (), ()] == [one.turns for one in loaded]


async def test_what_earlier_answers_rest_on_is_remembered(store: Store, conversations: Conversations) -> None:
    """Of an answer for which it is not known, all that was searched counts."""
    for count, rests_on in enumerate((("public",), None), 1):
        asked = message("What is BXD?", number=count, thread=f"t{count}")
        request, scopes = Request(asked.request_id, asked), ("public", "channel-c1")
        await store.transaction(*conversations.append(request, "BXD?", "Mice.", scopes=scopes, rests_on=rests_on))
    loaded = [
        await conversations.load(message("?", thread=thread).place, scopes=("public", "channel-c1"))
        for thread in ("t1", "t2")
    ]

    assert [{"public"}, {"public", "channel-c1"}] == [set(one.rests_on) for one in loaded]
