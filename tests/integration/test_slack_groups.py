"""Slack's user groups decide what people may do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.slack.adapter import SlackAdapter
from adapters.slack.client import SlackClient
from adapters.slack.groups import LIFETIME_S, Groups
from adapters.slack.sending_calls import Calls
from bot.errors import UnavailableError
from bot.messages import Sender
from bot.store.client import Store
from tests.fakes import HeldAnswerer
from tests.slack_adapter import bot_lines, make_adapter, serving
from tests.slack_sending import Fast
from tests.slack_server import BOT_TOKEN, Clock, Fault, LocalSlack

ADA = Sender("slack", "T1", "U1")
BEN = Sender("slack", "T1", "U2")
METHOD = "usergroups.users.list"


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack with the group S1, which ada is in."""
    async with LocalSlack(clock=Clock(speed=60.0)) as local:
        local.world.add_user_group("S1", "stewards", ["U1"])
        yield local


@pytest.fixture
async def adapter(slack: LocalSlack) -> AsyncIterator[SlackAdapter]:
    """An adapter that is not connected: groups are asked for all the same."""
    async with make_adapter(slack) as adapter:
        yield adapter


async def test_members_of_a_group_belong_to_it(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Slack is asked once for all of them."""
    assert [True, False, True] == [await adapter.belongs(who, "S1") for who in (ADA, BEN, ADA)]
    assert 1 == len(slack.calls(METHOD))


async def test_what_is_no_group_costs_no_call(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Neither ids of people and channels, nor people of other chats and organisations."""
    stranger = Sender("slack", "T9", "U1", external=True)
    asked = [(ADA, "U1"), (ADA, "C1"), (ADA, ""), (ADA, "S1 S2"), (Sender("matrix", "h", "U1"), "S1"), (stranger, "S1")]

    assert [False] * 6 == [await adapter.belongs(who, group) for who, group in asked]
    assert [] == slack.calls(METHOD)


async def test_a_group_is_asked_for_anew_after_some_minutes(slack: LocalSlack) -> None:
    """Who was taken out of it is not in it any more."""
    now = 0.0
    async with SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url) as client:
        groups = Groups(Calls(client, Fast(slack.clock).limits()), clock=lambda: now)
        before = await groups.has("S1", "U1")
        slack.world.add_user_group("S1", "stewards", ["U2"])
        kept = await groups.has("S1", "U1")
        now = LIFETIME_S + 1
        after = await groups.has("S1", "U1")

    assert (True, True, False) == (before, kept, after)


@pytest.mark.parametrize("code", ["no_such_subteam", "plan_upgrade_required", "missing_scope"])
async def test_where_there_is_no_such_group_nobody_is_in_it(
    slack: LocalSlack, adapter: SlackAdapter, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why, and nothing else suffers."""
    slack.faults.add(METHOD, Fault(error=code))

    assert not await adapter.belongs(ADA, "S1")
    assert "nobody counts as member of the user group S1" in caplog.text


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(drop="before"), Fault(error="internal_error")])
async def test_while_slack_is_away_nobody_can_say(slack: LocalSlack, adapter: SlackAdapter, fault: Fault) -> None:
    """It is an error that passes."""
    slack.faults.add(METHOD, fault)
    with pytest.raises(UnavailableError):
        await adapter.belongs(ADA, "S1")

    assert await adapter.belongs(ADA, "S1")


async def test_the_status_is_for_a_group(slack: LocalSlack, store: Store) -> None:
    """Over the whole service: members see it, others are told who decides."""
    async with serving(slack, store, answerer=HeldAnswerer(), settings={"status_readers": ("slack/T1/S1",)}) as one:
        await slack.connected(2)
        seen = slack.mention("C1", "U1", "status")
        not_seen = slack.mention("C1", "U2", "status")
        await one.settled()

        assert "LOCUS_STATUS_READERS" not in bot_lines(slack, "C1", seen.ts)[0].text
        assert "LOCUS_STATUS_READERS" in bot_lines(slack, "C1", not_seen.ts)[0].text
