"""Digests in Slack, from the words that ask for one to the message in the channel: real parts all around."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.errors import UnavailableError
from bot.messages import Audience, Place
from bot.replies import Reply
from bot.settings import Settings
from bot.store.client import Store
from tests.digests import Mandated
from tests.gn_server import GeneNetworkServer
from tests.redis_servers import RedisServer
from tests.slack_digest import DEADLINE_S, DigestOffice, digest_office
from tests.slack_server import Clock, Fault, LocalSlack

C1 = "C1"


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second."""
    async with LocalSlack(clock=Clock(speed=60.0)) as local:
        yield local


@pytest.fixture
async def genenetwork() -> AsyncIterator[GeneNetworkServer]:
    """The local GeneNetwork."""
    async with GeneNetworkServer() as server:
        yield server


@pytest.fixture
def settings(genenetwork: GeneNetworkServer, redis_server: RedisServer, store: Store) -> Settings:
    """Settings that reach the local servers."""
    return Settings.model_validate(
        {
            "genenetwork_url": genenetwork.url,
            "genenetwork_gn3_url": genenetwork.gn3_url,
            "genenetwork_pause_s": 0.0,
            "redis_url": redis_server.url,
            "redis_prefix": store.prefix,
            "lease_s": 2.0,
            "rate_person": 0,
            "rate_channel": 0,
            "time_zone": "Europe/Berlin",
        }
    )


@pytest.fixture
async def one(
    slack: LocalSlack, genenetwork: GeneNetworkServer, settings: Settings, store: Store
) -> AsyncIterator[DigestOffice]:
    """A running service."""
    async with digest_office(slack, genenetwork, settings, store) as running:
        yield running


async def test_a_channel_subscribes_by_mention_and_by_slash_command(
    one: DigestOffice, caplog: pytest.LogCaptureFixture
) -> None:
    """Both mean the same channel, wherever in it they were typed, and what is listed can be paused and ended."""
    begun = await one.subscribe("digest subscribe weekly mon 9:00 group:BXD type:mrna")
    again = await one.slash("digest subscribe weekly mon 9:00 group:bxd type:mrna")
    other = await one.slash("digest subscribe daily 8:30 group:HXBBXH")
    listed = await one.mention("digest list")
    paused = await one.slash("digest pause 2")
    resumed = await one.mention("digest resume 2")
    ended = await one.slash("digest unsubscribe 2")
    with caplog.at_level("DEBUG", "adapters"):
        wrong = await one.slash("digest subscribe weekly group:BDX")
    told = await one.slash("help")
    left = await one.subscriptions()

    assert "From now on I post new datasets here: BXD, mRNA, every Monday at 9:00 (Europe/Berlin)" in begun
    assert "That digest is there already" in again
    assert "HXBBXH" in other
    assert ["BXD, mRNA", "HXBBXH"] == [
        line.partition(", ever")[0].lstrip("0123456789. ") for line in listed.split("\n")
    ]
    assert ["Paused:", "Resumed:", "Ended:"] == [text.split()[0] for text in (paused, resumed, ended)]
    assert "GeneNetwork has no group 'BDX'" in wrong
    assert "BDX" not in caplog.text
    assert "digest help: how this channel is told of new datasets" in told
    assert [Place("slack", one.slack.world.team.id, C1, "", Audience.PUBLIC)] == [each.place for each in left]


async def test_a_channel_without_the_bot_is_told_to_invite_it_first(one: DigestOffice, slack: LocalSlack) -> None:
    """A digest could not be posted there; once it was invited, the same words subscribe."""
    slack.world.channels[C1].members.discard("UBOT")
    refused = await one.slash("digest subscribe weekly mon 9:00 group:BXD type:mrna")
    before = await one.subscriptions()
    slack.world.channels[C1].members.add("UBOT")
    begun = await one.slash("digest subscribe weekly mon 9:00 group:BXD type:mrna")

    assert "I am not in this channel, so I could not post digests here: /invite me first, then subscribe." == refused
    assert [] == before
    assert "From now on I post new datasets here" in begun


def names(group: str, count: int) -> list[str]:
    """Return the names that `add_datasets` gives."""
    return [f"Fresh_{group}_{number:02}" for number in range(1, count + 1)]


async def test_a_digest_arrives_in_the_channel_once(one: DigestOffice, store: Store) -> None:
    """A headline with links to datasets in the channel, the others and a chart in its thread, nobody called."""
    await one.subscribe()
    one.add_datasets(14)
    one.add_datasets(8, "HXBBXH")
    assert one.service.digests is not None
    await one.service.digests.looker.look(Mandated(store).attempt)
    preview = await one.slash("digest preview")
    for _ in range(2):
        await one.publish()
    (post,) = one.posts()
    thread = one.thread(post)
    message = one.slack.world.message(C1, post.ts)
    assert message is not None
    named = [link.url.rpartition("/")[2] for line in (post, *thread) for link in line.links]

    assert "22 new datasets in GeneNetwork: 14 of BXD and 8 of HXBBXH" in preview
    assert post.text.startswith("22 new datasets in GeneNetwork: 14 of BXD and 8 of HXBBXH")
    assert "… and 12 more, in the thread." in post.text
    assert 10 == len(post.links)
    assert {"markdown"} == {block["type"] for block in message.blocks}
    assert names("BXD", 14) + names("HXBBXH", 8) == sorted(named)
    assert ["new-datasets.png"] == [name for line in thread for name in line.files]
    assert [True] == [bool(file.alt) for file in one.slack.world.files.values()]
    assert [] == one.slack.pings(by=one.slack.world.bot.id)
    assert [] == one.slack.unfurls


async def test_a_reply_below_a_digest_is_about_its_datasets(one: DigestOffice) -> None:
    """Without a mention; what is said in the channel itself stays unheard."""
    await one.subscribe()
    one.add_datasets(2)
    await one.publish()
    (post,) = one.posts()
    one.slack.say(C1, "U2", "Nice, new livers")
    asked = one.slack.say(C1, "U2", "Which tissue are they?", thread_ts=post.ts)
    answer = await one.answered(asked)
    (question,) = one.answerer.asked

    assert answer.text.startswith("About: Which tissue are they?")
    assert "Fresh_BXD_02" in question.history[-1].content


async def test_a_digest_whose_receipt_was_lost_is_completed(one: DigestOffice, store: Store) -> None:
    """Slack took it and the answer never came: it stands there once, with its chart and the rest."""
    await one.subscribe()
    one.add_datasets(14)
    assert one.service.digests is not None
    digests, mandate = one.service.digests, Mandated(store)
    (subscription,) = await one.subscriptions()
    await digests.looker.look(mandate.attempt)
    one.slack.faults.add("chat.postMessage", Fault(drop="after"))
    one.slack.faults.add("conversations.history", Fault(status=500))
    with pytest.raises(UnavailableError):
        await digests.announcer.announce(subscription.subscription_id, datetime.now(UTC), mandate)
    await one.publish()
    (post,) = one.posts()
    thread = one.thread(post)

    assert ["new-datasets.png"] == [name for line in thread for name in line.files]
    assert 4 == sum(len(line.links) for line in thread)


class Vanishing(SlackAdapter):
    """Posts what nobody asked for, and never says so, like a process that dies just then."""

    vanished: ClassVar[asyncio.Event]

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        ts = await super().post(place, reply, key=key, answers=answers)
        if not answers:
            self.vanished.set()
            await asyncio.Event().wait()
        return ts


async def test_a_process_that_dies_after_the_post_is_followed_by_one_that_finds_it(
    slack: LocalSlack, genenetwork: GeneNetworkServer, settings: Settings, store: Store
) -> None:
    """There is one message, and its thread is complete."""
    Vanishing.vanished = asyncio.Event()
    async with digest_office(slack, genenetwork, settings, store, adapter_class=Vanishing) as first:
        await first.subscribe()
        first.add_datasets(14)
        running = asyncio.create_task(first.publish())
        async with asyncio.timeout(DEADLINE_S):
            await Vanishing.vanished.wait()
        await first.kill()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    async with digest_office(slack, genenetwork, settings, store) as second:
        await second.publish()
        (post,) = second.posts()
        thread = second.thread(post)

    assert ["new-datasets.png"] == [name for line in thread for name in line.files]
    assert 4 == sum(len(line.links) for line in thread)


@pytest.mark.parametrize("how", ["archive", "kick"])
async def test_a_channel_that_takes_no_more_posts_pauses_its_digest(one: DigestOffice, how: str) -> None:
    """Archived, or without the bot; `resume` goes on where it was."""
    await one.subscribe()
    one.add_datasets(1)
    getattr(one.slack, how)(C1)
    await one.publish()
    (paused,) = await one.subscriptions()
    if how == "archive":
        one.slack.unarchive(C1)
    else:
        one.slack.invite(C1)
    resumed = await one.mention("digest resume")
    await one.publish()
    posts = one.posts()

    assert paused.refused
    assert "The bot may not post in this channel" in paused.paused
    assert resumed.startswith("Resumed:")
    assert ["1 new dataset of BXD"] == [post.text[:20] for post in posts]
