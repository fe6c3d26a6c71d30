"""Eight people ask one running process with a real model and a real index."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from bot.application import Application
from bot.bootstrap import ingest_sources, open_application
from bot.evidence import Answer
from bot.settings import Settings
from tests.documents import LAB, CountingProgress, write_documents
from tests.gguf_models import write_random_gguf


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """An indexed data folder and a random model."""
    model = write_random_gguf(tmp_path / "random.gguf")
    made = Settings(data_dir=tmp_path / "data", model=model, model_temperature=1.0, max_model_calls=1)
    await ingest_sources(
        made,
        [str(write_documents(tmp_path / "lab", LAB))],
        scope="public",
        progress=lambda _spec: CountingProgress(),
        report=lambda report, _spec: None,
    )
    return made


async def asked(application: Application, number: int, turns: Iterator[int]) -> tuple[list[int], Answer]:
    """Ask as person `number`; returns when its pieces came, counted over all people, and the answer."""
    pieces: list[int] = []
    question = "Which mice were crossed to make the BXD strains?"
    async with aclosing(application.stream(question, user=f"u{number}", conversation=f"c{number}")) as stream:
        async for piece in stream:
            if isinstance(piece, Answer):
                return pieces, piece
            pieces.append(next(turns))
    raise AssertionError("the stream ended without an answer")


async def test_eight_questions_at_once_overlap(settings: Settings) -> None:
    """All eight answers are under way before the first one is complete, and all of them end."""
    turns = itertools.count()
    async with open_application(settings) as application:
        answers = await asyncio.gather(*(asked(application, number, turns) for number in range(8)))

    begun = [pieces[0] for pieces, _ in answers]
    ended = [pieces[-1] for pieces, _ in answers]
    assert max(begun) < min(ended)
    assert ["model"] * 8 == [answer.mode for _, answer in answers]
