"""What Locus takes on a real homeserver: time to the first word, many rooms at once, memory.

`locus run` is a process as in a lab, with its private Redis and without a model, and reaches Synapse through a proxy
that only watches. Synapse, people and Locus share the machine.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bot.texts import reading_documents
from tests.locus_process import LocusProcess
from tests.matrix_server.onlooker import Onlooker
from tests.matrix_server.watched_proxy import WatchedProxy
from tests.soak.matrix_records import monotonic
from tests.soak.matrix_rooms import Town
from tests.soak.plan import ASKED

WARM: Final = 3  # questions before those that count
PATIENCE_S: Final = 120.0
POLL_S: Final = 0.002
MOST_BEHIND_MS: Final = 1000.0
WAITING: Final = reading_documents().partition(" ")[0]
SETTINGS: Final = {
    "LOCUS_RATE_PERSON": "0",
    "LOCUS_RATE_CHANNEL": "0",
    "LOCUS_QUEUE_LIMIT": "1000",
    "LOCUS_ANSWER_CACHE_H": "0",
    "LOCUS_GENENETWORK": "off",
}


@dataclass(frozen=True, slots=True)
class FigureSizes:
    """How much is measured.

    Attributes:
        asked: Questions one after the other, in a plain room and in an encrypted one.
        rooms: In which people write at once; every other one is encrypted.
        people: Who are in them.
        active_s: For how long they write; in each room a question and a message that is not for Locus.
    """

    asked: int = 40
    rooms: int = 200
    people: int = 10
    active_s: float = 40.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        first_word_ms: From the moment somebody sends a mention until they see the first word of the answer, for each
            question, by the kind of room; what the search took is left out.
        retrieval_ms: What it took.
        rooms: As asked for.
        answered: Of them, with a complete answer.
        written: Messages of people in them.
        unaccepted: Of these, never accepted.
        lag_ms: From the moment the homeserver took a message until Locus had accepted it.
        settled_s: From the last message of a person to the last answer.
        peak_mb: Most memory of Locus, in MB.
    """

    first_word_ms: Mapping[str, Sequence[float]]
    retrieval_ms: Sequence[float]
    rooms: int
    answered: int
    written: int
    unaccepted: int
    lag_ms: Sequence[float]
    settled_s: float
    peak_mb: float


class Measuring:
    """One run.

    Args:
        town: Where.
        proxy: Between Locus and the homeserver.
        sizes: How much.
        seed: Of who writes when.
    """

    def __init__(self, town: Town, proxy: WatchedProxy, sizes: FigureSizes, seed: int) -> None:
        self._town = town
        self._proxy = proxy
        self._sizes = sizes
        self._chance = random.Random(seed)
        self._rooms: dict[str, str] = {}

    async def make_rooms(self) -> dict[str, str]:
        """Make everybody and everything, and return the rooms of the first person by their kind."""
        names = [f"p{number}" for number in range(self._sizes.people)]
        await self._town.add_people(["ada", *names])
        for number in range(self._sizes.rooms):
            name = names[number % len(names)]
            self._rooms[await self._town.add_room(name, encrypted=number // len(names) % 2 == 1)] = name
        return {
            kind: await self._town.add_room("ada", encrypted=kind == "encrypted") for kind in ("plain", "encrypted")
        }

    async def first_words(self, room: str, answers: Path) -> list[tuple[float, float]]:
        """Ask in a room, one question after the other; return the milliseconds of each first word and of its search."""
        asked = [question for question in ASKED if "football" not in question]
        before = len(_cards(answers))
        seen_ms: list[float] = []
        async with self._present("ada") as ada:
            for number in range(WARM + self._sizes.asked):
                begun = time.perf_counter()
                root = await ada.say(room, asked[number % len(asked)], mention=[self._town.bot.user_id])
                await _until(partial(self._begun, ada, room, root))
                seen_ms.append(1000 * (time.perf_counter() - begun))
                await _until(partial(self._answered, ada, room, root))
        await _until(lambda: len(_cards(answers)) == before + len(seen_ms), every_s=0.1)
        searched_ms = await asyncio.to_thread(_retrieval_ms, _cards(answers)[before:])
        return list(zip(seen_ms, searched_ms, strict=True))[WARM:]

    async def all_at_once(self) -> tuple[int, int, list[float], float]:
        """Let everybody write; return the rooms with an answer, the messages, their lags in ms, and the end's time."""
        async with AsyncExitStack() as stack:
            people = {name: await stack.enter_async_context(self._present(name)) for name in set(self._rooms.values())}
            written: list[str] = []
            times = sorted(
                (self._chance.uniform(0, self._sizes.active_s), room, question)
                for room in self._rooms
                for question in (True, False)
            )
            begun = time.monotonic()
            async with asyncio.TaskGroup() as writing:
                for number, (at_s, room, question) in enumerate(times):
                    await asyncio.sleep(max(0.0, begun + at_s - time.monotonic()))
                    who = people[self._rooms[room]]
                    writing.create_task(self._write(who, room, number if question else None, written))
            ended = time.monotonic()
            await _until(lambda: len(self._rooms) == self._answers(people) or time.monotonic() > ended + PATIENCE_S)
            settled_s = time.monotonic() - ended
            taken = {str(event.source["event_id"]): event.source for who in people.values() for _, event in who.seen}
        accepted = self._proxy.accepted
        lags = [1000 * (min(accepted[one]) - monotonic(taken[one])) for one in written if accepted[one]]
        return self._answers(people), len(written), lags, settled_s

    async def _write(self, who: Onlooker, room: str, question: int | None, written: list[str]) -> None:
        if question is None:
            written.append(await who.say(room, "I am off to lunch."))
        else:
            text = ASKED[question % len(ASKED)]
            written.append(await who.say(room, text, mention=[self._town.bot.user_id]))

    @asynccontextmanager
    async def _present(self, name: str) -> AsyncIterator[Onlooker]:
        """Yield somebody whose client is open and knows Locus's keys, if it has any use for them."""
        async with self._town.onlooker(name) as who:
            if any(room.encrypted for room in who.client.rooms.values()):
                await _until(lambda: any(who.client.device_store.active_user_devices(self._town.bot.user_id)))
            yield who

    def _begun(self, who: Onlooker, room: str, root: str) -> bool:
        """True when the first word of an answer is seen: not that one is looked for."""
        return any(not line.body.startswith(WAITING) for line in who.views[room].of(self._town.bot.user_id, root))

    def _answered(self, who: Onlooker, room: str, root: str | None = None) -> bool:
        return any(line.handle for line in who.views[room].of(self._town.bot.user_id, root))

    def _answers(self, people: Mapping[str, Onlooker]) -> int:
        return sum(self._answered(people[name], room) for room, name in self._rooms.items())


async def measure(folder: Path, index: Path, sizes: FigureSizes, *, seed: int) -> Figures:
    """Measure everything.

    Args:
        folder: For data and logs; made.
        index: A data folder with the starter documents, which is copied.
        sizes: How much.
        seed: Of who writes when.
    """
    data = folder / "data"
    await asyncio.to_thread(shutil.copytree, index, data, ignore=shutil.ignore_patterns("matrix", "redis"))
    async with AsyncExitStack() as stack:
        town = await stack.enter_async_context(Town(folder))
        proxy = await stack.enter_async_context(WatchedProxy(town.synapse.url))
        measuring = Measuring(town, proxy, sizes, seed)
        kinds = await measuring.make_rooms()
        settings = {**SETTINGS, **town.settings, "LOCUS_MATRIX_HOMESERVER": proxy.url}
        locus = LocusProcess(data, settings, folder / "locus.log")
        stack.push_async_callback(asyncio.to_thread, locus.end)
        await asyncio.to_thread(locus.start)
        await _until(lambda: proxy.going_on)
        first_words = {kind: await measuring.first_words(room, data / "answers") for kind, room in kinds.items()}
        answered, written, lag_ms, settled_s = await measuring.all_at_once()
        peak_mb = locus.peak_mb
    return Figures(
        {kind: [seen - searched for seen, searched in both] for kind, both in first_words.items()},
        [searched for both in first_words.values() for _, searched in both],
        sizes.rooms,
        answered,
        written,
        written - len(lag_ms),
        lag_ms,
        settled_s,
        peak_mb,
    )


def figure_rows(figures: Figures) -> Iterator[tuple[str, str, str, bool]]:
    """Yield names, figures, targets, and whether these are met."""
    for kind, values in figures.first_word_ms.items():
        p50, p95 = percentiles(values)
        yield f"mention to first word, {kind}, p50", f"{p50:.0f} ms", "< 300 ms above retrieval", p50 < 300
        yield f"mention to first word, {kind}, p95", f"{p95:.0f} ms", "< 700 ms above retrieval", p95 < 700
    behind_ms = percentiles(figures.lag_ms)[1]
    yield (
        f"answers in {figures.rooms} rooms at once",
        f"{figures.answered}",
        f"{figures.rooms}",
        figures.answered == figures.rooms,
    )
    yield f"of {figures.written} messages, not accepted", f"{figures.unaccepted}", "0", not figures.unaccepted
    yield "behind the sync, p95", f"{behind_ms:.0f} ms", f"< {MOST_BEHIND_MS:.0f} ms", behind_ms < MOST_BEHIND_MS
    yield "memory without a model, peak", f"{figures.peak_mb:.0f} MB", "< 400 MB", figures.peak_mb < 400


def beside_rows(figures: Figures) -> Iterator[tuple[str, str]]:
    """Yield what goes with the figures and has no target."""
    yield "retrieval p50, p95", "{:.0f}, {:.0f} ms".format(*percentiles(figures.retrieval_ms))
    yield "behind the sync p50, max", f"{percentiles(figures.lag_ms)[0]:.0f}, {max(figures.lag_ms):.0f} ms"
    yield "last message to last answer", f"{figures.settled_s:.1f} s"


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile."""
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _cards(answers: Path) -> list[Path]:
    """Return the cards of all answers in the order they were given."""
    return sorted(answers.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)


def _retrieval_ms(cards: Sequence[Path]) -> list[float]:
    """Return what the search took for each answer."""
    return [json.loads(path.read_bytes())["answer"]["timings_ms"]["retrieval"] for path in cards]


async def _until(condition: Callable[[], object], *, every_s: float = POLL_S) -> None:
    async with asyncio.timeout(2 * PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - polled, as clients and folders have no event
            await asyncio.sleep(every_s)
