"""Sentences of the command `digest`."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.digest.subscriptions import Subscription
from bot.errors import BotError
from bot.store.digest_subscriptions import Standing

HELP = "\n".join(
    (
        "A digest tells this channel which datasets are new in GeneNetwork.",
        "",
        "- `digest subscribe weekly mon 9:00 group:BXD,HXBBXH type:mrna,phenotype tissue:hippocampus` begins one; what "
        "you leave out is not limited.",
        "- When: `daily 8:30`, `every Monday 09:00`, `first Monday of the month`, `cron 0 9 * * 1`.",
        "- Also `species:mouse`, `zone:Europe/Berlin`, and `quiet:off` for a line when nothing is new.",
        "- `digest list` shows the digests of this channel with their numbers.",
        "- `digest preview 1` shows what the next one would say now.",
        "- `digest pause 1`, `digest resume 1`, `digest unsubscribe 1`.",
        "",
        "Reply in a digest's thread to ask about its datasets.",
    )
)


def begun(subscription: Subscription, due: datetime | None, *, again: bool) -> str:
    """Return that a digest was begun, and when the first one comes."""
    silence = "I say nothing when nothing is new" if subscription.quiet else "I also say when nothing is new"
    opening = "That digest is there already" if again else "From now on I post new datasets here"
    return (
        f"{opening}: {subscription.interest.words}, {subscription.when} ({subscription.zone}). {silence}. "
        f"Next: {shown_date(due, subscription.zone)}. `digest preview` shows what it would say now; `digest "
        "unsubscribe` ends it."
    )


def shown_date(due: datetime | None, zone: str) -> str:
    """Return a date as people of a zone read it: "Mon 2 Nov 2026, 9:00"."""
    if due is None:
        return "never"
    local = due.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y}, {local.hour}:{local:%M}"


def listed_line(number: int, standing: Standing, due: datetime | None) -> str:
    """Return a digest as one line of a list."""
    one, progress = standing.subscription, standing.progress
    parts = [f"{number}. {one.interest.words}, {one.when} ({one.zone})"]
    if not one.quiet:
        parts.append("says when nothing is new")
    if one.declared:
        parts.append(f"declared by the operator as {one.name!r}")
    if one.paused:
        parts.append(f"PAUSED: {one.paused}")
    elif due is not None:
        parts.append(f"next {shown_date(due, one.zone)}")
    if progress.posted_at:
        posted = datetime.fromtimestamp(progress.posted_at, UTC)
        noun = "dataset" if progress.told == 1 else "datasets"
        parts.append(f"last {shown_date(posted, one.zone)}, {progress.told:,} {noun} so far")
    if progress.skipped:
        parts.append(progress.skipped)
    return "; ".join(parts)


def refused_channel(subscription: Subscription, error: BotError) -> str:
    """Return what administrators are told of a channel that does not take its digest."""
    place = subscription.place
    return (
        f"I paused a digest ({subscription.interest.words}, {subscription.when}) in the channel "
        f"{place.chat}/{place.workspace}/{place.channel}, as I may not post there: {error} When that is mended, "
        "`digest resume` in the channel goes on with everything that was new meanwhile."
    )


def none_here() -> str:
    """Return that the channel has no digest."""
    return (
        "This channel has no digest. `digest subscribe weekly mon 9:00 group:BXD` begins one; `digest help` tells more."
    )


def which(count: int) -> str:
    """Return that the number of a digest is missing or wrong."""
    if count == 1:
        return "This channel has one digest, number 1."
    return f"This channel has {count} digests: say which, as a number from 1 to {count}; `digest list` shows them."


def declared_elsewhere(name: str) -> str:
    """Return that a digest is changed in the operator's file only."""
    return (
        f"This digest is declared as {name!r} in the operator's file of digests (LOCUS_DIGEST_FILE): change it there."
    )


def looked(at: float, zone: str, *, stale: bool) -> str:
    """Return when GeneNetwork was last looked at, and that it does not answer where that is long ago."""
    date = shown_date(datetime.fromtimestamp(at, UTC), zone)
    why = ", as it did not answer in time now" if stale else ""
    return f"As of the last look at GeneNetwork, {date}{why}."


def not_looked_yet() -> str:
    """Return that there is nothing to compare with yet."""
    return (
        "I have not looked at GeneNetwork yet. The first look is what later ones are compared with, so the first "
        "digest tells what was added after it."
    )
