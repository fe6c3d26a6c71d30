"""A look at GeneNetwork: what is listed is compared with what is known, and what is new and public becomes news."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Sequence

from bot.digest.datasets import Dataset, DatasetCatalogue, GroupKey, Listed, Listing
from bot.digest.differences import KnownDataset, Sight, difference
from bot.digest.floods import flood, held_back
from bot.digest.folders import DatasetFolders, folder_name
from bot.digest.looks import Evidence, Located, LookReport, Peek
from bot.digest.news import KnownGroup, Looks, News
from bot.digest.plain import plain_dataset
from bot.digest.verdicts import ask, candidates, comparable, decide, same_dataset
from bot.errors import BotError, UnavailableError
from bot.messages import digest
from bot.store.client import Command, Watch
from bot.store.digest_known import MAX_DATASETS, MAX_GROUPS, KnownDatasets
from bot.store.digest_subscriptions import Writer

logger = logging.getLogger(__name__)


class Looker:
    """Takes looks; one at a time in this process, and any number of processes do no harm to each other.

    Args:
        catalogue: GeneNetwork.
        known: What is known.
        folders: A second witness of what is new, or None.
        alarm: Returns the commands that note something which administrators are to be told, by event and sentence.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        catalogue: DatasetCatalogue,
        known: KnownDatasets,
        folders: DatasetFolders | None = None,
        *,
        alarm: Callable[[str, str], Sequence[Command]] = lambda _event, _sentence: (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.catalogue = catalogue
        self.known = known
        self._folders = folders
        self._alarm = alarm
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
            quietly = quietly or (looks is not None and looks.idle)
            return await self._compare(listing, looks, write, quietly=quietly)

    async def rest(self, write: Writer, *, fresh_s: float = 0.0) -> None:
        """Note that nobody is subscribed: what is added until somebody is will be no news.

        Args:
            write: Runs the transaction.
            fresh_s: Nothing is noted when the last look is not older: somebody may have subscribed just now.
        """

        async def note(watch: Watch) -> None:
            looks = await self.known.read_looks(watch)
            if looks is not None and not looks.idle and self._clock() - looks.at >= fresh_s:
                await watch.commit(self.known.looked(dataclasses.replace(looks, idle=True)))

        await write(note, self.known.looks_key)

    async def peek(self) -> Peek:
        """Return what a look would find new now; nothing is stored.

        Raises:
            UnavailableError: If GeneNetwork or Redis is away.
        """
        listed = comparable(await self.catalogue.listed())
        known = {group.key: group for group in await self.known.all_groups()}
        held = flood(listed, known)
        new = [one for one in candidates(listed, known)[0] if one not in held]
        verdicts = await ask(self.catalogue, new)
        return Peek(tuple(dataset for dataset in verdicts.values() if dataset is not None), len(held))

    async def locate(self, news: Sequence[News]) -> list[Located]:
        """Return news with the datasets they are of, as those are known now."""
        groups = await self.known.groups(list(dict.fromkeys((one.listed.species, one.listed.group) for one in news)))
        located: list[Located] = []
        for one in news:
            listed = one.listed
            key = (listed.species, listed.group)
            datasets = groups[key].datasets if key in groups else ()
            place = next((place for place, entry in enumerate(datasets) if same_dataset(entry, listed)), None)
            if place is None:
                identity = digest("dataset", *key, listed.type_name, listed.dataset_id, listed.name)
            else:
                # A group's datasets never change their places, as none is ever forgotten.
                entry, identity = datasets[place], digest("dataset", *key, str(place))
                listed = Listed(*key, entry.type_name, entry.dataset_id, entry.name, entry.full_name)
            located.append(Located(one, listed, identity))
        return located

    async def verify(self, located: Located) -> Dataset | None:
        """Return a dataset of the news as it is now, or None when it is not public any more.

        Raises:
            UnavailableError: If that cannot be told now.
        """
        found = await self.catalogue.details(located.listed)
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
        known = {group.key: group for group in await self.known.all_groups()}
        held = frozenset() if first else flood(listed, known)
        new, old = ([], []) if first else candidates(listed, known)
        new = [one for one in new if one not in held]
        verdicts = await ask(self.catalogue, new, old)
        if first:
            witnessed = await self._see_folders()
        else:
            witnessed = await self._new_folders() if any(group.awaited for group in known.values()) else frozenset()
        evidence = Evidence(verdicts, witnessed, held, number, first)
        found: list[Dataset] = []
        for key, datasets in listed.items():
            found += await self._keep(key, datasets, evidence, write)
        if looks is None:
            for key in listing.unknown:
                await self._await(key, write)
        held_now = await self._note(looks, number, write)
        undecided = sum(one not in verdicts for one in new)
        total = sum(map(len, listed.values()))
        return LookReport(looks is None, len(listed), len(listing.unknown), total, tuple(found), undecided, held_now)

    async def _note(self, looks: Looks | None, number: int, write: Writer) -> int:
        """Store that a look was taken; administrators are told of more that is held. Return how much is."""
        now = self._clock()
        held = sum(group.held for group in await self.known.all_groups())
        told = looks.held if looks is not None else 0
        done = Looks(number, now, looks.baseline_at if looks is not None else now, held)
        alarm = self._alarm(digest("digest held", str(number)), held_back(held)) if held > told else ()
        if held > told:
            logger.warning("%d datasets of GeneNetwork are new at once and held: `locus digest list` tells more", held)

        async def note(watch: Watch) -> None:
            await watch.commit(self.known.looked(done), *alarm)

        await write(note, self.known.looks_key)
        return held

    async def _keep(
        self,
        key: GroupKey,
        datasets: Sequence[Listed],
        evidence: Evidence,
        write: Writer,
    ) -> list[Dataset]:
        """Store what is known of a group now; return what is news."""

        async def body(watch: Watch) -> list[tuple[Listed, Dataset]]:
            group, last, groups = await self.known.read_group(watch, key)
            if group is None and groups >= MAX_GROUPS:
                logger.error("GeneNetwork lists more than %d groups; a further one is left out", MAX_GROUPS)
                return []
            group = group or KnownGroup(*key)
            silent = evidence.baseline or group.awaited
            found = difference(group.datasets, datasets, baseline=silent)
            after: list[KnownDataset] = []
            news: list[tuple[Listed, Dataset]] = []
            if len(found.datasets) > MAX_DATASETS:
                logger.error(
                    "a group of GeneNetwork has more than %d datasets; further ones are left out", MAX_DATASETS
                )
            for entry, one in zip(found.datasets[:MAX_DATASETS], found.listed[:MAX_DATASETS], strict=True):
                if group.awaited and one is not None and folder_name(one.name) in evidence.witnessed:
                    entry = dataclasses.replace(entry, sight=Sight.PENDING)
                elif entry.sight is Sight.PENDING and one in evidence.held:
                    entry = dataclasses.replace(entry, sight=Sight.HELD)
                decided, dataset = decide(entry, one, evidence.verdicts, evidence.number, silent=evidence.baseline)
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
