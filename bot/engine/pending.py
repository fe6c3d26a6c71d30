"""A request under way, as the chats' process keeps it until its last event has come from the model's process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.errors import BotError
from bot.generation import GenerationEvent, GenerationRequest


@dataclass(slots=True, eq=False)
class Pending:
    """A request under way.

    Attributes:
        request: What was asked.
        deadline: Monotonic seconds at which it ends.
        events: What has come and was not read yet.
        asked: How many processes it was sent to.
        spoke: Whether text has come from the present one.
    """

    request: GenerationRequest
    deadline: float
    events: asyncio.Queue[GenerationEvent | BotError] = field(default_factory=asyncio.Queue)
    asked: int = 0
    spoke: bool = False
