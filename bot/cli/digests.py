"""`locus digest`: what is new in GeneNetwork, and who is told of it."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from datetime import UTC, date, datetime

from rich.console import Console
from rich.text import Text

from bot.bootstrap import make_dataset_folders, open_genenetwork
from bot.cli.digest_output import digest_json, print_digest, print_standings, standing_json
from bot.cli.render import dump_json, shown_time
from bot.digest.baseline import release_held, take_baseline
from bot.digest.datasets import Dataset, DatasetCatalogue
from bot.digest.describing import QuotingDescriber
from bot.digest.floods import held_back
from bot.digest.interests import Interest
from bot.digest.looking import Looker
from bot.digest.looking_back import look_back
from bot.digest.names import RUN
from bot.digest.writing import write_digest
from bot.errors import BotError, InvalidRequestError, NotFoundError, SettingsError, UnavailableError
from bot.settings import Settings
from bot.store.client import Store, number
from bot.store.digest_known import KnownDatasets
from bot.store.digest_subscriptions import Standing, Subscriptions
from bot.store.opening import open_store
from bot.store.schedules import Schedule, Schedules

logger = logging.getLogger(__name__)

YEAR_S = 366 * 86_400.0
LEADER = ("leader", "scheduler")
LEADER_S = 15.0  # a lease is as long: after that no process is about to lead


@asynccontextmanager
async def open_catalogue(settings: Settings) -> AsyncIterator[DatasetCatalogue]:
    """Open GeneNetwork.

    Raises:
        SettingsError: If it is switched off.
    """
    async with open_genenetwork(settings) as opened:
        if opened is None:
            raise SettingsError("LOCUS_GENENETWORK is off: digests need GeneNetwork, set it to on.")
        yield opened.catalogue


@asynccontextmanager
async def _open_state(settings: Settings) -> AsyncIterator[tuple[Store, KnownDatasets, Subscriptions]]:
    """Open the shared state beside a running Locus."""
    async with open_store(settings, exclusive=False) as store:
        known = KnownDatasets(store)
        yield store, known, Subscriptions(store, known.counter_key)


async def list_digests(settings: Settings, *, as_json: bool) -> None:
    """Print the subscriptions of all channels."""
    async with _open_state(settings) as (_, known, subscriptions):
        standings, looks = await subscriptions.list(), await known.looks()
    if as_json:
        looked = shown_time(looks.at) if looks is not None else None
        held = looks.held if looks is not None else 0
        found = {"digests": [*map(standing_json, standings)], "looked_at": looked, "held": held}
        sys.stdout.write(dump_json(found) + "\n")
        return
    console = Console(highlight=False)
    print_standings(console, standings)
    if looks is None:
        console.print("GeneNetwork was not looked at yet: `locus run` does, and `locus digest baseline`.")
    else:
        console.print(f"GeneNetwork was last looked at on {shown_time(looks.at)}.")
        if looks.held:
            console.print(Text(held_back(looks.held)), soft_wrap=True)


async def preview_digest(settings: Settings, interest: Interest, *, since: str, handle: str, as_json: bool) -> None:
    """Print a digest that nobody posts.

    Args:
        settings: Where GeneNetwork and the state are.
        interest: Of what; with `handle`, what that subscription hears of instead.
        since: A day, to look back by the dates of curators; "" for what is new since the last digest or the first look.
        handle: Of a subscription, or "".
        as_json: Print one JSON object.

    Raises:
        InvalidRequestError: If `since` is no day.
        NotFoundError: If there is no such subscription.
        UnavailableError: If GeneNetwork is away.
    """
    async with open_catalogue(settings) as catalogue:
        if since:
            found = await look_back(catalogue, _day(since), interest, progress=_progress)
            notes = [f"By the dates of curators since {since}, which may lie before a dataset was entered."]
            if found.undated:
                notes.append(f"{_datasets(found.undated)} {'has' if found.undated == 1 else 'have'} no date.")
            if found.unknown:
                things = "dataset or group" if found.unknown == 1 else "datasets or groups"
                notes.append(f"Nothing could be learnt about {found.unknown:,} {things}.")
            await _show(found.datasets, interest, notes, as_json=as_json)
            return
        async with AsyncExitStack() as stack:
            try:
                _, known, subscriptions = await stack.enter_async_context(_open_state(settings))
                looks = await known.looks()
            except BotError as error:
                logger.info("a preview without the state of the service: %s", error)
                looks = None
            if looks is None:
                listing = await catalogue.listed()
                total = sum(map(len, listing.groups.values()))
                note = (
                    f"There is nothing to compare with yet: GeneNetwork lists {total:,} datasets in "
                    f"{len(listing.groups):,} groups. `locus digest baseline` takes them as known, `--since DATE` "
                    "looks back."
                )
                await _show((), interest, [note], as_json=as_json)
                return
            standing = await subscriptions.find(handle) if handle else None
            if handle and standing is None:
                raise NotFoundError(f"There is no digest {handle[:40]!r}: `locus digest list` shows their handles.")
            looker = Looker(catalogue, known)
            datasets, held = await _news(looker, subscriptions, standing)
            interest = standing.subscription.interest if standing is not None else interest
            wanted = [one for one in datasets if interest.holds(one)]
            beginning = (
                "its last digest" if standing is not None else f"the first look on {shown_time(looks.baseline_at)}"
            )
            held += looks.held
            notes = [f"New since {beginning}."] + ([held_back(held)] if held else [])
            await _show(wanted, interest, notes, as_json=as_json)


async def run_digests(settings: Settings, handle: str, wait_s: float) -> None:
    """Ask the Locus that runs to post now, and say what came of it.

    Raises:
        UnavailableError: If none runs, or it is not done in time.
        NotFoundError: If there is no such subscription.
    """
    async with _open_state(settings) as (store, _, subscriptions):
        before = {one.subscription.subscription_id: one for one in await subscriptions.list()}
        if handle and handle not in before:
            raise NotFoundError(f"There is no digest {handle[:40]!r}: `locus digest list` shows their handles.")
        schedules = Schedules(store)
        if not await _has_leader(store, schedules, min(wait_s, LEADER_S)):
            raise UnavailableError("No Locus runs that could post: start `locus run`, and try again.")
        await schedules.remove(RUN)
        made = Schedule(RUN, RUN, every_s=YEAR_S, since=time.time() - YEAR_S, parameters={"subscription": handle})
        await schedules.add(made)
        try:
            async with asyncio.timeout(wait_s), aclosing(store.listen(schedules.channel)) as messages:
                async for _ in messages:  # one a second at least
                    if await schedules.last_run(RUN) is not None:
                        break
        except TimeoutError as error:
            raise UnavailableError(
                "The running Locus is not done yet; it goes on, and its log and `locus digest list` tell how it ended."
            ) from error
        await schedules.remove(RUN)
        for one in await subscriptions.list():
            earlier = before.get(one.subscription.subscription_id)
            told = one.progress.told - (earlier.progress.told if earlier is not None else 0)
            if handle in ("", one.subscription.subscription_id):
                state = f"paused: {one.subscription.paused}" if one.subscription.paused else f"{_datasets(told)} posted"
                sys.stdout.write(f"{one.subscription.subscription_id}: {state}\n")


async def _has_leader(store: Store, schedules: Schedules, wait_s: float) -> bool:
    """Whether a process leads, or does soon: one that has just started, or could not renew its lease in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s), aclosing(store.listen(schedules.channel)) as messages:
            async for _ in messages:  # one a second at least
                if number(await store.call("EXISTS", store.key(*LEADER))):
                    return True
    return bool(number(await store.call("EXISTS", store.key(*LEADER))))


async def release_digests(settings: Settings) -> None:
    """Let the digests tell of datasets that were held."""
    async with open_catalogue(settings) as catalogue, _open_state(settings) as (_, known, _subscriptions):
        released = await release_held(Looker(catalogue, known))
    if released:
        sys.stdout.write(f"The next digests tell of {released:,} datasets, as far as they are public.\n")
    else:
        sys.stdout.write("No dataset is held.\n")


async def baseline_digests(settings: Settings, *, as_json: bool) -> None:
    """Take what is listed now as known."""
    async with open_catalogue(settings) as catalogue, _open_state(settings) as (_, known, subscriptions):
        report = await take_baseline(Looker(catalogue, known, make_dataset_folders(settings)), subscriptions)
    if as_json:
        figures = {"groups": report.groups, "unknown_groups": report.unknown, "datasets": report.datasets}
        sys.stdout.write(dump_json(figures) + "\n")
        return
    sys.stdout.write(f"{_datasets(report.datasets)} in {_groups(report.groups)} are known now.\n")
    if report.unknown:
        sys.stdout.write(f"{_groups(report.unknown)} gave no answer; what is there is taken as known when one comes.\n")


async def _news(looker: Looker, subscriptions: Subscriptions, standing: Standing | None) -> tuple[list[Dataset], int]:
    """Return what was found new and is still public, and what a look would find now and how much it would hold."""
    progress = standing.progress if standing is not None else None
    told = await subscriptions.told(standing.subscription) if standing is not None else frozenset()
    news = await looker.known.news_after(progress.upto if progress else 0, progress.owed if progress else ())
    located = {one.identity: one for one in await looker.locate(news) if one.identity not in told}
    found: list[Dataset] = []
    for one in located.values():
        try:
            dataset = await looker.verify(one)
        except BotError as error:
            logger.warning("a dataset could not be looked at: %s", error)
            continue
        found += [dataset] if dataset is not None else []
    peek = await looker.peek()
    return [*found, *peek.new], peek.held


async def _show(datasets: Sequence[Dataset], interest: Interest, notes: Sequence[str], *, as_json: bool) -> None:
    written = None
    if datasets:
        written = write_digest(datasets, interest, await QuotingDescriber().describe(datasets))
    if as_json:
        sys.stdout.write(dump_json(digest_json(datasets, written, notes)) + "\n")
        return
    console = Console(highlight=False)
    if written is None:
        console.print(Text(f"No new datasets in GeneNetwork{interest.limit}."), soft_wrap=True)
    else:
        print_digest(console, written)
    for note in notes:
        console.print(Text(note, style="dim"), soft_wrap=True)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        today = datetime.now(UTC).date()
        raise InvalidRequestError(f"--since is a day such as {today.isoformat()}, not {text[:40]!r}.") from error


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 10 == 0 or done == total):
        sys.stderr.write(f"\rlocus: {done:,} of {total:,} datasets asked for{chr(10) if done == total else ''}")


def _datasets(count: int) -> str:
    return "1 dataset" if count == 1 else f"{count:,} datasets"


def _groups(count: int) -> str:
    return "1 group" if count == 1 else f"{count:,} groups"
