"""What people do in a soak."""

from __future__ import annotations

from bot.messages import Audience
from tests.chat_records import EventKind
from tests.soak.checker import STOP_WORD, TAG
from tests.soak.plan import Sizes, make_plan

SIZES = Sizes(questions=500, conversations=50, users=40, duration_s=100.0)


def test_the_same_seed_makes_the_same_plan() -> None:
    """A course that broke a promise can be played again."""
    assert make_plan(SIZES, 1) == make_plan(SIZES, 1) != make_plan(SIZES, 2)


def test_a_plan_has_the_sizes_asked_for() -> None:
    """As many questions, in as many conversations, from no more than so many people."""
    asked = [one.event for one in make_plan(SIZES, 1) if one.event.kind is EventKind.MESSAGE]

    assert 500 == len({event.message_id for event in asked}) == len(asked)
    assert 50 == len({event.conversation for event in asked})
    assert len({event.user for event in asked}) <= 40
    assert set(Audience) - {Audience.SHARED} == {event.audience for event in asked}


def test_questions_are_written_in_order_and_changed_afterwards() -> None:
    """Later messages of a conversation stand later in it, and nobody edits what was not written."""
    plan = make_plan(SIZES, 1)
    asked = {one.event.message_id: one for one in plan if one.event.kind is EventKind.MESSAGE}
    changes = [one for one in plan if one.event.kind is not EventKind.MESSAGE]

    assert sorted(asked.values(), key=lambda one: one.at_s) == sorted(asked.values(), key=lambda one: one.event.order)
    assert {EventKind.EDIT, EventKind.DELETE, EventKind.STOP} == {one.event.kind for one in changes}
    assert all(asked[one.event.message_id].at_s < one.at_s for one in changes)
    assert all(asked[one.event.message_id].event.user == one.event.user for one in changes)


def test_every_version_of_a_question_has_a_tag_of_its_own() -> None:
    """By it the checker tells whose answer it sees."""
    texts = [one.event.text for one in make_plan(SIZES, 1) if one.event.text not in ("", STOP_WORD)]
    tags = [tag for text in texts for tag in TAG.findall(text)]

    assert len(texts) == len(tags) == len(set(tags))
