"""Scenarios in Matrix: the real adapter over a real Synapse, in plain rooms and in encrypted ones."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import ClassVar, Self

from nio.crypto.attachments import encrypt_attachment
from nio.events import Event
from nio.responses import (
    DeviceList,
    DeviceOneTimeKeyCount,
    RoomInfo,
    Rooms,
    SyncResponse,
    Timeline,
    UploadResponse,
)
from pydantic import SecretStr

from adapters.matrix.adapter import MatrixAdapter
from adapters.matrix.options import Credentials, Options
from bot.chat import ChatAdapter
from bot.threads import RecentThreads
from tests.matrix_server.onlooker import Onlooker, onlooker
from tests.matrix_server.person import person
from tests.matrix_server.room_view import Line
from tests.matrix_server.synapse import Account, Synapse
from tests.scenarios.driver import SOURCE, Can, Driver

_HREF = re.compile(r'href="([^"]*)"')
_ADDRESS = re.compile(r"\bhttps?://[^\s<>\"')\]]+|\bmatrix\.to/\S+|@room")


class MatrixDriver(Driver):
    """People of a homeserver, each in a room with Locus; a question is known by its event. A context manager.

    Args:
        synapse: The homeserver.
        folder: Of Locus and of the people.
        redis_url: As of `Driver`.
        prefix: As of `Driver`.
    """

    name = "matrix"
    cannot: ClassVar[Mapping[Can, str]] = {}
    encrypted: ClassVar[bool] = False

    def __init__(self, synapse: Synapse, folder: Path, redis_url: str, prefix: str) -> None:
        super().__init__(redis_url, prefix)
        self._synapse = synapse
        self._folder = folder
        self._threads = RecentThreads()
        self._people = AsyncExitStack()
        self._bot: Account = synapse.register("locus")
        self._asked: dict[str, tuple[Onlooker, str, str]] = {}
        self._rooms: dict[str, Onlooker] = {}
        self._adapter: MatrixAdapter | None = None

    async def __aenter__(self) -> Self:
        for name in ("ada", "ben"):
            account = self._synapse.register(name)
            async with (
                person(self._synapse.url, account) as maker,
                person(self._synapse.url, self._bot) as bot,
            ):
                room = await maker.create_room(bot.user_id, encrypted=self.encrypted, name=f"The room of {name}")
                await bot.join(room)
            watching = onlooker(self._synapse.url, account, self._folder / name)
            self._rooms[room] = await self._people.enter_async_context(watching)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._people.aclose()

    def shown(self) -> str:
        lines = [line for room in self._rooms for line in self._lines(room)]
        links = [html.unescape(href) for line in lines for href in _HREF.findall(line.html)]
        return "\n".join([*(line.body for line in lines), *links])

    def leaks(self) -> list[str]:
        lines = [line for room in self._rooms for line in self._lines(room)]
        texts = [text for line in lines for text in (line.body, html.unescape(line.html))]
        found = {address for text in texts for address in _ADDRESS.findall(text)} - {SOURCE}
        sent = [content for room, who in self._rooms.items() for content in self._sent(who, room)]
        pictures = ["a picture" for line in lines if "<img" in line.html or line.content.get("msgtype") == "m.image"]
        return [*found, *pictures, *(f"calls {content['m.mentions']}" for content in sent if content.get("m.mentions"))]

    async def ask(self, text: str, *, elsewhere: bool = False) -> str:
        room, who = list(self._rooms.items())[elsewhere]
        event_id = await who.say(room, text, mention=[self._bot.user_id])
        return self._note(who, room, event_id, event_id)

    async def send_file(self, name: str, data: bytes, text: str) -> str:
        room, who = next(iter(self._rooms.items()))
        sealed, keys = encrypt_attachment(data) if self.encrypted else (data, None)
        answer, _ = await who.client.upload(lambda *_: io.BytesIO(sealed), filesize=len(sealed))
        assert isinstance(answer, UploadResponse), answer
        where = {"file": {**keys, "url": answer.content_uri}} if keys else {"url": answer.content_uri}
        await who.send(room, {"msgtype": "m.file", "body": name, "info": {"size": len(data)}, **where})
        return await self.ask(text)

    async def follow_up(self, question: str, text: str) -> str:
        who, room, root = self._asked[question]
        return self._note(who, room, root, await who.say(room, text, thread=root))

    async def edit(self, question: str, text: str) -> None:
        who, room, _ = self._asked[question]
        await who.edit(room, question, text, mention=[self._bot.user_id])

    async def delete(self, question: str) -> None:
        who, room, _ = self._asked[question]
        await who.redact(room, question)

    async def deliver_again(self, question: str) -> None:
        # As after a process that died before it had stored the position of its sync.
        _, room, _ = self._asked[question]
        assert self._adapter is not None
        assert self._adapter._acceptor is not None
        assert self._adapter._parts is not None
        source, _ = await self._adapter._parts.looking.event(room, question) or ({}, False)
        event = Event.parse_event(dict(source))
        assert isinstance(event, Event)
        event.decrypted = self.encrypted
        timeline = Timeline([event], False, None)
        again = SyncResponse(
            "again",
            Rooms({}, {room: RoomInfo(timeline, [], [], [])}, {}),
            DeviceOneTimeKeyCount(None, None),
            DeviceList([], []),
            [],
            [],
        )
        await self._adapter._acceptor.accept(again, False)

    async def stop(self, question: str) -> None:
        who, room, _ = self._asked[question]
        await self.until(lambda: self._answers(question))
        await who.react(room, self._answers(question)[-1].event_id, "🛑")

    async def again(self, question: str) -> None:
        who, room, _ = self._asked[question]
        await who.react(room, self._answers(question)[-1].event_id, "🔁️")

    async def vote_down(self, question: str, comment: str) -> None:
        who, room, root = self._asked[question]
        await who.react(room, self._answers(question)[-1].event_id, "👎🏽")
        await who.say(room, f"!locus bad {comment}", thread=root)

    async def passages(self, question: str) -> None:
        who, room, root = self._asked[question]
        await who.say(room, "!locus passages", thread=root)

    async def _open(self, stack: AsyncExitStack) -> ChatAdapter:
        options = Options(self._synapse.url, self._bot.user_id, edit_interval_s=0.01)
        credentials = Credentials(access_token=SecretStr(self._bot.access_token))
        self._adapter = MatrixAdapter(options, self._folder / "locus", credentials=credentials, threads=self._threads)
        return await stack.enter_async_context(self._adapter)

    async def _connected(self) -> None:
        adapter = self._adapter
        assert adapter is not None
        await self.until(lambda: adapter.connected)
        if self.encrypted:  # everybody has heard of Locus's keys
            await self.until(lambda: all(map(self._knows_keys, self._rooms.values())))

    def _knows_keys(self, who: Onlooker) -> bool:
        return any(True for _ in who.client.device_store.active_user_devices(self._bot.user_id))

    def _handle(self, question: str) -> str:
        return next(line.handle for line in self._answers(question) if line.handle)

    def _hang_up(self) -> None:
        pass

    def _note(self, who: Onlooker, room: str, root: str, event_id: str) -> str:
        self._asked[event_id] = (who, room, root)
        return event_id

    def _lines(self, room: str) -> list[Line]:
        return self._rooms[room].views[room].of(self._bot.user_id)

    def _sent(self, who: Onlooker, room: str) -> list[dict[str, object]]:
        return [content for sender, content in who.views[room].contents if sender == self._bot.user_id]

    def _answers(self, question: str) -> list[Line]:
        who, room, root = self._asked[question]
        return who.views[room].of(self._bot.user_id, root)


class EncryptedMatrixDriver(MatrixDriver):
    """The same where rooms are encrypted."""

    name = "matrix-encrypted"
    encrypted: ClassVar[bool] = True
