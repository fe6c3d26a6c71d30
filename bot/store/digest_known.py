"""What is known of GeneNetwork's datasets, for all channels together, and what was found new, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.digest.datasets import Dataset, GroupKey, Listed
from bot.digest.news import KnownGroup, Looks, News
from bot.messages import digest
from bot.store.client import Command, Store, Watch, number, text, texts
from bot.store.keys import KeyKind
from bot.store.records import Record

MAX_NEWS = 5000
MAX_GROUPS = 5000
MAX_DATASETS = 20_000  # of one group

DIGEST_KNOWN_KEYS = (
    KeyKind("digest:looks", "string", "for good", "one record", "when GeneNetwork's datasets were looked at"),
    KeyKind("digest:groups", "set", "for good", "5,000 members", "handles of all groups of GeneNetwork"),
    KeyKind("digest:group:*", "string", "for good", "one per group, 20,000 datasets each", "a group's known datasets"),
    KeyKind("digest:counter", "string", "for good", "one number", "number of the last dataset that was found new"),
    KeyKind("digest:folders", "string", "for good", "50,000 names", "folders of datasets in gn-docs at the first look"),
    KeyKind("digest:news", "zset", "while among the 5,000 newest", "5,000 members", "datasets that were found new"),
)

GROUPS = Record(KnownGroup)
LOOKS = Record(Looks)
NEWS = Record(News)


@dataclass(frozen=True, slots=True)
class KnownFolders:
    """Names of folders, as `bot.digest.folders.folder_name` has them."""

    names: tuple[str, ...]


FOLDERS = Record(KnownFolders)


@dataclass(frozen=True, slots=True)
class Names:
    """Names that GeneNetwork has, as far as they are known."""

    groups: tuple[str, ...]
    species: tuple[str, ...]


class KnownDatasets:
    """Reads and writes what is known; the writing is done by commands, in transactions of the caller.

    Args:
        store: Where.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.counter_key = store.key("digest", "counter")
        self.looks_key = store.key("digest", "looks")
        self._folders = store.key("digest", "folders")
        self._news = store.key("digest", "news")
        self._index = store.key("digest", "groups")

    def group_key(self, key: GroupKey) -> str:
        """Return the key of a group's record."""
        return self.store.key("digest", "group", _handle(key))

    async def looks(self) -> Looks | None:
        """Return the looks taken, or None before the first."""
        return LOOKS.find(text(await self.store.call("GET", self.looks_key)))

    async def read_looks(self, watch: Watch) -> Looks | None:
        """Return, within a transaction, the looks taken."""
        return LOOKS.find(text((await watch.read(("GET", self.looks_key)))[0]))

    def looked(self, looks: Looks) -> Command:
        """Return the command that stores that a look was taken."""
        return ("SET", self.looks_key, LOOKS.dump(looks))

    async def group(self, key: GroupKey) -> KnownGroup | None:
        """Return what is known of a group, or None."""
        return GROUPS.find(text(await self.store.call("GET", self.group_key(key))))

    async def groups(self, keys: Sequence[GroupKey]) -> dict[GroupKey, KnownGroup]:
        """Return those of the groups that are known."""
        if not keys:
            return {}
        replies = await self.store.batch(*(("GET", self.group_key(key)) for key in keys))
        found = (GROUPS.find(text(reply)) for reply in replies)
        return {group.key: group for group in found if group is not None}

    async def all_groups(self) -> list[KnownGroup]:
        """Return all groups that can be read, by species and name."""
        handles = texts(await self.store.call("SMEMBERS", self._index))
        if not handles:
            return []
        replies = await self.store.batch(*(("GET", self.store.key("digest", "group", one)) for one in handles))
        found = [group for group in (GROUPS.find(text(reply)) for reply in replies) if group is not None]
        return sorted(found, key=lambda group: (group.species.casefold(), group.group.casefold()))

    async def names(self) -> Names:
        """Return the names of all groups and species."""
        groups = await self.all_groups()
        return Names(
            tuple(dict.fromkeys(group.group for group in groups)),
            tuple(dict.fromkeys(group.species for group in groups)),
        )

    async def read_group(self, watch: Watch, key: GroupKey) -> tuple[KnownGroup | None, int, int]:
        """Return, within a transaction, a group, the number of the last news, and how many groups are known."""
        replies = await watch.read(("GET", self.group_key(key)), ("GET", self.counter_key), ("SCARD", self._index))
        return GROUPS.find(text(replies[0])), number(replies[1]), number(replies[2])

    def keep_group(self, group: KnownGroup) -> list[Command]:
        """Return the commands that store what is known of a group."""
        return [
            ("SET", self.group_key(group.key), GROUPS.dump(group)),
            ("SADD", self._index, _handle(group.key)),
        ]

    def add_news(self, last: int, found: Iterable[tuple[Listed, Dataset]], at: float) -> list[Command]:
        """Return the commands that append news after the number `last`, as read in the same transaction."""
        commands: list[Command] = []
        for listed, dataset in found:
            last += 1
            commands.append(("ZADD", self._news, last, NEWS.dump(News(last, at, listed, dataset))))
        if commands:
            commands += [("SET", self.counter_key, last), ("ZREMRANGEBYSCORE", self._news, "-inf", last - MAX_NEWS)]
        return commands

    async def folders(self) -> frozenset[str] | None:
        """Return the folders of the first look; None where they were not looked at."""
        found = FOLDERS.find(text(await self.store.call("GET", self._folders)))
        return frozenset(found.names) if found is not None else None

    async def keep_folders(self, names: Iterable[str]) -> None:
        """Store the folders of the first look."""
        await self.store.call("SET", self._folders, FOLDERS.dump(KnownFolders(tuple(sorted(names)))))

    async def last_number(self) -> int:
        """Return the number of the last news, or 0."""
        return number(await self.store.call("GET", self.counter_key))

    async def news_after(self, upto: int, also: Sequence[int] = ()) -> list[News]:
        """Return the news with numbers above `upto`, and those in `also`, in order."""
        replies = await self.store.batch(
            *(("ZRANGEBYSCORE", self._news, one, one) for one in also),
            ("ZRANGEBYSCORE", self._news, f"({upto}", "+inf"),
        )
        found = (NEWS.find(one) for reply in replies for one in texts(reply))
        return [one for one in found if one is not None]


def _handle(key: GroupKey) -> str:
    return digest("group", *key)
