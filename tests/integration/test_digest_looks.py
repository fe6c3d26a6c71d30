"""Looks at GeneNetwork on a real Redis: what is new, what is unknown, and what nobody may hear of."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.digest import verdicts
from bot.digest.baseline import take_baseline
from bot.digest.datasets import GroupKey
from bot.digest.interests import Interest
from bot.digest.looking import Looker
from bot.errors import UnavailableError
from bot.store.client import Store, text
from bot.store.digest_known import MAX_NEWS
from tests.digests import BXD, HXB, DigestStage, MemoryCatalogue
from tests.redis_servers import RedisServer


@pytest.fixture
def stage(store: Store) -> DigestStage:
    """A stage with two datasets that are there from the beginning."""
    made = DigestStage(store)
    made.catalogue.add("Old1")
    made.catalogue.add("Old2", key=HXB)
    return made


async def test_the_first_look_announces_nothing(stage: DigestStage) -> None:
    """It is what later ones are compared with."""
    assert () == await stage.look()
    assert () == await stage.look()
    assert 0 == await stage.digests.known.last_number()


async def test_a_dataset_that_is_added_is_new_once(stage: DigestStage) -> None:
    """The next look knows it."""
    await stage.look()
    stage.catalogue.add("New1")

    assert ("New1",) == await stage.look()
    assert () == await stage.look()


async def test_a_back_dated_dataset_is_new_all_the_same(stage: DigestStage) -> None:
    """Curators date datasets years back."""
    await stage.look()
    stage.catalogue.add("New1", dated="2001-09-22")

    assert ("New1",) == await stage.look()


async def test_a_new_group_is_new_with_all_it_has(stage: DigestStage) -> None:
    """It was not there at the first look."""
    await stage.look()
    stage.catalogue.add("First", key=("barley", "SXM"))

    assert ("First",) == await stage.look()


async def test_unknown_is_unknown(stage: DigestStage) -> None:
    """A group that gives no answer loses nothing and gains nothing."""
    await stage.look()
    stage.catalogue.unknown.add(BXD)
    stage.catalogue.add("New1")
    silent = await stage.look()
    stage.catalogue.unknown.clear()

    assert () == silent
    assert ("New1",) == await stage.look()


async def test_a_group_that_was_unknown_at_first_is_no_news(stage: DigestStage) -> None:
    """Its datasets were there before; what comes later is new."""
    stage.catalogue.unknown.add(BXD)
    await stage.look()
    stage.catalogue.unknown.clear()
    first = await stage.look()
    stage.catalogue.add("New1")

    assert () == first
    assert ("New1",) == await stage.look()


class Folders:
    """The folders of a repository, in memory."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.away = False

    async def folders(self) -> frozenset[str]:
        """List them."""
        if self.away:
            raise UnavailableError("The repository cannot be reached.")
        return frozenset(self.names)


@pytest.mark.parametrize("away", [False, True])
async def test_a_new_folder_in_the_documents_tells_what_is_new_in_a_group_that_was_unknown(
    stage: DigestStage, *, away: bool
) -> None:
    """What had its folder at the first look was there; without the repository everything counts as there."""
    folders = Folders("Old1", "Dba2j_onh_1212")
    stage.digests.looker = Looker(stage.catalogue, stage.digests.known, folders, clock=stage.clock)
    stage.catalogue.unknown.add(BXD)
    await stage.look()
    stage.catalogue.unknown.clear()
    stage.catalogue.add("DBA2J-ONH-1212")
    stage.catalogue.add("New-1126")
    stage.catalogue.add("Undescribed")
    folders.names.add("New_1126")
    folders.away = away
    found = [*await stage.look(), *await stage.look()]

    assert ([] if away else ["New-1126"]) == found


async def test_an_empty_or_failed_answer_changes_nothing(stage: DigestStage) -> None:
    """Both are an error that passes, and everything is known afterwards."""
    await stage.look()
    rows, stage.catalogue.rows = stage.catalogue.rows, []
    with pytest.raises(UnavailableError, match="no dataset at all"):
        await stage.look()
    stage.catalogue.rows, stage.catalogue.away = rows, True
    with pytest.raises(UnavailableError, match="does not answer"):
        await stage.look()
    stage.catalogue.away = False

    assert () == await stage.look()


async def test_an_empty_first_answer_is_no_baseline(store: Store) -> None:
    """Otherwise everything would be new the next day."""
    stage = DigestStage(store)
    with pytest.raises(UnavailableError):
        await stage.look()

    assert None is await stage.digests.known.looks()


async def test_a_hidden_dataset_is_new_when_it_becomes_public(stage: DigestStage) -> None:
    """And not before."""
    await stage.look()
    row = stage.catalogue.add("Secret", public=False)
    hidden = [*await stage.look(), *await stage.look()]
    row.public = True

    assert [] == hidden
    assert ("Secret",) == await stage.look()
    assert () == await stage.look()


async def test_one_that_was_hidden_from_the_beginning_is_new_when_it_becomes_public(stage: DigestStage) -> None:
    """What was there at the first look is asked for little by little."""
    row = stage.catalogue.add("Secret", public=False)
    await stage.look()
    await stage.look()
    row.public = True

    assert ("Secret",) == await stage.look()


async def test_what_cannot_be_told_now_is_asked_again(stage: DigestStage) -> None:
    """It becomes news as soon as something is learnt about it."""
    await stage.look()
    row = stage.catalogue.add("New1")
    stage.catalogue.mute.add(row.listed.dataset_id)
    silent = await stage.look()
    stage.catalogue.mute.clear()

    assert () == silent
    assert ("New1",) == await stage.look()


async def test_a_rename_is_no_news(stage: DigestStage) -> None:
    """And the dataset is asked for under its new name."""
    await stage.look()
    row = stage.catalogue.add("New1")
    await stage.look()
    row.listed = type(row.listed)(*BXD, row.listed.type_name, row.listed.dataset_id, "Renamed", "Renamed title")
    renamed = await stage.look()
    news = await stage.digests.known.news_after(0)

    assert () == renamed
    assert await stage.digests.looker.verify((await stage.digests.looker.locate(news))[0]) is not None


async def test_two_processes_that_look_at_once_find_each_dataset_once(stage: DigestStage) -> None:
    """Whoever is later sees what the other has written."""
    await stage.look()
    for number in range(20):
        stage.catalogue.add(f"New{number}")
    other = stage.make()
    found = await asyncio.gather(stage.digests.looker.look(stage.store.attempt), other.looker.look(stage.store.attempt))
    news = await stage.digests.known.news_after(0)

    assert 20 == sum(len(report.new) for report in found if report is not None)
    assert list(range(1, 21)) == [one.number for one in news]


async def test_a_quiet_look_takes_everything_as_known(stage: DigestStage) -> None:
    """As `locus digest baseline` does."""
    await stage.look()
    stage.catalogue.add("New1")
    stage.catalogue.add("Secret", public=False)
    subscription = await stage.subscribe()
    await stage.look()
    await take_baseline(stage.digests.looker, stage.digests.subscriptions)

    assert 0 == await stage.announce(subscription)
    assert () == await stage.look()


async def test_a_look_stops_asking_a_genenetwork_that_is_going_down(stage: DigestStage) -> None:
    """What it has learnt until then is kept."""
    await stage.look()
    for number in range(40):
        row = stage.catalogue.add(f"New{number}")
        if number > 2:
            stage.catalogue.mute.add(row.listed.dataset_id)
    stage.catalogue.asked.clear()
    found = await stage.look()

    assert ("New0", "New1", "New2") == found
    assert 3 + verdicts.MAX_FAILURES == len(stage.catalogue.asked)


async def test_one_look_asks_for_a_bounded_number_of_datasets(
    stage: DigestStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one goes on."""
    monkeypatch.setattr(verdicts, "MAX_NEW_CHECKS", 5)
    await stage.look()
    for number in range(12):
        stage.catalogue.add(f"New{number}")

    assert [5, 5, 2, 0] == [len(await stage.look()) for _ in range(4)]


async def test_old_news_go_when_there_are_too_many(stage: DigestStage) -> None:
    """The newest are kept."""
    await stage.look()
    stage.catalogue.add("New1")
    await stage.look()
    await stage.store.call("SET", stage.digests.known.counter_key, MAX_NEWS)
    stage.catalogue.add("New2")
    await stage.look()

    assert ["New2"] == [one.dataset.name for one in await stage.digests.known.news_after(0)]


async def test_names_that_are_none_are_left_out(stage: DigestStage) -> None:
    """Of an absurd length, or with characters that are none."""
    await stage.look()
    stage.catalogue.add("x" * 1000)
    stage.catalogue.add("bad\ud800name")
    stage.catalogue.add("bad\nname")

    assert () == await stage.look()


rows = st.lists(
    st.tuples(st.integers(0, 12), st.booleans(), st.sampled_from([BXD, HXB])), min_size=1, max_size=12, unique=True
)


@given(snapshots=st.lists(st.tuples(rows, st.booleans()), min_size=2, max_size=5))
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_row_that_is_not_public_appears_anywhere(
    redis_server: RedisServer, snapshots: list[tuple[list[tuple[int, bool, GroupKey]], bool]]
) -> None:
    """In a thousand random histories, with datasets that come, go and change sides, also between look and digest."""

    async def play() -> None:
        opened = Store(redis_server.url, prefix=f"t{secrets.token_hex(4)}")
        try:
            stage = DigestStage(opened)
            subscription = await stage.subscribe(Interest())
            for snapshot, due in snapshots:
                stage.catalogue = stage.digests.looker.catalogue = MemoryCatalogue()
                for number, public, key in snapshot:
                    stage.catalogue.add(
                        f"{'Open' if public else 'Secret'}{number}", key=key, public=public, dataset_id=str(number)
                    )
                await stage.look()
                before = len(stage.said())
                if due:  # what was found new before may have been hidden meanwhile
                    await stage.announce(subscription)
                stage.clock.now += 7 * 86_400
                public_now = {row.dataset.name for row in stage.catalogue.rows if row.public}
                assert set(stage.said()[before:]) <= public_now
            told = stage.said()
            assert not [name for name in told if name.startswith("Secret")]
            news = text(await opened.call("GET", stage.digests.known.counter_key))
            assert not [one for one in await stage.digests.known.news_after(0) if "Secret" in one.dataset.name], news
        finally:
            await opened.call("FLUSHALL")
            await opened.close()

    asyncio.run(play())
