"""Values a digest remembers: what was found new, how far a channel has been told, and what is about to be posted."""

from __future__ import annotations

from dataclasses import dataclass

from bot.digest.datasets import Dataset, GroupKey, Listed
from bot.digest.differences import KnownDataset, Sight
from bot.replies import Section


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """A group's datasets as they are known.

    Attributes:
        species: As in `Listed`.
        group: As in `Listed`.
        datasets: In the order they became known.
        awaited: True while the group was unknown from the first look on: what it has when it is known is no news.
    """

    species: str
    group: str
    datasets: tuple[KnownDataset, ...] = ()
    awaited: bool = False

    @property
    def key(self) -> GroupKey:
        """As in `Listing`."""
        return self.species, self.group

    @property
    def held(self) -> int:
        """Number of datasets that are not told before an administrator says so."""
        return sum(one.sight is Sight.HELD for one in self.datasets)


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks taken at GeneNetwork.

    Attributes:
        number: How many.
        at: When the last one was, in seconds since 1970.
        baseline_at: When the first one was; what was there then is no news.
        held: Datasets that were held then, of which administrators were told.
        idle: True when nobody has been subscribed since: the next one is a first one again.
    """

    number: int
    at: float
    baseline_at: float
    held: int = 0
    idle: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """A dataset that became known and public after the first look.

    Attributes:
        number: Grows with each, without gaps; a channel has been told of all up to one.
        found_at: Seconds since 1970.
        listed: As it was listed then.
        dataset: Plain and bounded.
    """

    number: int
    found_at: float
    listed: Listed
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a channel has been told.

    Attributes:
        upto: Number of the last news that was told, or was none of its business.
        owed: Earlier ones that could not be told then, as nothing could be learnt about them.
        posted_at: When the last digest was posted, in seconds since 1970; 0 before the first.
        post_id: Its message.
        told: Datasets announced so far.
        skipped: A sentence on the digest that came last and could not be shown, or "".
    """

    upto: int
    owed: tuple[int, ...] = ()
    posted_at: float = 0.0
    post_id: str = ""
    told: int = 0
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a digest: the first in the channel, the others in its thread."""

    text: str
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A digest that is about to be posted, stored before it is.

    Attributes:
        key: Of the post; the same however often it is tried.
        due: The date it is for, in ISO 8601.
        numbers: Of the news in it.
        upto: What `Progress.upto` will be.
        owed: What `Progress.owed` will be.
        parts: Its messages.
        memory: What a question in its thread is understood by.
        chart: Names and their numbers of datasets, for the picture; empty for none.
        composed_at: Seconds since 1970.
        post_id: Of the first message, once it is known.
        done: Messages that are known to be posted.
        identities: What stands for the datasets in it for good, as `numbers`.
        plain: True once the chat has refused it with chart and sections.
    """

    key: str
    due: str
    numbers: tuple[int, ...]
    upto: int
    owed: tuple[int, ...]
    parts: tuple[Part, ...]
    memory: str
    chart: tuple[tuple[str, int], ...]
    composed_at: float
    post_id: str = ""
    done: int = 0
    identities: tuple[str, ...] = ()
    plain: bool = False
