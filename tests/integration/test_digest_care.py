"""What digests do when something is odd: too much at once, a channel that is closed, a message that is not taken."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.digest import floods
from bot.digest.baseline import release_held, take_baseline
from bot.digest.datasets import GroupKey, Listed
from bot.digest.differences import KnownDataset, Sight
from bot.digest.floods import flood
from bot.digest.interests import Interest
from bot.digest.news import KnownGroup
from bot.digest.posting import plain_text
from bot.digest.saying import listed_line
from bot.errors import InvalidRequestError, RefusedError, UnavailableError
from bot.messages import Place
from bot.replies import Reply
from bot.store.client import Store
from bot.store.digest_subscriptions import Standing
from tests.digests import BXD, HXB, MONDAY, PLACE, DigestStage
from tests.fakes import MemoryChat

WEEK_S = 7 * 86_400
DATES = [MONDAY + timedelta(weeks=number) for number in range(10)]


@pytest.fixture
async def stage(store: Store) -> DigestStage:
    """A stage after the first look."""
    made = DigestStage(store)
    made.catalogue.add("Old1")
    await made.look()
    made.clock.now += 7200
    return made


def told(stage: DigestStage) -> list[str]:
    """Return what the administrator was told."""
    return [post.now.text for post in stage.chat.posts.values() if post.place.channel == "direct-boss"]


class Picky(MemoryChat):
    """A chat that does not take some messages."""

    def __init__(self, *, sections: bool, texts: bool = True, half: bool = False) -> None:
        super().__init__()
        self._sections = sections
        self._texts = texts
        self._half = half

    def _check(self, reply: Reply) -> None:
        if not self._texts or (reply.sections and not self._sections):
            raise InvalidRequestError("The chat does not take this.")

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        """Refuse before, or with `half` after the message became visible."""
        if not self._half:
            self._check(reply)
        post_id = await super().post(place, reply, key=key, answers=answers)
        self._check(reply)
        return post_id

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        """Refuse before."""
        self._check(reply)
        await super().edit(place, post_id, reply)


# A channel that is closed


async def test_administrators_are_told_once_of_a_channel_that_is_closed(stage: DigestStage) -> None:
    """In a direct message; one who is not there stands in nobody's way."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    stage.chat.failures.append(RefusedError("The bot is not in that channel."))
    for due in DATES[:3]:
        await stage.announce(subscription, due)
    await stage.digests.administrators.tell(stage.mandate)

    assert 1 == len(told(stage))
    assert "memory/w1/c1" in told(stage)[0]
    assert "The bot is not in that channel." in told(stage)[0]
    assert [] == await stage.digests.administrators._notices.waiting(stage.clock())


async def test_an_administrator_who_cannot_be_reached_now_is_told_later_and_once(stage: DigestStage) -> None:
    """Also when the process dies after the message and before it is noted."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    away = UnavailableError("Away.")
    stage.chat.failures += [RefusedError("Archived."), away, away]
    await stage.announce(subscription, DATES[0])
    before = told(stage)
    stage.chat.lost.append(away)
    for _ in range(3):
        stage.digests = stage.make()
        await stage.digests.administrators.tell(stage.mandate)

    assert ([], 1) == (before, len(told(stage)))


async def test_administrators_of_another_chat_are_not_told_of_its_channels(stage: DigestStage) -> None:
    """They cannot mend it."""
    stage.administrators = (replace(stage.administrators[0], chat="elsewhere"),)
    stage.digests = stage.make()
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    stage.chat.failures.append(RefusedError("Archived."))
    await stage.announce(subscription)

    assert [] == told(stage)


# Too much at once


def listed(count: int, *, key: GroupKey = BXD, begin: int = 0) -> list[Listed]:
    """Return datasets as a menu lists them."""
    return [Listed(*key, "mRNA", str(one), f"D{one}", "") for one in range(begin, begin + count)]


def known(count: int, *, key: GroupKey = BXD) -> dict[GroupKey, KnownGroup]:
    """Return a group as it is known."""
    entries = (KnownDataset("mRNA", str(one), f"D{one}", "", Sight.PUBLIC) for one in range(count))
    return {key: KnownGroup(*key, tuple(entries))}


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        (1000, 1200, 0),
        (1000, 1201, 201),  # more than people enter
        (400, 500, 0),
        (400, 510, 110),  # a quarter more
        (600, 710, 0),
        (10, 60, 0),  # a young installation of few datasets
    ],
)
def test_what_is_too_much_at_once_is_held(before: int, after: int, held: int) -> None:
    """By number, or by share of what was known."""
    assert held == len(flood({BXD: listed(after)}, known(before)))


def test_a_species_that_was_never_listed_is_held_when_it_brings_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first list lacked it; news of other species are told."""
    monkeypatch.setattr(floods, "OF_A_SPECIES", 3)
    many = flood({HXB: listed(4, key=HXB), BXD: listed(12)}, known(10))
    few = flood({HXB: listed(3, key=HXB)}, known(10))

    assert ({"rat"}, 4, frozenset()) == ({one.species for one in many}, len(many), few)


async def test_held_datasets_are_not_told_until_an_administrator_releases_them(stage: DigestStage) -> None:
    """Nor asked for; the administrator hears of them once, and what comes later is told."""
    subscription = await stage.subscribe()
    for number in range(floods.MANY + 1):
        stage.catalogue.add(f"Flood{number}")
    stage.catalogue.asked.clear()
    silent = await stage.announce(subscription, DATES[0])
    asked = [one for one in stage.catalogue.asked if one != "100"]
    await stage.digests.administrators.tell(stage.mandate)
    stage.catalogue.add("Later")
    stage.clock.now += WEEK_S
    later = await stage.announce(subscription, DATES[1])
    await stage.digests.administrators.tell(stage.mandate)
    released = await release_held(stage.digests.looker)
    stage.clock.now += WEEK_S
    freed = await stage.announce(subscription, DATES[2])

    assert (0, [], 1, 201, 201) == (silent, asked, later, released, freed)
    assert ["GeneNetwork lists 201 datasets that were not there before"] == [
        text.partition(",")[0] for text in told(stage)
    ]
    assert 201 == len(set(stage.said()))  # the first one and the 200 that one digest names


async def test_a_baseline_takes_held_datasets_as_known(stage: DigestStage) -> None:
    """They are never told."""
    subscription = await stage.subscribe()
    for number in range(floods.MANY + 1):
        stage.catalogue.add(f"Flood{number}")
    await stage.look()
    before = await stage.digests.known.looks()
    await take_baseline(stage.digests.looker, stage.digests.subscriptions)
    after = await stage.digests.known.looks()
    stage.catalogue.add("Later")
    stage.clock.now += WEEK_S
    await stage.announce(subscription)

    assert before is not None
    assert after is not None
    assert (201, 0, 0, ["Later"]) == (before.held, after.held, await release_held(stage.digests.looker), stage.said())


async def test_a_preview_of_a_flood_says_that_it_would_be_held(stage: DigestStage) -> None:
    """And asks for none of it."""
    for number in range(floods.MANY + 1):
        stage.catalogue.add(f"Flood{number}")
    stage.catalogue.asked.clear()
    peek = await stage.digests.looker.peek()

    assert ((), 201, []) == (peek.new, peek.held, stage.catalogue.asked)


# Once and for all


async def test_a_dataset_that_was_told_is_not_told_again_after_it_was_hidden(stage: DigestStage) -> None:
    """Whereas a channel that has not heard of it does, under the name that it has then."""
    first = await stage.subscribe()
    row = stage.catalogue.add("New1")
    await stage.announce(first, DATES[0])
    late = await stage.subscribe(Interest(groups=("BXD",)), place=replace(PLACE, channel="c2"))
    news = await stage.digests.known.news_after(0)
    await stage.digests.looker.hide(news[0], stage.mandate.attempt)
    row.listed = replace(row.listed, name="Renamed", full_name="Renamed")
    stage.clock.now += WEEK_S
    again = [await stage.announce(one, DATES[1]) for one in (first, late)]

    assert [0, 1] == again


async def test_a_dataset_that_gets_its_number_later_is_not_told_again(stage: DigestStage) -> None:
    """Hidden and shown in between."""
    subscription = await stage.subscribe()
    row = stage.catalogue.add("New1", dataset_id="None")
    await stage.announce(subscription, DATES[0])
    news = await stage.digests.known.news_after(0)
    await stage.digests.looker.hide(news[0], stage.mandate.attempt)
    row.listed = replace(row.listed, dataset_id="777")
    stage.clock.now += WEEK_S
    await stage.announce(subscription, DATES[1])

    assert 1 == len(stage.said())
    assert 2 == len(await stage.digests.known.news_after(0))


async def test_what_an_ended_subscription_has_told_is_forgotten(stage: DigestStage) -> None:
    """Nothing of it stays."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    await stage.announce(subscription)
    before = await stage.digests.subscriptions.told(subscription)
    await stage.digests.roster.end(subscription)

    assert (1, frozenset()) == (len(before), await stage.digests.subscriptions.told(subscription))


# A message that is not taken


async def test_a_digest_that_is_not_taken_comes_as_plain_text(stage: DigestStage) -> None:
    """With all names and addresses, also those of its thread, and counts as told."""
    stage.chat = Picky(sections=False)
    stage.digests = stage.make()
    subscription = await stage.subscribe()
    for number in range(15):
        stage.catalogue.add(f"New{number:02}")
    counts = [await stage.announce(subscription, due) for due in DATES[:2]]
    texts = "\n".join(post.now.text for post in stage.chat.posts.values())

    assert ([15, 0], 2) == (counts, len(stage.chat.posts))
    assert 15 == texts.count("https://genenetwork.org/datasets/New")


async def test_a_digest_that_became_visible_before_it_was_refused_is_mended_and_not_posted_again(
    stage: DigestStage,
) -> None:
    """Its message shows the plain form."""
    stage.chat = Picky(sections=False, half=True)
    stage.digests = stage.make()
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    await stage.announce(subscription)
    (post,) = stage.chat.posts.values()

    assert ((), True) == (post.now.sections, "datasets/New1" in post.now.text)


async def test_a_digest_that_is_not_taken_at_all_is_left_out_once(
    stage: DigestStage, caplog: pytest.LogCaptureFixture
) -> None:
    """The log and the list say so, and the next one comes."""
    stage.chat = Picky(sections=False, texts=False)
    stage.digests = stage.make()
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    with caplog.at_level(logging.ERROR):
        nothing = await stage.announce(subscription, DATES[0])
    left = await stage.digests.subscriptions.find(subscription.subscription_id)
    stage.chat = MemoryChat()
    stage.catalogue.add("New2")
    stage.clock.now += WEEK_S
    await stage.announce(subscription, DATES[1])
    later = await stage.digests.subscriptions.find(subscription.subscription_id)

    assert left is not None
    assert later is not None
    assert (0, ["New2"], None, "") == (nothing, stage.said(), left.outgoing, later.progress.skipped)
    assert "The digest of 2026-01-05 with 1 dataset could not be shown: The chat does not take this." in listed_line(
        1, left, None
    )
    assert "is left out once" in caplog.text


async def test_a_crash_before_the_plain_form_goes_on_with_it(stage: DigestStage) -> None:
    """The chat is not bothered with the other one again."""
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    stage.chat.failures += [InvalidRequestError("Not taken."), UnavailableError("Away.")]
    with pytest.raises(UnavailableError):
        await stage.announce(subscription, DATES[0])
    standing: Standing | None = await stage.digests.subscriptions.find(subscription.subscription_id)
    stage.digests = stage.make()
    await stage.announce(subscription, DATES[0])
    (post,) = stage.chat.posts.values()

    assert standing is not None
    assert standing.outgoing is not None
    assert (True, plain_text(standing.outgoing.parts[0])) == (standing.outgoing.plain, post.now.text)


# Nobody is subscribed


async def test_somebody_who_subscribes_while_it_is_noted_that_nobody_is_hears_of_everything(stage: DigestStage) -> None:
    """The look that was taken for them counts."""
    await stage.digests.looker.rest(stage.mandate.attempt, fresh_s=3 * 3600)
    subscription = await stage.subscribe()
    stage.catalogue.add("New1")
    await stage.announce(subscription)

    assert ["New1"] == stage.said()


async def test_what_is_added_while_nobody_is_subscribed_is_no_news(stage: DigestStage) -> None:
    """The first look after that is a first one again."""
    await stage.digests.looker.rest(stage.mandate.attempt)
    stage.catalogue.add("Meanwhile")
    subscription = await stage.subscribe()
    found = await stage.look()
    stage.catalogue.add("New1")
    stage.clock.now += WEEK_S
    await stage.announce(subscription)

    assert ((), ["New1"]) == (found, stage.said())
