"""What the next digest of a channel would say: everything that is new for it, verified."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bot.digest.datasets import Dataset
from bot.digest.looking import Looker
from bot.digest.looks import Located
from bot.digest.news import News
from bot.errors import BotError, NotFoundError, UnavailableError
from bot.store.digest_subscriptions import Standing

MAX_OWED = 200
MAX_CHECKED = 400  # datasets that are verified for one digest; further ones are told in the next


@dataclass(frozen=True, slots=True)
class ToTell:
    """News with the dataset as it is now, and what stands for it for good."""

    news: News
    dataset: Dataset
    identity: str


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What a digest would say.

    Attributes:
        news: What it would tell of.
        hidden: News that may not be told any more.
        owed: News about which nothing can be learnt now.
        upto: Number of the last news that was looked at.
    """

    news: tuple[ToTell, ...]
    hidden: tuple[News, ...]
    owed: tuple[int, ...]
    upto: int


async def find_upcoming(looker: Looker, standing: Standing, told: Collection[str]) -> Upcoming:
    """Return what a digest would say now; every dataset is verified.

    Args:
        looker: Knows GeneNetwork.
        standing: Whose digest.
        told: What stands for the datasets that its channel has been told of already, by whichever digest; one that was
            hidden and is public again is no news there.

    Raises:
        UnavailableError: If nothing can be learnt about any of them.
    """
    progress, interest = standing.progress, standing.subscription.interest
    news = await looker.known.news_after(progress.upto, progress.owed)
    located = await looker.locate([one for one in news if interest.holds(one.dataset)])
    # A dataset that was hidden and became public again is there twice: it is told once.
    newest: dict[str, Located] = {one.identity: one for one in located if one.identity not in told}
    wanted = sorted(newest.values(), key=lambda one: one.news.number)
    checked = wanted[:MAX_CHECKED]
    telling: list[ToTell] = []
    hidden: list[News] = []
    owed: list[int] = []
    trouble: BotError | None = None
    for one in checked:
        try:
            dataset = await looker.verify(one)
        except UnavailableError as error:
            trouble = error
            owed.append(one.news.number)
            continue
        except NotFoundError:
            dataset = None
        if dataset is None:
            hidden.append(one.news)
        elif interest.holds(dataset):
            telling.append(ToTell(one.news, dataset, one.identity))
    if trouble is not None and (len(owed) > MAX_OWED or not (telling or hidden)):
        raise trouble
    if len(checked) < len(wanted):
        upto = checked[-1].news.number
    else:
        upto = max((one.number for one in news), default=progress.upto)
    return Upcoming(tuple(telling), tuple(hidden), tuple(owed), max(upto, progress.upto))
