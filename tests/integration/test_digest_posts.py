"""Digests that are posted, on a real Redis and a chat in memory: exactly once, whatever dies in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.digest.announcing import STALE_S
from bot.digest.interests import Interest
from bot.errors import NotFoundError, RefusedError, UnavailableError
from bot.messages import Place
from bot.store.client import Store
from bot.store.digest_subscriptions import MAX_IN_CHANNEL, MAX_SUBSCRIPTIONS
from bot.store.leader import LostLeadershipError
from bot.store.schedules import Schedules
from tests.digests import HXB, MONDAY, PLACE, DigestStage

DATES = [MONDAY + timedelta(weeks=number) for number in range(10)]


@pytest.fixture
async def stage(store: Store) -> DigestStage:
    """A stage after the first look."""
    made = DigestStage(store)
    made.catalogue.add("Old1")
    await made.look()
    made.clock.now += 7200
    return made


async def test_a_new_dataset_is_posted_once(stage: DigestStage) -> None:
    """With a headline, its facts and its link; nothing is said when nothing is new."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1", tissue="Hippocampus mRNA", samples=67)
    told = [await stage.announce(subscription, due) for due in DATES[:3]]
    (post,) = stage.chat.posts.values()

    assert [1, 0, 0] == told
    assert "1 new dataset of BXD in GeneNetwork (1 mRNA)." == post.now.text
    assert "67 samples" in post.now.sections[0].entries[0].text
    assert (PLACE, True) == (post.place, post.now.final)


async def test_the_same_date_is_done_once(stage: DigestStage) -> None:
    """Whoever is called again for it finds everything told."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    await stage.announce(subscription, DATES[0])
    await stage.announce(subscription, DATES[0])

    assert ["New1"] == stage.said()


async def test_each_channel_hears_of_what_it_cares_about(stage: DigestStage) -> None:
    """By group, kind, tissue and species."""
    other = replace(PLACE, channel="c2")
    bxd = await stage.subscribe(Interest(groups=("bxd",)))
    rats = await stage.subscribe(Interest(species=("rat",)), place=other)
    liver = await stage.subscribe(Interest(tissues=("liver",)), place=replace(PLACE, channel="c3"))
    stage.catalogue.add("New1")
    stage.catalogue.add("New2", key=HXB)
    stage.catalogue.add("New3", key=HXB, kind="phenotype", type_name="Phenotypes")
    stage.catalogue.add("New4", tissue="Liver mRNA")

    assert [2, 2, 1] == [await stage.announce(one) for one in (bxd, rats, liver)]


async def test_two_digests_of_a_channel_tell_a_dataset_once(stage: DigestStage) -> None:
    """The one whose date comes first tells it, also where both are due at once; another channel has its own."""
    all_of_it = await stage.subscribe()
    bxd = await stage.subscribe(Interest(groups=("BXD",)))
    elsewhere = await stage.subscribe(place=replace(PLACE, channel="c2"))
    stage.catalogue.add("New1")
    stage.catalogue.add("New2", key=HXB)
    told = await asyncio.gather(stage.announce(bxd), stage.announce(all_of_it))

    assert 2 == sum(told)
    assert 2 == await stage.announce(elsewhere)
    assert {"New1": 2, "New2": 2} == Counter(stage.said())


async def test_what_another_digest_is_about_to_post_is_left_to_it(stage: DigestStage) -> None:
    """A process died between storing and posting: the other digest of the channel does not tell the same."""
    first, second = await stage.subscribe(), await stage.subscribe(Interest(groups=("BXD",)))
    stage.catalogue.add("New1")
    stage.chat.failures.append(UnavailableError("Away."))
    with pytest.raises(UnavailableError):
        await stage.announce(first, DATES[0])

    assert 0 == await stage.announce(second, DATES[0])
    assert 1 == await stage.announce(first, DATES[0])
    assert ["New1"] == stage.said()


async def test_a_channel_remembers_what_a_digest_told_that_has_ended(stage: DigestStage) -> None:
    """Its other digests do not tell it again."""
    daily, weekly = await stage.subscribe(), await stage.subscribe(Interest(groups=("BXD",)))
    stage.catalogue.add("New1")
    await stage.announce(daily)
    await stage.digests.roster.end(daily)
    await stage.announce(weekly)

    assert ["New1"] == stage.said()


async def test_a_channel_that_subscribes_later_hears_of_what_comes_later(stage: DigestStage) -> None:
    """What was new before is not its concern."""
    stage.catalogue.add("New1")
    await stage.look()
    subscription = await stage.subscribe()
    stage.catalogue.add("New2")
    stage.clock.now += 7200
    await stage.announce(subscription)

    assert ["New2"] == stage.said()


async def test_nothing_new_is_one_line_where_the_channel_wants_it(stage: DigestStage) -> None:
    """Each date its own."""
    subscription = await stage.subscribe(Interest(groups=("BXD",)), quiet=False)
    for due in DATES[:2]:
        await stage.announce(subscription, due)
        await stage.announce(subscription, due)
    texts = [post.now.text for post in stage.chat.posts.values()]

    assert ["No new datasets in GeneNetwork for BXD since the last digest."] * 2 == texts[:2]


async def test_many_datasets_are_folded_into_the_thread_with_a_chart(stage: DigestStage) -> None:
    """The channel sees ten and a picture, its thread the others."""
    subscription = await stage.subscribe()
    for number in range(35):
        stage.catalogue.add(f"New{number:02}")
    await stage.announce(subscription)
    posts = list(stage.chat.posts.items())

    assert ["", posts[0][0], posts[0][0]] == [post.place.thread for _, post in posts]
    assert ["image/png"] == [one.media_type for one in posts[0][1].now.attachments]
    assert 35 == len(set(stage.said()))


async def test_a_reply_in_the_thread_is_a_question_about_the_datasets(stage: DigestStage) -> None:
    """The conversation of the thread knows them, and the bot takes part in it."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1", tissue="Hippocampus mRNA")
    await stage.announce(subscription)
    thread = replace(PLACE, thread=next(iter(stage.chat.posts)))
    turns = (await stage.conversations.load(thread, scopes=("public",))).turns

    assert ["user", "assistant"] == [turn.role for turn in turns]
    assert "1. Title of New1 (BXD): New1 · Hippocampus mRNA" in turns[1].content
    assert await stage.threads.joined(thread)
    assert not await stage.threads.joined(PLACE)


async def test_a_crash_after_the_post_is_resolved_by_looking_at_the_channel(stage: DigestStage) -> None:
    """The post is found, confirmed, and never made again."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    stage.chat.lost.append(UnavailableError("The answer was lost."))
    with pytest.raises(UnavailableError):
        await stage.announce(subscription, DATES[0])
    stage.digests = stage.make()
    await stage.announce(subscription, DATES[0])
    standing = await stage.digests.subscriptions.find(subscription.subscription_id)

    assert ["New1"] == stage.said()
    assert standing is not None
    assert (None, "p1", 1) == (standing.outgoing, standing.progress.post_id, standing.progress.told)


async def test_a_crash_before_the_post_is_made_up_for(stage: DigestStage) -> None:
    """With what was stored, under the same key."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    stage.chat.failures.append(UnavailableError("Away."))
    with pytest.raises(UnavailableError):
        await stage.announce(subscription, DATES[0])
    stored = await stage.digests.subscriptions.find(subscription.subscription_id)
    stage.digests = stage.make()
    await stage.announce(subscription, DATES[0])
    (post,) = stage.chat.posts.values()

    assert stored is not None
    assert stored.outgoing is not None
    assert stored.outgoing.key == post.key


async def test_a_crash_within_the_thread_leaves_no_part_out_and_none_twice(stage: DigestStage) -> None:
    """However often it happens."""
    subscription = await stage.subscribe()
    for number in range(70):
        stage.catalogue.add(f"New{number:02}")
    for _ in range(8):
        stage.chat.lost.append(UnavailableError("Lost."))
    for _ in range(12):
        stage.digests = stage.make()
        try:
            await stage.announce(subscription, DATES[0])
        except UnavailableError:
            continue

    assert 70 == len(stage.said()) == len(set(stage.said()))


async def test_what_a_crash_left_behind_is_posted_and_new_things_come_next_time(stage: DigestStage) -> None:
    """A digest that was posted before an outage does not stand in the way of the one after it."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    stage.chat.lost.append(UnavailableError("Lost."))
    with pytest.raises(UnavailableError):
        await stage.announce(subscription, DATES[0])
    stage.catalogue.add("New2")
    stage.clock.now += 21 * 86_400
    await stage.announce(subscription, DATES[3])

    assert ["New1", "New2"] == stage.said()


async def test_a_dataset_that_is_hidden_before_its_digest_is_not_told(stage: DigestStage) -> None:
    """It is news when it is public again."""
    subscription = await stage.subscribe()
    row = stage.catalogue.add("New1")
    await stage.look()
    row.public = False
    silent = await stage.announce(subscription, DATES[0])
    row.public = True
    stage.clock.now += 7200

    assert (0, 1) == (silent, await stage.announce(subscription, DATES[1]))


async def test_a_stored_digest_is_checked_again_when_it_waited_for_long(stage: DigestStage) -> None:
    """What was hidden meanwhile is left out of it."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    row = stage.catalogue.add("New2")
    stage.chat.failures.append(UnavailableError("Away."))
    with pytest.raises(UnavailableError):
        await stage.announce(subscription, DATES[0])
    row.public = False
    stage.clock.now += STALE_S + 1
    await stage.announce(subscription, DATES[0])

    assert ["New1"] == stage.said()


async def test_a_stored_digest_of_which_nothing_may_be_told_is_dropped(stage: DigestStage) -> None:
    """Silence, and the next one works."""
    subscription = await stage.subscribe()
    row = stage.catalogue.add("New1")
    stage.chat.failures.append(UnavailableError("Away."))
    with pytest.raises(UnavailableError):
        await stage.announce(subscription, DATES[0])
    row.public = False
    stage.clock.now += STALE_S + 1
    await stage.announce(subscription, DATES[0])
    stage.catalogue.add("New2")
    stage.clock.now += 7200
    await stage.announce(subscription, DATES[1])

    assert ["New2"] == stage.said()


async def test_a_dataset_that_cannot_be_checked_is_owed(stage: DigestStage) -> None:
    """The others are told, and it comes with the next digest."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    row = stage.catalogue.add("New2")
    await stage.look()
    stage.catalogue.mute.add(row.listed.dataset_id)
    await stage.announce(subscription, DATES[0])
    first = stage.said()
    stage.catalogue.mute.clear()
    await stage.announce(subscription, DATES[1])

    assert (["New1"], ["New1", "New2"]) == (first, stage.said())


async def test_a_genenetwork_that_is_away_delays_the_digest(stage: DigestStage) -> None:
    """It is not silence: the scheduler tries again."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    stage.catalogue.away = True
    with pytest.raises(UnavailableError):
        await stage.announce(subscription, DATES[0])
    stage.catalogue.away = False
    await stage.announce(subscription, DATES[0])

    assert ["New1"] == stage.said()


async def test_a_channel_that_removed_the_bot_pauses_its_digest(stage: DigestStage) -> None:
    """Nothing is lost: after `digest resume` everything new is told."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    stage.chat.failures.append(RefusedError("The bot is not in that channel."))
    await stage.announce(subscription, DATES[0])
    refused = await stage.digests.roster.refused()
    await stage.announce(subscription, DATES[1])
    silent = stage.said()
    await stage.digests.roster.resume(subscription)
    await stage.announce(subscription, DATES[2])

    assert [subscription.subscription_id] == [one.subscription.subscription_id for one in refused]
    assert "not in that channel" in refused[0].subscription.paused
    assert ([], ["New1"]) == (silent, stage.said())


async def test_a_digest_that_somebody_removed_ends_without_its_thread(stage: DigestStage) -> None:
    """And does not stand in the way of the next."""
    subscription = await stage.subscribe()
    for number in range(15):
        stage.catalogue.add(f"New{number:02}")
    stage.chat.lost.append(UnavailableError("Lost."))
    with pytest.raises(UnavailableError):
        await stage.announce(subscription, DATES[0])
    find = stage.chat.find

    async def gone(place: Place, key: str, *, answers: str) -> str | None:
        if place.thread:
            raise NotFoundError("The message is gone.")
        return await find(place, key, answers=answers)

    stage.chat.find = gone  # type: ignore[method-assign]
    await stage.announce(subscription, DATES[0])
    standing = await stage.digests.subscriptions.find(subscription.subscription_id)

    assert standing is not None
    assert standing.outgoing is None


async def test_a_process_that_lost_the_lead_does_not_post(stage: DigestStage) -> None:
    """It checks right before it would, and another one goes on with what it stored."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")

    def lost() -> None:
        raise LostLeadershipError("Another process goes on.")

    stage.mandate.check = lost  # type: ignore[method-assign]
    with pytest.raises(LostLeadershipError):
        await stage.announce(subscription, DATES[0])
    del stage.mandate.check
    silent = list(stage.chat.posts)
    await stage.announce(subscription, DATES[0])

    assert ([], ["New1"]) == (silent, stage.said())


async def test_an_ended_subscription_posts_nothing(stage: DigestStage) -> None:
    """Also when it ended while it was due, and its schedule goes with it."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    await stage.digests.roster.end(subscription)

    assert 0 == await stage.announce(subscription)
    assert [] == await stage.schedules()


async def test_a_half_made_subscription_is_mended(stage: DigestStage) -> None:
    """A process may die between the subscription and its schedule, or the other way round."""
    one, two = await stage.subscribe(), await stage.subscribe(Interest(groups=("BXD",)))
    schedules = Schedules(stage.store)
    await schedules.remove(one.schedule_id)
    await stage.digests.subscriptions.remove(two.subscription_id)
    await stage.digests.roster.mend()

    assert [one.schedule_id] == [schedule.schedule_id for schedule in await stage.schedules()]


async def test_there_are_bounds(stage: DigestStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a channel and for all."""
    for number in range(MAX_IN_CHANNEL):
        await stage.subscribe(Interest(groups=(f"G{number}",)))
    with pytest.raises(Exception, match=f"This channel has {MAX_IN_CHANNEL} digests"):
        await stage.subscribe(Interest(groups=("More",)))
    monkeypatch.setattr("bot.store.digest_subscriptions.MAX_SUBSCRIPTIONS", MAX_IN_CHANNEL)
    with pytest.raises(Exception, match="digests already: end some"):
        await stage.subscribe(place=replace(PLACE, channel="c2"))

    assert MAX_SUBSCRIPTIONS > MAX_IN_CHANNEL
