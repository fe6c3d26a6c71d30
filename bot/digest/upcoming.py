"""What the next digest of a channel would say: everything that is new for it, verified."""

from __future__ import annotations

from dataclasses import dataclass

from bot.digest.datasets import Dataset
from bot.digest.looking import Looker
from bot.digest.news import News
from bot.errors import BotError, NotFoundError, UnavailableError
from bot.store.digest_subscriptions import Standing

MAX_OWED = 200
MAX_CHECKED = 400  # datasets that are verified for one digest; further ones are told in the next


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What a digest would say.

    Attributes:
        news: What it would tell of, with the datasets as they are now.
        hidden: News that may not be told any more.
        owed: News about which nothing can be learnt now.
        upto: Number of the last news that was looked at.
    """

    news: tuple[tuple[News, Dataset], ...]
    hidden: tuple[News, ...]
    owed: tuple[int, ...]
    upto: int


async def find_upcoming(looker: Looker, standing: Standing) -> Upcoming:
    """Return what a digest would say now; every dataset is verified.

    Raises:
        UnavailableError: If nothing can be learnt about any of them.
    """
    progress, interest = standing.progress, standing.subscription.interest
    news = await looker.known.news_after(progress.upto, progress.owed)
    # A dataset that was hidden and became public again is there twice: it is told once.
    newest = {
        (one.listed.species, one.listed.group, one.listed.type_name, one.listed.dataset_id, one.listed.name): one
        for one in news
        if interest.holds(one.dataset)
    }
    wanted = sorted(newest.values(), key=lambda one: one.number)
    checked = wanted[:MAX_CHECKED]
    told: list[tuple[News, Dataset]] = []
    hidden: list[News] = []
    owed: list[int] = []
    trouble: BotError | None = None
    for one in checked:
        try:
            dataset = await looker.verify(one)
        except UnavailableError as error:
            trouble = error
            owed.append(one.number)
            continue
        except NotFoundError:
            dataset = None
        if dataset is None:
            hidden.append(one)
        elif interest.holds(dataset):
            told.append((one, dataset))
    if trouble is not None and (len(owed) > MAX_OWED or not (told or hidden)):
        raise trouble
    if len(checked) < len(wanted):
        upto = checked[-1].number
    else:
        upto = max((one.number for one in news), default=progress.upto)
    return Upcoming(tuple(told), tuple(hidden), tuple(owed), max(upto, progress.upto))
