"""A new beginning: everything that is listed now counts as known, and no channel is told of it."""

from __future__ import annotations

from bot.digest.looking import Looker, LookReport
from bot.store.digest_subscriptions import Subscriptions


async def take_baseline(looker: Looker, subscriptions: Subscriptions) -> LookReport:
    """Look at GeneNetwork, and take what is listed and what was found new before as told.

    Raises:
        UnavailableError: If GeneNetwork or Redis is away; nothing is taken as told then.
    """
    report = await looker.look(looker.known.store.attempt, quietly=True)
    assert report is not None  # noqa: S101 - a look without a time limit is always taken
    last = await looker.known.last_number()
    for one in await subscriptions.list():
        await subscriptions.skip_to(one.subscription.subscription_id, last)
    return report
