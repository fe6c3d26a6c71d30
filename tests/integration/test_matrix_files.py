"""Files in Matrix: those that people send, and those that answers show; encrypted where the room is."""

from __future__ import annotations

import asyncio
import io
import struct
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from nio.crypto.attachments import decrypt_attachment, encrypt_attachment
from nio.responses import MemoryDownloadResponse, UploadResponse
from pydantic import SecretStr

from adapters.matrix.adapter import MatrixAdapter
from adapters.matrix.files import read_file
from adapters.matrix.options import Credentials, Options
from bot.bootstrap import open_application
from bot.errors import InvalidRequestError, NotFoundError
from bot.messages import FileReference, Place
from bot.replies import Attachment, Reply, Stage
from bot.service import Service
from bot.settings import Settings
from bot.store.client import Store
from bot.store.threads import JoinedThreads
from tests.matrix_adapter import ROLES, Asker, until
from tests.matrix_adapter import Stage as MatrixStage

BOTH = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 640, 480, 8, 2, 0, 0, 0) + b"\0" * 4
PROTOCOL = (
    b"# Perfusion protocol\n\nMice are perfused with 20 ml of chilled zebrafinch buffer. The pump runs at 4 ml/min.\n"
)


async def send_file(ada: Asker, data: bytes, *, encrypted: bool) -> tuple[str, FileReference]:
    """Send a file as clients do; return its event and how Locus knows it."""
    sealed, keys = encrypt_attachment(data) if encrypted else (data, None)
    answer, _ = await ada.who.client.upload(lambda *_: io.BytesIO(sealed), filesize=len(sealed))
    assert isinstance(answer, UploadResponse), answer
    content: dict[str, Any] = {"msgtype": "m.file", "body": "protocol.md"}
    content["info"] = {"mimetype": "text/markdown", "size": len(data)}
    content |= {"file": {**keys, "url": answer.content_uri}} if keys else {"url": answer.content_uri}
    reference = read_file(content)
    assert reference is not None
    return await ada.who.send(ada.room, content), reference


@BOTH
async def test_a_file_is_fetched_within_bounds(stage: MatrixStage, encrypted: bool) -> None:
    """Decrypted where it was encrypted; one byte too many is refused; one that is gone is not found."""
    async with stage.asking(encrypted=encrypted) as ada, stage.serving() as locus:
        _, file = await send_file(ada, PROTOCOL, encrypted=encrypted)
        place = Place("matrix", "localhost", ada.room)

        assert PROTOCOL == await locus.adapter.fetch(place, file, max_bytes=len(PROTOCOL))
        with pytest.raises(InvalidRequestError, match="larger"):
            await locus.adapter.fetch(place, file, max_bytes=len(PROTOCOL) - 1)
        with pytest.raises(NotFoundError):
            gone = FileReference("mxc://localhost/AAAAAAAAAAAAAAAAAAAAAAAA", "gone")
            await locus.adapter.fetch(place, gone, max_bytes=10)
        with pytest.raises(NotFoundError):
            await locus.adapter.fetch(place, FileReference("/etc/passwd", "x"), max_bytes=10)


@BOTH
async def test_a_picture_is_shown_below_its_answer(stage: MatrixStage, encrypted: bool) -> None:
    """Once, with its size, a thumbnail and what it shows in words; nobody else can read it in an encrypted room."""
    async with stage.asking(encrypted=encrypted) as ada, stage.serving() as locus:
        place = Place("matrix", "localhost", ada.room)
        picture = Attachment("plot.png", "image/png", PNG, alt="A peak on chromosome 2", caption="Genome scan")
        table = Attachment("values.csv", "text/csv", b"strain,value\n")
        reply = Reply(Stage.FINAL, "A digest.", attachments=(picture, table))
        root = await locus.adapter.post(place, reply, key="digest-1", answers="")
        await locus.adapter.edit(place, root, reply)
        await ada.caught_up()
        shown, saved = ada.lines(root)
        where = shown.content["file"] if encrypted else {"url": shown.content["url"]}
        answer = await ada.who.client.download(where["url"])
        assert isinstance(answer, MemoryDownloadResponse), answer
        body = answer.body
        if encrypted:
            body = decrypt_attachment(body, where["key"]["k"], where["hashes"]["sha256"], where["iv"])
        info = shown.content["info"]

        assert ["m.image", "m.file"] == [shown.content["msgtype"], saved.content["msgtype"]]
        assert PNG == body
        assert (640, 480, len(PNG)) == (info["w"], info["h"], info["size"])
        assert (640, 480) == (info["thumbnail_info"]["w"], info["thumbnail_info"]["h"])
        assert "Genome scan A peak on chromosome 2" == shown.body


async def test_a_question_below_a_digest_needs_no_mention(stage: MatrixStage) -> None:
    """A message that nobody asked for begins a thread that Locus takes part in."""
    async with stage.asking() as ada, stage.serving() as locus:
        place = Place("matrix", "localhost", ada.room)
        root = await locus.adapter.post(place, Reply(Stage.FINAL, "A digest."), key="digest-1", answers="")
        await ada.sees("", "A digest.")
        await ada.say("What is a QTL?", thread=root)
        await ada.answered(root)

        assert ["What is a QTL?"] == locus.questions


async def test_what_was_posted_before_a_restart_is_found(stage: MatrixStage) -> None:
    """In a thread and in the room itself; what was not posted is not."""
    async with stage.asking(encrypted=True) as ada:
        place = Place("matrix", "localhost", ada.room)
        async with stage.serving() as first:
            await ada.knows_locus()
            root = await first.adapter.post(place, Reply(Stage.FINAL, "A digest."), key="digest-1", answers="")
            below = Place("matrix", "localhost", ada.room, root)
            reply = await first.adapter.post(below, Reply(Stage.WAITING, "Reading."), key="request-1", answers=root)
        async with stage.serving() as second:
            found = await second.adapter.find(place, "digest-1", answers="")
            again = await second.adapter.find(below, "request-1", answers=root)
            nothing = await second.adapter.find(below, "request-2", answers=root)
            await second.adapter.remove(below, reply)
            await ada.caught_up()

    assert (root, reply, None) == (found, again, nothing)
    assert [root] == [line.event_id for line in ada.lines()]


async def test_a_file_is_taught_in_an_encrypted_room(stage: MatrixStage, store: Store, tmp_path: Path) -> None:
    """The file comes first, "learn this" after it; what it says is then an answer in that room."""
    settings = Settings.model_validate({"data_dir": tmp_path / "data", "rate_person": 0, "rate_channel": 0})
    options = Options(stage.synapse.url, stage.bot.user_id, edit_interval_s=0.01)
    credentials = Credentials(access_token=SecretStr(stage.bot.access_token))
    async with stage.asking(encrypted=True) as ada, AsyncExitStack() as stack:
        application = await stack.enter_async_context(open_application(settings))
        adapter = MatrixAdapter(options, stage.data, credentials=credentials, threads=JoinedThreads(store, days=1))
        await stack.enter_async_context(adapter)
        service = Service(settings, application, store, [adapter], ROLES)
        stop = asyncio.Event()
        task = asyncio.create_task(service.run(stop))
        try:
            await until(lambda: adapter.connected)
            await ada.knows_locus()
            await send_file(ada, PROTOCOL, encrypted=True)
            taught = await ada.ask("learn this")
            await ada.sees(taught, "keep")
            await ada.say("keep", thread=taught)
            await until(lambda: len(ada.lines(taught)) == 2 and "rest on" in ada.lines(taught)[1].body)
            asked = await ada.ask("With how much zebrafinch buffer are mice perfused?")
            await ada.sees(asked, "20 ml of chilled zebrafinch buffer")
        finally:
            stop.set()
            await task
