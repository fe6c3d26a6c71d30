"""Direct conversations that the bot begins in Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.errors import NotFoundError, UnavailableError
from bot.messages import Audience
from bot.replies import Reply, Stage
from tests.slack_adapter import make_adapter
from tests.slack_server import Clock, Fault, LocalSlack


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack."""
    async with LocalSlack(clock=Clock(speed=60.0)) as local:
        yield local


@pytest.fixture
async def adapter(slack: LocalSlack) -> AsyncIterator[SlackAdapter]:
    """An adapter that is not connected: posts need no connection."""
    async with make_adapter(slack) as adapter:
        yield adapter


async def test_a_person_is_written_to_in_their_direct_conversation(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """The same one each time."""
    place, again = await adapter.direct("U1"), await adapter.direct("U1")
    told = Reply(Stage.FINAL, "A digest is paused.", answered=False)
    await adapter.post(place, told, key="k1", answers="")

    assert (Audience.DIRECT, "slack", "T1", "") == (place.audience, place.chat, place.workspace, place.thread)
    assert place == again
    assert "A digest is paused." in slack.transcript(place.channel, "")[0].text


@pytest.mark.parametrize("user", ["U999", "", "@ada:example.org", "U1,U2"])
async def test_who_is_not_there_is_not_found(adapter: SlackAdapter, user: str) -> None:
    """Whatever the settings name."""
    with pytest.raises(NotFoundError):
        await adapter.direct(user)


async def test_slack_away_is_no_answer(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """It may be tried again."""
    slack.faults.add("conversations.open", Fault(error="internal_error"))
    with pytest.raises(UnavailableError):
        await adapter.direct("U1")
