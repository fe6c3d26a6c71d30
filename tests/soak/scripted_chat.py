"""The soak's chat without a platform: `tests.chat_server`, which knows the plan's events as they are."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.chat_process import ChatProcess
from tests.chat_records import ChatEvent, Faults, Snapshot
from tests.soak.chat import AWAY_S, Chat
from tests.soak.plan import Planned

FAULTS = Faults(
    twice=0.2, twice_within_s=3.0, reordered=0.1, held_s=0.5, lost=0.03, failed=0.02, slow_s=0.02, redeliver_s=2.0
)
OUTAGES = (Faults(away_s=AWAY_S), Faults(limited_s=AWAY_S))  # added to the faults, one after the other


class ScriptedSoakChat(Chat):
    """Each post is a new message there: nothing in the chat keeps a second one away.

    Args:
        seed: Of its chances.

    Attributes:
        process: The server.
    """

    name = "scripted"

    def __init__(self, seed: int) -> None:
        self.process = ChatProcess(seed)

    async def __aenter__(self) -> Self:
        await self.process.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.process.__aexit__(kind, error, trace)

    @property
    def arguments(self) -> Sequence[str]:
        return ("--scripted", self.process.url)

    @property
    def settings(self) -> Mapping[str, str]:
        return {}

    async def prepare(self, plan: Sequence[Planned]) -> None:
        """Nothing: people and places are names only."""

    async def misbehave(self) -> None:
        await self.process.misbehave(FAULTS)

    async def fail(self, number: int) -> None:
        outage = OUTAGES[number % len(OUTAGES)]
        await self.process.misbehave(dataclasses.replace(FAULTS, away_s=outage.away_s, limited_s=outage.limited_s))
        await asyncio.sleep(AWAY_S)

    async def say(self, event: ChatEvent) -> None:
        await self.process.send(event)

    async def edit(self, event: ChatEvent) -> None:
        await self.process.send(event)

    async def delete(self, event: ChatEvent) -> None:
        await self.process.send(event)

    async def stop(self, event: ChatEvent) -> None:
        await self.process.send(event)

    async def snapshot(self) -> Snapshot:
        return await self.process.snapshot()
