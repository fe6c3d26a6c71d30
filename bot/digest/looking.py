"""A look at GeneNetwork: what is listed is compared with what is known, and what is new and public becomes news."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.digest.datasets import Dataset, DatasetCatalogue, GroupKey, Listed, Listing
from bot.digest.differences import KnownDataset, Sight, difference
from bot.digest.folders import DatasetFolders, folder_name
from bot.digest.news import KnownGroup, Looks, News
from bot.digest.plain import plain_dataset
from bot.digest.verdicts import Verdicts, ask, candidates, comparable, decide, same_dataset
from bot.errors import BotError, UnavailableError
from bot.store.client import Watch
from bot.store.digest_known import MAX_DATASETS, MAX_GROUPS, KnownDatasets
from bot.store.digest_subscriptions import Writer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LookReport:
    """What a look found.

    Attributes:
        first: True for the one that everything later is compared with.
        groups: Groups that were compared.
        unknown: Groups about which nothing could be said.
        datasets: Datasets listed.
        new: Public datasets that are news now.
        undecided: New datasets about which nothing could be learnt yet.
    """

    first: bool
    groups: int
    unknown: int
    datasets: int
    new: tuple[Dataset, ...] = ()
    undecided: int = 0


class Looker:
    """Takes looks; one at a time in this process, and any number of processes do no harm to each other.

    Args:
        catalogue: GeneNetwork.
        known: What is known.
        folders: A second witness of what is new, or None.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        catalogue: DatasetCatalogue,
        known: KnownDatasets,
        folders: DatasetFolders | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.catalogue = catalogue
        self.known = known
        self._folders = folders
        self._clock = clock
        self._lock = asyncio.Lock()

    async def look(self, write: Writer, *, fresh_s: float = 0.0, quietly: bool = False) -> LookReport | None:
        """Compare, and store what follows.

        Args:
            write: Runs the transactions.
            fresh_s: None is taken when the last one is not older.
            quietly: True to take everything that is listed as known: nothing of it becomes news.

        Raises:
            UnavailableError: If GeneNetwork or Redis is away.
        """
        async with self._lock:
            looks = await self.known.looks()
            if looks is not None and fresh_s and 0 <= self._clock() - looks.at < fresh_s:
                return None
            listing = await self.catalogue.listed()
            if not any(listing.groups.values()):
                raise UnavailableError("GeneNetwork lists no dataset at all, which cannot be: it is asked again later.")
            return await self._compare(listing, looks, write, quietly=quietly)

    async def peek(self) -> tuple[Dataset, ...]:
        """Return what a look would find new now; nothing is stored.

        Raises:
            UnavailableError: If GeneNetwork or Redis is away.
        """
        listing = await self.catalogue.listed()
        listed = comparable(listing)
        verdicts = await ask(self.catalogue, candidates(listed, await self.known.groups(list(listed)))[0])
        return tuple(dataset for dataset in verdicts.values() if dataset is not None)

    async def verify(self, news: News) -> Dataset | None:
        """Return a dataset of the news as it is now, or None when it is not public any more.

        Raises:
            UnavailableError: If that cannot be told now.
        """
        listed = news.listed
        group = await self.known.group((listed.species, listed.group))
        entry = next((one for one in group.datasets if same_dataset(one, listed)), None) if group is not None else None
        if entry is not None:
            # Under the name that it has by now.
            listed = Listed(
                listed.species, listed.group, entry.type_name, entry.dataset_id, entry.name, entry.full_name
            )
        found = await self.catalogue.details(listed)
        return plain_dataset(found) if found is not None else None

    async def hide(self, news: News, write: Writer) -> None:
        """Note that a dataset is not public any more: it is news again when it is."""
        key = (news.listed.species, news.listed.group)

        async def body(watch: Watch) -> None:
            group, _, _ = await self.known.read_group(watch, key)
            if group is None:
                return
            hidden = tuple(
                dataclasses.replace(one, sight=Sight.HIDDEN) if same_dataset(one, news.listed) else one
                for one in group.datasets
            )
            await watch.commit(*self.known.keep_group(dataclasses.replace(group, datasets=hidden)))

        await write(body, self.known.group_key(key))

    async def _compare(self, listing: Listing, looks: Looks | None, write: Writer, *, quietly: bool) -> LookReport:
        first = looks is None or quietly
        number = (looks.number if looks is not None else 0) + 1
        listed = comparable(listing)
        known = await self.known.groups(list(listed))
        verdicts = {} if first else await ask(self.catalogue, *candidates(listed, known))
        if first:
            witnessed = await self._see_folders()
        else:
            witnessed = await self._new_folders() if any(group.awaited for group in known.values()) else frozenset()
        new: list[Dataset] = []
        for key, datasets in listed.items():
            new += await self._keep(key, datasets, verdicts, witnessed, number, write, baseline=first)
        if looks is None:
            for key in listing.unknown:
                await self._await(key, write)
        now = self._clock()
        done = Looks(number, now, looks.baseline_at if looks is not None else now)

        async def note(watch: Watch) -> None:
            await watch.commit(self.known.looked(done))

        await write(note, self.known.looks_key)
        asked = {one for one in candidates(listed, known)[0] if one not in verdicts} if not first else set()
        return LookReport(
            looks is None, len(listed), len(listing.unknown), sum(map(len, listed.values())), tuple(new), len(asked)
        )

    async def _keep(
        self,
        key: GroupKey,
        datasets: Sequence[Listed],
        verdicts: Verdicts,
        witnessed: frozenset[str],
        number: int,
        write: Writer,
        *,
        baseline: bool,
    ) -> list[Dataset]:
        """Store what is known of a group now; return what is news."""

        async def body(watch: Watch) -> list[tuple[Listed, Dataset]]:
            group, last, groups = await self.known.read_group(watch, key)
            if group is None and groups >= MAX_GROUPS:
                logger.error("GeneNetwork lists more than %d groups; a further one is left out", MAX_GROUPS)
                return []
            group = group or KnownGroup(*key)
            silent = baseline or group.awaited
            found = difference(group.datasets, datasets, baseline=silent)
            after: list[KnownDataset] = []
            news: list[tuple[Listed, Dataset]] = []
            if len(found.datasets) > MAX_DATASETS:
                logger.error(
                    "a group of GeneNetwork has more than %d datasets; further ones are left out", MAX_DATASETS
                )
            for entry, one in zip(found.datasets[:MAX_DATASETS], found.listed[:MAX_DATASETS], strict=True):
                if group.awaited and one is not None and folder_name(one.name) in witnessed:
                    entry = dataclasses.replace(entry, sight=Sight.PENDING)
                decided, dataset = decide(entry, one, verdicts, number, silent=baseline)
                after.append(decided)
                if dataset is not None and one is not None:
                    news.append((one, dataset))
            changed = KnownGroup(*key, tuple(after))
            if changed != group:
                add = self.known.add_news(last, news, self._clock())
                await watch.commit(*self.known.keep_group(changed), *add)
            return news

        return [dataset for _, dataset in await write(body, self.known.group_key(key), self.known.counter_key)]

    async def _see_folders(self) -> frozenset[str]:
        """Remember the folders that are there at the first look, where they are looked at; return none."""
        found = await self._current_folders()
        if found is not None:
            await self.known.keep_folders(found)
        return frozenset()

    async def _new_folders(self) -> frozenset[str]:
        """Return the folders that were not there at the first look, as far as that can be told."""
        before = await self.known.folders()
        found = await self._current_folders() if before is not None else None
        return found - before if found is not None and before is not None else frozenset()

    async def _current_folders(self) -> frozenset[str] | None:
        if self._folders is None:
            return None
        try:
            return frozenset(map(folder_name, await self._folders.folders()))
        except BotError as error:
            logger.warning("the folders of datasets were not looked at: %s", error)
            return None

    async def _await(self, key: GroupKey, write: Writer) -> None:
        """Note that nothing was known of a group when everything else was seen first."""

        async def body(watch: Watch) -> None:
            group, _, groups = await self.known.read_group(watch, key)
            if group is None and groups < MAX_GROUPS:
                await watch.commit(*self.known.keep_group(KnownGroup(*key, awaited=True)))

        await write(body, self.known.group_key(key))
