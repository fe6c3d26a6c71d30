"""What a homeserver does not take: too many events, too large ones. The real service over a real homeserver."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from nio.api import Api
from nio.crypto.attachments import decrypt_attachment
from nio.responses import MemoryDownloadResponse

from bot.store.client import Store
from tests.matrix_adapter import Asker, Stage
from tests.matrix_server.faulty_proxy import FaultyProxy
from tests.matrix_server.person import person
from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON, Synapse
from tests.redis_servers import RedisServer
from tests.writing_answerer import WritingAnswerer

BOTH = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
REVISIONS = 60
LARGEST = 65_536  # bytes of an event. Source: Matrix client-server API 1.17, "Size limits"


async def messages(stage: Stage, ada: Asker) -> list[dict[str, Any]]:
    """Messages and edits of Locus as they are stored."""
    async with person(stage.synapse.url, ada.who.account) as plain:
        stored = await plain.history(ada.room)
    kinds = ("m.room.message", "m.room.encrypted", "m.reaction")
    return [event for event in stored if event["sender"] == ada.bot and event["type"] in kinds]


@BOTH
async def test_m4_an_answer_of_sixty_revisions_within_the_default_rate_limit(
    tmp_path: Path, store: Store, redis_server: RedisServer, encrypted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes fewer than fifteen events, its final text is exact, and nobody reads of an error."""
    if not SYNAPSE_PYTHON.exists():
        pytest.skip(MISSING)
    answerer = WritingAnswerer()
    words = [f"word{number} " for number in range(REVISIONS)]
    with Synapse(limits=True) as synapse:
        stage = Stage(synapse, tmp_path, redis_server.url, store.prefix)
        async with (
            FaultyProxy(synapse.url) as proxy,
            stage.asking(encrypted=encrypted) as ada,
            stage.serving(answerer, url=proxy.url) as one,
        ):
            if encrypted:
                await ada.knows_locus()
            asked = await ada.ask("What happens?")
            await one.begun()
            for number, word in enumerate(words):
                answerer.write(word)
                if number < 8:  # a draft each, until the homeserver has had enough
                    await ada.sees(asked, word.strip())
            answerer.finish()
            line = await ada.answered(asked)
            await one.settled()
            stored = await messages(stage, ada)

            assert "".join(words).strip() == line.body.splitlines()[0]
            assert 1 == len(ada.lines())
            assert 15 > len(stored)
            assert 20 > proxy.count("/send/")
            assert 0 == await one.dead_letters()
            assert [] == [one for one in caplog.messages if "slow down" in one]


@BOTH
@pytest.mark.parametrize("kind", ["ascii", "chinese"])
async def test_m8_an_answer_of_40_000_characters_in_a_thread(
    stage: Stage, encrypted: bool, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Every event that is sent is taken, every word is there once and in order, and all of it is in the thread."""
    filling = "Some words of it. " * 30 if kind == "ascii" else "基因型と表現型。" * 60
    paragraphs = [f"(p{number}) {filling}" for number in range(72)]
    text = "\n\n".join(paragraphs)[:40_000]
    expected = [f"(p{number})" for number in range(72) if f"(p{number})" in text]
    answerer = WritingAnswerer()
    async with stage.asking(encrypted=encrypted) as ada, stage.serving(answerer) as one:
        if encrypted:
            await ada.knows_locus()
        root = await ada.say("I have a mouse.")
        await ada.ask("What happens?", thread=root)
        await one.begun()
        with caplog.at_level(logging.WARNING):
            for start in range(0, len(text), 2000):
                answerer.write(text[start : start + 2000])
            await ada.sees(root, "(p0)")
            answerer.finish()
            await ada.answered(root)
            await one.settled()
            await ada.caught_up()
        lines = ada.lines(root)
        stored = await messages(stage, ada)
        files = [await text_of(ada, line.content) for line in lines if line.content["msgtype"] == "m.file"]
        shown = [word for text in files or [line.body for line in lines] for word in text.split()]
        own = [record for record in caplog.records if record.name.startswith(("adapters.", "bot."))]

        assert [] == [record.getMessage() for record in own if record.levelno >= logging.WARNING]
        assert expected == [word for word in shown if word.startswith("(p")]
        assert [kind == "chinese"] == [bool(files)]  # what would take more than eight messages comes as a file
        assert lines == ada.lines()
        assert LARGEST > max(len(Api.to_canonical_json(event).encode()) for event in stored)
        assert 0 == await one.dead_letters()


async def text_of(ada: Asker, content: dict[str, Any]) -> str:
    """Download a file that was sent, and decrypt it where it is encrypted."""
    file = content.get("file", {})
    answer = await ada.who.client.download(file.get("url") or content["url"])
    assert isinstance(answer, MemoryDownloadResponse), answer
    if not file:
        return answer.body.decode()
    opened: bytes = decrypt_attachment(answer.body, file["key"]["k"], file["hashes"]["sha256"], file["iv"])
    return opened.decode()
