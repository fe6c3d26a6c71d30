"""An answerer whose words a test writes one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from bot.evidence import Answer, Citation, Evidence
from bot.ports import Asked
from tests.fakes import HeldAnswerer

CITATION = Citation(1, "A document", "a.md", "https://example.org/a", "quoted words")


class _Release(asyncio.Event):
    """Completes the answer when it is set, so that a service that ends waits for nothing."""

    def __init__(self, finish: Callable[[], None]) -> None:
        super().__init__()
        self._finish = finish

    def set(self) -> None:
        super().set()
        self._finish()


class WritingAnswerer(HeldAnswerer):
    """Says what `write` gives it, until `finish`; when nothing was written, the question.

    Args:
        citations: Of every answer.
        text: Said at once to every question, in place of what is written; "" waits for `finish`.
    """

    def __init__(self, citations: Sequence[Citation] = (CITATION,), *, text: str = "") -> None:
        super().__init__()
        self._citations = tuple(citations)
        self._text = text
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self.release = _Release(self.finish)

    def write(self, *pieces: str) -> None:
        """Let the answer grow."""
        for piece in pieces:
            self._pieces.put_nowait(piece)

    def finish(self) -> None:
        """Let the answer be complete."""
        self._pieces.put_nowait(None)

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        """Yield the pieces, then the answer that they make."""
        self.asked.append(asked)
        text = self._text
        self.begun.set()
        if text:
            yield text
        else:
            while (piece := await self._pieces.get()) is not None:
                text += piece
                yield piece
        yield Answer(asked.question, text or asked.question, "model", True, self._citations, 0.9)
