"""The soak's first part: questions while replicas are killed and Redis is restarted."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.store.client import Store
from tests.chat_records import SNAPSHOT, Snapshot
from tests.soak.chat import Chat
from tests.soak.checker import TAG, Ending, Question, Violation, check, questions_of
from tests.soak.keys import Leftovers, take_stock
from tests.soak.plan import Planned, Sizes, make_plan
from tests.soak.replicas import Exit, Replicas
from tests.soak.stage import Stage, set_stage

REDIS_AWAY_S = (0.3, 3.0)
POLL_S = 0.5
SETTLE_S = 3.0  # after the last answer, in which nothing may change


@dataclass(frozen=True, slots=True)
class Hardships:
    """What happens to the service.

    Attributes:
        replicas: Processes that share the work.
        kills: SIGKILLs in all.
        blackouts: Times all replicas are killed at once, beyond these.
        redis_restarts: Times Redis is stopped and started again.
        chat_outages: Times the chat fails for a while.
        patience_s: Longest time after the last event until everything must have ended.
    """

    replicas: int = 3
    kills: int = 100
    blackouts: int = 3
    redis_restarts: int = 5
    chat_outages: int = 4
    patience_s: float = 240.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a soak has shown.

    Attributes:
        snapshot: The chat's records.
        violations: Broken promises.
        leftovers: Keys in Redis.
        exits: How replicas ended.
        crashes: Those that ended by themselves, though they were at work or Redis was there.
        redis_restarts: How often it was.
        texts_in_logs: Lines of logs that hold a question or an answer.
        errors: Lines of logs that are errors, without their times, and how often each was written.
        wall_s: How long it took.
        particulars: What else has happened in the chat.
    """

    snapshot: Snapshot
    violations: Sequence[Violation]
    leftovers: Leftovers
    exits: Sequence[Exit]
    crashes: Sequence[Exit]
    redis_restarts: int
    texts_in_logs: int
    errors: Counter[str]
    wall_s: float
    particulars: Sequence[tuple[str, str]] = ()

    @property
    def questions(self) -> list[Question]:
        """All questions."""
        return questions_of(self.snapshot)[0]

    @property
    def endings(self) -> Counter[Ending]:
        """What the questions got."""
        return Counter(question.ending for question in self.questions)

    @property
    def failed(self) -> bool:
        """True if any promise was broken."""
        return bool(self.violations or self.leftovers.leaked or self.crashes or self.texts_in_logs)


class Soak:
    """One run.

    Args:
        stage: What it runs on.
        hardships: What happens.
        seed: Of all chances but those of timing.
    """

    def __init__(self, stage: Stage[Chat], hardships: Hardships, seed: int) -> None:
        self._stage = stage
        self._hardships = hardships
        self._chance = random.Random(seed)
        self._redis_away: list[tuple[float, float]] = []

    async def run(self, plan: Sequence[Planned]) -> Outcome:
        """Play the plan and return what it has shown."""
        stage, begun = self._stage, time.monotonic()
        duration_s = plan[-1].at_s
        await stage.chat.prepare(plan)
        replicas = Replicas(
            self._hardships.replicas, stage.chat.arguments, stage.environment, stage.folder, stage.chat.roles
        )
        await stage.chat.misbehave()
        async with replicas:
            await replicas.ready()
            while not await stage.chat.begun():  # noqa: ASYNC110 - as in `_kill`
                await asyncio.sleep(POLL_S)
            async with asyncio.TaskGroup() as happening:
                happening.create_task(self._play(plan))
                happening.create_task(self._kill(replicas, duration_s))
                happening.create_task(self._black_out(replicas, duration_s))
                happening.create_task(self._restart_redis(duration_s))
                happening.create_task(self._fail_chat(duration_s))
            await self._until_ended()
        snapshot = await stage.chat.snapshot()
        lines = await asyncio.to_thread(stage.log_lines)
        await asyncio.to_thread((stage.folder / "snapshot.json").write_text, SNAPSHOT.dump(snapshot))
        store = Store(stage.redis.url)
        try:
            leftovers = await take_stock(store)
        finally:
            await store.close()
        return Outcome(
            snapshot,
            check(snapshot),
            leftovers,
            replicas.exits,
            [one for one in replicas.exits if self._is_crash(one)],
            len(self._redis_away),
            sum(bool(TAG.search(line)) for line in lines),
            Counter(line.partition(" ")[2].partition(" [")[0] for line in lines if " ERROR " in line),
            time.monotonic() - begun,
            await stage.chat.particulars(),
        )

    async def _play(self, plan: Sequence[Planned]) -> None:
        begun = time.monotonic()
        for planned in plan:
            await asyncio.sleep(begun + planned.at_s - time.monotonic())
            await self._stage.chat.act(planned.event)

    async def _kill(self, replicas: Replicas, within_s: float) -> None:
        """Kill at random moments, and go on beyond the time where there was nobody to kill."""
        mean_s = within_s / max(1, self._hardships.kills)
        left = self._hardships.kills
        while left:
            await asyncio.sleep(self._chance.uniform(0, 2 * mean_s))
            while not await self._stage.chat.bears_a_kill():  # noqa: ASYNC110 - a chat has no event for it
                await asyncio.sleep(POLL_S)
            left -= replicas.kill_one(self._chance)

    async def _black_out(self, replicas: Replicas, within_s: float) -> None:
        for _ in range(self._hardships.blackouts):
            await asyncio.sleep(within_s / (self._hardships.blackouts + 1))
            replicas.kill_all(self._chance)

    async def _restart_redis(self, within_s: float) -> None:
        times = sorted(self._chance.uniform(0, within_s) for _ in range(self._hardships.redis_restarts))
        begun = time.monotonic()
        for at_s in times:
            await asyncio.sleep(begun + at_s - time.monotonic())
            stopped_at = time.monotonic()
            await asyncio.to_thread(self._stage.redis.stop)
            await asyncio.sleep(self._chance.uniform(*REDIS_AWAY_S))
            await asyncio.to_thread(self._stage.redis.start)
            self._redis_away.append((stopped_at, time.monotonic()))

    async def _fail_chat(self, within_s: float) -> None:
        count = self._hardships.chat_outages
        for number in range(count):
            await asyncio.sleep(within_s / (count + 1))
            await self._stage.chat.fail(number)

    async def _until_ended(self) -> None:
        """Wait until every question has ended and stays so, or patience does."""
        deadline = time.monotonic() + self._hardships.patience_s
        ended_at = float("inf")
        while time.monotonic() < min(deadline, ended_at + SETTLE_S):
            await asyncio.sleep(POLL_S)
            snapshot = await self._stage.chat.snapshot()
            questions, _ = questions_of(snapshot)
            ended = all(record.settled for record in snapshot.events) and all(one.ended for one in questions)
            ended_at = min(ended_at, time.monotonic()) if ended else float("inf")

    def _is_crash(self, replica: Exit) -> bool:
        """True unless it was killed, told to stop, or could not begin because Redis was away."""
        away = any(replica.begun < back and away < replica.at for away, back in self._redis_away)
        return not replica.killed and replica.status != 0 and (replica.worked or not away)


async def run_soak(
    folder: Path,
    index: Path,
    chat: Chat,
    sizes: Sizes,
    hardships: Hardships,
    *,
    seed: int,
    settings: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a soak; folder, index, chat and settings as in `set_stage`."""
    async with set_stage(folder, index, chat, settings or {}) as stage:
        return await Soak(stage, hardships, seed).run(make_plan(sizes, seed))
