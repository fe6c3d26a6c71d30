"""Thirty days of a lab, played into a store through the parts that count in the service."""

from __future__ import annotations

import random
from datetime import UTC, datetime, tzinfo

from bot.digest.interests import Interest
from bot.digest.phrases import read_phrase
from bot.digest.roster import Roster
from bot.digest.subscriptions import Subscription
from bot.evidence import Answer, Citation, CitedPassage
from bot.given import GivenAnswer
from bot.health import Health, State
from bot.messages import Audience, Place
from bot.ports import PUBLIC_SCOPE
from bot.store.client import Store
from bot.store.digest_subscriptions import Subscriptions
from bot.store.schedules import Schedules
from bot.store.tally import Tally
from tests.opinions import FakeClock

DAYS = 30
DAY_S = 86_400
NOW = datetime(2026, 11, 20, 15, 12, tzinfo=UTC).timestamp()
PLACE = Place("slack", "T1", "C024BE91L", "", Audience.PUBLIC)
DOCUMENTS = (
    "The BXD family",
    "LRS and LOD scores",
    "Permutation tests",
    "Interval mapping",
    "Correlations",
    "Normalisation suffixes",
    "Dataset names",
    "Cofactors",
    "Data access and privacy",
    "GEMMA and mixed models",
)
PRIVATE = "Unpublished protocol of the hippocampus project"
_GLOSSARY = "https://github.com/genenetwork/gn-docs/blob/HEAD/general/glossary/glossary.md"


def given_answer(number: int, *, at: float, titles: tuple[str, ...], answered: bool = True) -> GivenAnswer:
    """An answer that cites these documents."""
    citations = tuple(
        Citation(n, title, f"{title}.md", None if title == PRIVATE else _GLOSSARY, "as quoted")
        for n, title in enumerate(titles, start=1)
    )
    passages = tuple(
        CitedPassage(one, "", "as quoted", "channel-x" if one.title == PRIVATE else PUBLIC_SCOPE) for one in citations
    )
    answer = Answer("What is LRS?", "It is a statistic. [1]", "quotes", answered, citations if answered else (), 0.9)
    return GivenAnswer(
        f"played-{number:012}", f"r{number}", PLACE, "asker", "What is LRS?", answer, passages, ("channel-x",), at
    )


async def play_days(store: Store, *, now: float = NOW, zone: tzinfo = UTC, seed: int = 7) -> None:
    """Play what was asked on thirty days, weekends quieter, with a day on which much failed."""
    rng = random.Random(seed)
    clock = FakeClock(now)
    tally = Tally(store, zone=zone, clock=clock)
    number = 0
    for back in range(DAYS - 1, -1, -1):
        at = now - back * DAY_S
        weekend = datetime.fromtimestamp(at, zone).weekday() >= 5
        for _ in range(rng.randint(0, 3) if weekend else rng.randint(12, 38)):
            number += 1
            clock.now = at - rng.random() * 3600
            if back == 11 and rng.random() < 0.4:
                await store.transaction(*tally.failed())
                continue
            answered = rng.random() < 0.82
            titles = tuple(dict.fromkeys(rng.choices([*DOCUMENTS, PRIVATE], range(11, 0, -1), k=rng.randint(1, 3))))
            given = given_answer(number, at=clock.now, titles=titles, answered=answered)
            commands = tally.given(given, accepted_at=clock.now - rng.lognormvariate(1.1, 0.7))
            if rng.random() < 0.15:
                commands += tally.cached()
            if rng.random() < 0.25:
                commands += tally.voted(given, "down" if rng.random() < (0.2 if answered else 0.6) else "up")
            await store.transaction(*commands)


async def play_digests(store: Store, *, now: float = NOW) -> Roster:
    """Subscribe three channels to digests: one that was posted, one that is new, one that is paused."""
    clock = FakeClock(now - 20 * DAY_S)
    schedules = Schedules(store, clock=clock)
    roster = Roster(Subscriptions(store, store.key("digest", "news-counter")), schedules, clock=clock)
    wishes = (
        ("C024BE91L", Interest(("BXD",)), "weekly mon 9:00"),
        ("C0NEWDATA", Interest(), "daily 8:30"),
        ("C0QUIET", Interest(("HXBBXH",), ("mrna",)), "monthly 1 9:00"),
    )
    for channel, interest, when in wishes:
        phrase = read_phrase(when.split())
        place = Place("slack", "T1", channel, "", Audience.PUBLIC)
        one = Subscription(f"sub-{channel}", place, interest, phrase.words, phrase.cron, "America/Chicago")
        await roster.begin(one)
        if channel == "C024BE91L":
            await store.call(*schedules.done(one.schedule_id, now - 4 * DAY_S))
        if channel == "C0QUIET":
            await roster.pause(one, "Locus may not post in this channel: invite it again.")
    clock.now = now
    return roster


def played_health() -> Health:
    """Parts of a service of which one is not as it should be."""
    health = Health()
    health.report("redis")
    health.report("slack")
    health.report("digests", State.DEGRADED, "A channel does not take its digest.")
    return health
