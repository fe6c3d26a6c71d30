"""An answerer whose answers last: long enough to be killed, edited or stopped in the middle of one."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot.evidence import Answer, Evidence
from bot.ports import Answerer, Asked
from tests.soak.checker import TAG

PIECES = 8


class PacedAnswerer:
    """Spreads another answerer's text over a time, and repeats the question's tag behind it.

    Args:
        answerer: Answers.
        shortest_s: Shortest time an answer takes.
        longest_s: Longest.
    """

    def __init__(self, answerer: Answerer, shortest_s: float, longest_s: float) -> None:
        self._answerer = answerer
        self._shortest_s = shortest_s
        self._longest_s = longest_s

    async def rewrite(self, asked: Asked) -> Asked:
        """Leave it to the other, without the tag: it is no word of the question."""
        rewritten = await self._answerer.rewrite(asked)
        return dataclasses.replace(rewritten, search_for=TAG.sub("", rewritten.search_for).strip())

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        """Yield the text piece by piece, then the answer."""
        answer: Answer | None = None
        async with aclosing(self._answerer.stream(asked, evidence)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    answer = piece
        assert answer is not None
        answer = dataclasses.replace(answer, text=" ".join([answer.text, *TAG.findall(asked.question)]))
        pause_s = random.uniform(self._shortest_s, self._longest_s) / PIECES
        size = -(-len(answer.text) // PIECES)
        for begin in range(0, len(answer.text), size):
            await asyncio.sleep(pause_s)
            yield answer.text[begin : begin + size]
        yield answer
