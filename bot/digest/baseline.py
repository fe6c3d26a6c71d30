"""A new beginning, and what becomes of datasets that were held."""

from __future__ import annotations

import dataclasses

from bot.digest.differences import Sight
from bot.digest.looking import Looker
from bot.digest.looks import LookReport
from bot.digest.news import KnownGroup
from bot.store.client import Watch
from bot.store.digest_subscriptions import Subscriptions


async def take_baseline(looker: Looker, subscriptions: Subscriptions) -> LookReport:
    """Take everything that is listed now as known, and what was found new or held before as told.

    Raises:
        UnavailableError: If GeneNetwork or Redis is away; nothing is taken as told then.
    """
    report = await looker.look(looker.known.store.attempt, quietly=True)
    assert report is not None  # noqa: S101 - a look without a time limit is always taken
    last = await looker.known.last_number()
    for one in await subscriptions.list():
        await subscriptions.skip_to(one.subscription.subscription_id, last)
    return report


async def release_held(looker: Looker) -> int:
    """Let the digests tell of datasets that were held, and return how many they are.

    Raises:
        UnavailableError: If Redis is away; calling it again does the rest.
    """
    known, released = looker.known, 0
    for group in await known.all_groups():
        if not group.held:
            continue

        async def body(watch: Watch, key: tuple[str, str] = group.key) -> int:
            found, _, _ = await known.read_group(watch, key)
            if found is None:
                return 0
            datasets = tuple(
                dataclasses.replace(one, sight=Sight.PENDING) if one.sight is Sight.HELD else one
                for one in found.datasets
            )
            await watch.commit(*known.keep_group(KnownGroup(*key, datasets, found.awaited)))
            return found.held

        released += await known.store.attempt(body, known.group_key(group.key))
    return released
