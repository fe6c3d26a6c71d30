"""The soak's checker on made-up records: that it finds each kind of defect and nothing in records without any."""

from __future__ import annotations

import dataclasses

import pytest

from bot.replies import Stage
from bot.texts import busy_sentence, given_up, nothing_to_stop, stopped
from tests.chat_records import Body, ChatEvent, EventKind, EventRecord, Post, Snapshot, Version
from tests.soak.checker import Ending, Fault, check, questions_of

BUSY = busy_sentence(200)


def event(number: int, kind: EventKind = EventKind.MESSAGE, *, at: float, version: int = 0) -> EventRecord:
    """An event of the only conversation, delivered at once and acknowledged 0.1 s later."""
    text = f"What is the BXD family? q{number}v{version}" if kind in (EventKind.MESSAGE, EventKind.EDIT) else ""
    happened = ChatEvent(kind, "C1", f"m{number}", "ada", text, "t1", float(number), str(version))
    return EventRecord(f"e{number}{kind}{version}", happened, at, [at], [at + 0.1])


def final(text: str, *, at: float, reference: str = "", answered: bool = True) -> Version:
    """A final state of a message."""
    return Version(at, Body(Stage.FINAL, text, answered=answered, reference=reference))


def post(number: int, *versions: Version, name: str = "", removed_at: float | None = None) -> Post:
    """A message that answers a question and begins with a placeholder."""
    waiting = Version(versions[0].at - 0.5 if versions else 0.5, Body(Stage.WAITING, "Reading …"))
    return Post(name or f"p{number}", "C1", "t1", f"k{number}", f"m{number}", [waiting, *versions], removed_at)


def answer(number: int, *, at: float, version: int = 0) -> Version:
    """A final answer that carries its question's tag."""
    return final(f"A family of strains. [1] q{number}v{version}", at=at)


def faults(events: list[EventRecord], posts: list[Post]) -> list[tuple[Fault, str]]:
    """What the checker finds."""
    return [(found.fault, found.message_id) for found in check(Snapshot(events, posts))]


def test_a_run_without_defects_has_no_violations() -> None:
    """Answers in order, an edit, a deletion, a stop and a refusal are all as they should be."""
    events = [event(number, at=float(number)) for number in range(6)]
    events += [event(2, EventKind.EDIT, at=2.2, version=1), event(3, EventKind.DELETE, at=3.2)]
    events += [event(4, EventKind.STOP, at=4.2)]
    references = {question.message_id: question.reference for question in questions_of(Snapshot(events, []))[0]}
    posts = [
        post(0, answer(0, at=0.9)),
        post(1, answer(1, at=1.9), answer(1, at=1.95)),  # shown again by the next worker
        post(2, answer(2, at=2.25), answer(2, at=2.9, version=1)),
        post(3, removed_at=3.5),
        post(4, final(stopped(), at=4.9, answered=False)),
        post(5, final(BUSY, at=5.05, reference=references["m5"], answered=False)),
    ]

    assert [] == faults(events, posts)
    endings = [question.ending for question in questions_of(Snapshot(events, posts))[0]]
    assert [Ending.ANSWER] * 3 + [Ending.NOTHING, Ending.STOPPED, Ending.REFUSED] == endings
    assert all(question.ended for question in questions_of(Snapshot(events, posts))[0])


def test_a_question_without_a_message_is_found() -> None:
    """Silence is a defect."""
    assert [(Fault.MISSING, "m0")] == faults([event(0, at=0)], [])


def test_a_question_that_was_never_accepted_is_found() -> None:
    """Nor may an event stay unacknowledged."""
    unaccepted = dataclasses.replace(event(0, at=0), acknowledged=[])

    assert [(Fault.UNACCEPTED, "m0")] == faults([unaccepted], [post(0, answer(0, at=1))])


def test_what_the_chat_gave_up_counts_by_its_answer() -> None:
    """Found in the history it was accepted; else it is missing, and the soak waits for it."""
    given_up = dataclasses.replace(event(0, at=0), acknowledged=[], given_up=True)
    answered = [post(0, answer(0, at=1))]

    assert [] == faults([given_up], answered)
    assert [(Fault.UNACCEPTED, "m0"), (Fault.MISSING, "m0")] == faults([given_up], [])
    assert [True, False] == [questions_of(Snapshot([given_up], posts))[0][0].ended for posts in (answered, [])]


def test_a_message_that_is_not_final_is_found() -> None:
    """A placeholder for ever is no answer."""
    assert [(Fault.UNFINISHED, "m0")] == faults([event(0, at=0)], [post(0)])


def test_a_second_message_is_found_even_if_it_was_removed() -> None:
    """People saw it."""
    posts = [post(0, answer(0, at=1)), post(0, answer(0, at=1.1), name="again", removed_at=2)]

    assert [(Fault.DOUBLED, "m0")] == faults([event(0, at=0)], posts)


def test_two_final_answers_are_found() -> None:
    """The answer changes though nobody edited the question."""
    other = final("Another text. q0v0", at=2)

    assert (Fault.CHANGED, "m0") in faults([event(0, at=0)], [post(0, answer(0, at=1), other)])


def test_a_final_answer_that_is_taken_back_is_found() -> None:
    """A draft after the final answer, even if the same one follows."""
    draft = Version(1.5, Body(Stage.DRAFT, "A fam"))

    assert [(Fault.CHANGED, "m0")] == faults([event(0, at=0)], [post(0, answer(0, at=1), draft, answer(0, at=2))])


@pytest.mark.parametrize(
    "shown",
    [
        answer(1, at=1),
        final("An answer without a tag.", at=1),
        final("Sorry.", at=1, reference="another", answered=False),
        final("Both. q0v0 q1v0", at=1),
        final(stopped(), at=1, answered=False),
        final(nothing_to_stop(), at=1, answered=False),
    ],
)
def test_the_answer_of_another_question_is_found(shown: Version) -> None:
    """The final text must carry the question's own tag, or its reference."""
    assert [(Fault.FOREIGN, "m0")] == faults([event(0, at=0)], [post(0, shown)])


def test_the_answer_of_an_older_version_is_found() -> None:
    """An edit that was accepted before the final answer must be answered."""
    events = [event(0, at=0), event(0, EventKind.EDIT, at=0.2, version=1)]

    assert [(Fault.OUTDATED, "m0")] == faults(events, [post(0, answer(0, at=1))])
    assert [] == faults(events, [post(0, answer(0, at=0.25))])


def test_a_message_of_a_deleted_question_is_found() -> None:
    """A question that was deleted before its answer leaves nothing behind; one deleted later may keep its answer."""
    events = [event(0, at=0), event(0, EventKind.DELETE, at=0.2)]

    assert [(Fault.DELETED, "m0")] == faults(events, [post(0, answer(0, at=1))])
    assert [] == faults(events, [post(0, answer(0, at=0.25))])
    assert [] == faults(events, [])


def test_broken_order_is_found() -> None:
    """Of two questions of one conversation the later one was answered first."""
    events = [event(0, at=0), event(1, at=0.5)]

    assert [(Fault.DISORDER, "m1")] == faults(events, [post(0, answer(0, at=2)), post(1, answer(1, at=1))])


def test_questions_that_arrived_together_have_no_order() -> None:
    """The second arrived before the first was accepted: either may be answered first."""
    events = [event(0, at=0), event(1, at=0.05)]

    assert [] == faults(events, [post(0, answer(0, at=2)), post(1, answer(1, at=1))])


def test_a_message_nobody_asked_for_is_found() -> None:
    """Every message of the bot answers one of the questions."""
    assert (Fault.STRAY, "m7") in faults([event(0, at=0)], [post(0, answer(0, at=1)), post(7, answer(7, at=1))])


def test_an_apology_is_an_ending_of_its_own() -> None:
    """It is a final message, and it is counted."""
    asked = event(0, at=0)
    reference = questions_of(Snapshot([asked], []))[0][0].reference
    posts = [post(0, final(given_up(reference), at=1, reference=reference, answered=False))]

    assert [] == faults([asked], posts)
    assert Ending.APOLOGY is questions_of(Snapshot([asked], posts))[0][0].ending
