"""The log of what goes well and of what fails, in every chat: no word of anybody, and the reference in every line."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.errors import BotError, InvalidRequestError, NotFoundError, UnavailableError
from bot.log import JsonLines
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from tests.redis_servers import RedisServer
from tests.scenarios.driver import Driver
from tests.scenarios.matrix_driver import EncryptedMatrixDriver, MatrixDriver
from tests.scenarios.slack_driver import SlackDriver
from tests.scenarios.terminal_driver import TerminalDriver
from tests.scenarios.test_scenarios import make_driver
from tests.teaching import taught_application

CANARY = "Canarybird"
OF_REQUESTS = {"bot.pipeline", "bot.worker", "bot.application", "bot.answer_writer", "bot.visible"}
CHATS = [TerminalDriver, SlackDriver, MatrixDriver, EncryptedMatrixDriver]


class Log:
    """What `locus run` would write at the level info."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(JsonLines())

    @property
    def written(self) -> str:
        """All of it."""
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, object]]:
        """Each line."""
        return [json.loads(line) for line in self.written.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    """The log of the parts of Locus while a test runs."""
    one, names = Log(), ("bot", "adapters", "knowledge")
    before = [logging.getLogger(name).level for name in names]
    for name in names:
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).addHandler(one.handler)
    yield one
    for name, level in zip(names, before, strict=True):
        logging.getLogger(name).removeHandler(one.handler)
        logging.getLogger(name).setLevel(level)


@pytest.fixture(params=CHATS, ids=lambda kind: kind.name)
async def chat(redis_server: RedisServer, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """A chat whose service is not started yet."""
    async with AsyncExitStack() as stack:
        yield await make_driver(request.param, stack, redis_server.url, tmp_path / "chat", request)


def quoting(kind: type[BotError]) -> BotError:
    """An error whose sentence quotes what was asked."""
    return kind(f"There is nothing called {CANARY} here.")


async def test_the_log_quotes_no_question(chat: Driver, log: Log) -> None:
    """Answered, not answered, failed once, refused with a sentence that quotes it, commented on, asked again."""
    await chat.start()
    question = await chat.ask(f"What is a {CANARY}?")
    await chat.sees(f"About: What is a {CANARY}?")
    await chat.settled()
    await chat.vote_down(question, f"wrong {CANARY}")
    await chat.sees("Thank you, noted.")
    for number, failure in enumerate(
        (quoting(InvalidRequestError), quoting(NotFoundError), quoting(BotError), ValueError(f"no {CANARY}"))
    ):
        chat.answerer.failures = [failure]
        await chat.ask(f"Is {CANARY} number {number} known, or is it unknown?")
        await chat.until(lambda: not chat.answerer.failures)
        await chat.settled()
    chat.answerer.failures = [UnavailableError("The model is away.")]
    await chat.ask(f"When is {CANARY} away?")
    await chat.sees(f"About: When is {CANARY} away?")
    await chat.settled()
    # A question is settled a moment before its line is written.
    await chat.until(lambda: log.written.count('"handled"') == 6)
    references = {str(one.get("request", "")) for one in log.lines if one["logger"] in OF_REQUESTS}
    messages = [str(one["message"]) for one in log.lines]

    assert CANARY.lower() not in log.written.lower()
    assert 6 == len(references)
    assert "" not in references
    assert 6 == messages.count("handled")
    assert 3 == len([one for one in messages if re.match("a question could not be answered: \\w+Error$", one)])
    assert [one for one in log.lines if "ValueError" in str(one.get("trace", ""))]
    assert [one for one in messages if one.endswith("The model is away.")]


async def test_the_log_names_no_file(chat: Driver, log: Log, embedder: MiniLmEmbedder, tmp_path: Path) -> None:
    """Neither one that is learnt nor one that cannot be, nor what stands in them."""
    index = KnowledgeIndex(tmp_path / "index", embedder)
    try:
        await chat.start(application=taught_application(index, tmp_path))
        data = f"# {CANARY} protocol\n\nThe {CANARY} is fixed in zebrafinch solution overnight.\n".encode()
        shared = await chat.send_file(f"{CANARY}.md", data, "learn this")
        await chat.sees(f"{CANARY} protocol")
        await chat.settled()
        await chat.follow_up(shared, "keep")
        await chat.sees("rest on it from now on")
        await chat.settled()
        await chat.send_file(f"{CANARY}-2.pdf", b"%PDF-1.4 " + bytes(range(200)), "learn this")
        await chat.settled()
        await chat.ask(f"In what is the {CANARY} fixed overnight?")
        await chat.sees("zebrafinch solution overnight.")
        await chat.settled()
    finally:
        await chat.end()
        index.close()

    assert CANARY.lower() not in log.written.lower()
    assert [one for one in log.lines if one["message"] == "handled"]
