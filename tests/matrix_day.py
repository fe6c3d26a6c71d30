"""A day of one person in Matrix: `python -m tests.matrix_day` plays it and prints what people see.

The homeserver is a real Synapse, the rooms are encrypted, and the person's client keeps its own keys.
"""

from __future__ import annotations

import asyncio
import io
import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from nio.crypto.attachments import encrypt_attachment
from nio.responses import UploadResponse

from adapters.matrix.marks import FIELD
from tests.day import Day
from tests.day_parts import Said, genenetwork_settings, main
from tests.gn_server import GeneNetworkServer
from tests.locus_process import LocusProcess
from tests.matrix_server.faulty_proxy import FaultyProxy, Trouble
from tests.matrix_server.onlooker import Onlooker, onlooker
from tests.matrix_server.person import person
from tests.matrix_server.room_view import Line
from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON, Account, Synapse
from tests.soak.stage import make_index

SLOW_S = 4.0  # that the homeserver takes over a message where something is to happen before it is there
HELD_S = 600.0  # longer than a scene lasts: what is under way when Locus is killed never arrives
SEND = "/send/"


@dataclass(frozen=True, slots=True)
class Question:
    """A message that begins a thread."""

    room: str
    event_id: str


class MatrixDay(Day[Question]):
    """In an encrypted room and an encrypted direct one.

    Args:
        synapse: The homeserver.
        proxy: Through which Locus reaches it.
        accounts: Of Locus and of the person.
        ada: The person, at an open client.
        locus: As of `Day`.
        genenetwork: As of `Day`.
        tell: As of `Day`.
    """

    channel_word: ClassVar[str] = "room"

    def __init__(
        self,
        synapse: Synapse,
        proxy: FaultyProxy,
        accounts: tuple[Account, Account],
        ada: Onlooker,
        locus: LocusProcess,
        genenetwork: GeneNetworkServer,
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(locus, genenetwork, tell)
        self._synapse = synapse
        self._proxy = proxy
        self._bot, self._account = accounts
        self._ada = ada
        self._room = ""
        self._direct = ""
        self._sent = 0

    async def begin(self) -> None:
        self.scene("The operator logs Locus in, once")
        self.tell("$ locus matrix login")
        said = await asyncio.to_thread(self.locus.command, "matrix", "login", LOCUS_MATRIX_PASSWORD=self._bot.password)
        for row in said.splitlines():
            self.tell(row)
        await self.start()
        self.scene("An invitation to an encrypted room")
        self._room = await self._invite(direct=False)
        for line in await self.posted():
            self.show(line)

    async def connected(self) -> bool:
        return self._proxy.count("/sync") >= 2

    async def ask(self, text: str) -> Question:
        return Question(self._room, await self._ada.say(self._room, text, mention=[self._bot.user_id]))

    async def say(self, asked: Question, text: str) -> None:
        await self._ada.say(asked.room, text, thread=asked.event_id)

    async def ask_directly(self, text: str) -> Question:
        self._direct = await self._invite(direct=True)
        return Question(self._direct, await self._ada.say(self._direct, text))

    async def share(self, name: str, data: str) -> Question:
        self.scene("A file for Locus to learn")
        sealed, keys = encrypt_attachment(data.encode())
        answer, _ = await self._ada.client.upload(lambda *_: io.BytesIO(sealed), filesize=len(sealed))
        assert isinstance(answer, UploadResponse), answer
        content = {
            "msgtype": "m.file",
            "filename": name,
            "body": "learn this",
            "m.mentions": {"user_ids": [self._bot.user_id]},
            "info": {"mimetype": "text/markdown", "size": len(data.encode())},
            "file": {"url": answer.content_uri, **keys},
        }
        return Question(self._room, await self._ada.send(self._room, content))

    async def said(self, asked: Question) -> Sequence[Said]:
        lines = self._ada.views[asked.room].lines.values()
        return [self._said(line) for line in lines if asked.event_id in (line.event_id, line.root)]

    async def posted(self) -> Sequence[Said]:
        return [self._said(line) for line in self._ada.views[self._room].of(self._bot.user_id, "")]

    async def vote_down(self, asked: Question, comment: str) -> None:
        self.tell("ada reacts with 👎, and writes in the thread:")
        await self._react(asked, "👎")
        await self._tell_new(asked, f"!locus bad {comment}")

    async def passages(self, asked: Question) -> None:
        self.tell("ada reacts with 📄")
        before = await self.said(asked)
        await self._react(asked, "📄")
        await self._show_new(asked, before)

    async def again(self, asked: Question) -> None:
        self.tell("ada reacts with 🔁")
        await self._react(asked, "🔁")

    async def command(self, text: str) -> None:
        await self._command(self._room, text)

    async def own_data(self, text: str) -> None:
        await self._command(self._direct, text)

    async def hold(self, what: Literal["beginning", "end"]) -> None:
        self._sent = self._proxy.count(SEND)
        if what == "end":
            self._proxy.trouble(SEND, Trouble(), times=1)
        self._proxy.trouble(SEND, Trouble(delay_s=HELD_S if what == "end" else SLOW_S))

    async def begun(self, asked: Question) -> None:
        await self._proxy.requests(SEND, self._sent + 1)

    async def let_go(self) -> None:
        self._proxy.clear()

    async def _invite(self, *, direct: bool) -> str:
        """Make a room with Locus and wait until it has joined, greeted, and can be given keys."""
        bot = self._bot.user_id
        async with person(self._synapse.url, self._account) as maker:
            name = "" if direct else "Mouse lab"
            room = await maker.create_room(bot, encrypted=True, direct=direct, name=name)

        async def here() -> bool:
            known = any(self._ada.client.device_store.active_user_devices(bot))
            return known and bool(self._ada.views[room].of(bot))

        await self.until(here)
        return room

    async def _react(self, asked: Question, sign: str) -> None:
        answer = next(line for line in self._thread(asked) if line.handle)
        await self._ada.react(asked.room, answer.event_id, sign)

    async def _command(self, room: str, text: str) -> None:
        asked = Question(room, await self._ada.say(room, f"!locus {text}"))
        await self._show_new(asked, [], files=text == "export")

    async def _tell_new(self, asked: Question, text: str) -> None:
        before = await self.said(asked)
        await self.say(asked, text)
        await self._show_new(asked, before)

    async def _show_new(self, asked: Question, before: Sequence[Said], *, files: bool = False) -> None:
        """Wait until Locus has said something further in a thread, with a file, and show what is new there."""

        async def told() -> Sequence[Said]:
            new = (await self.said(asked))[len(before) :]
            told = any(line.by_bot for line in new) and not new[-1].text.endswith("…")  # it is at work
            return new if told and any(line.files for line in new) >= files else ()

        for line in await self.until(told):
            self.show(line)

    def _thread(self, asked: Question) -> list[Line]:
        return self._ada.views[asked.room].of(self._bot.user_id, asked.event_id)

    def _said(self, line: Line) -> Said:
        by_bot = line.sender == self._bot.user_id
        complete = by_bot and bool(line.handle) and not line.content.get(FIELD, {}).get("part_of")
        kind = line.content.get("msgtype")
        files = [str(line.content.get("filename", line.body))] if kind in ("m.file", "m.image") else []
        author = line.sender[1:].partition(":")[0]
        mention = "@locus " if self._bot.user_id in line.content.get("m.mentions", {}).get("user_ids", ()) else ""
        return Said(author, "" if files and line.body in files else mention + line.body, by_bot, complete, "", files)


async def play(tell: Callable[[str], None], short: bool = False, index: Path | None = None) -> None:
    """Play the day, in a temporary folder.

    Args:
        tell: Takes the lines of the transcript.
        short: Leaves most of it out.
        index: A data folder with an index; None makes one.

    Raises:
        RuntimeError: If Synapse is not installed.
    """
    if not SYNAPSE_PYTHON.exists():
        raise RuntimeError(MISSING)
    logging.getLogger("nio").setLevel(logging.CRITICAL)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ld-")))
        data_dir = index or folder / "data"
        if index is None:
            await asyncio.to_thread(make_index, data_dir)
        genenetwork = await stack.enter_async_context(GeneNetworkServer())
        synapse = stack.enter_context(Synapse())
        bot, account = (synapse.register(name, unique=False) for name in ("locus", "ada"))
        proxy = await stack.enter_async_context(FaultyProxy(synapse.url))
        ada = await stack.enter_async_context(onlooker(synapse.url, account, folder / "ada"))
        matrix = {"LOCUS_MATRIX_HOMESERVER": proxy.url, "LOCUS_MATRIX_USER": bot.user_id}
        locus = LocusProcess(data_dir, {**matrix, **genenetwork_settings(genenetwork)}, folder / "locus.log")
        stack.push_async_callback(asyncio.to_thread, locus.end)
        day = MatrixDay(synapse, proxy, (bot, account), ada, locus, genenetwork, tell)
        await (day.play_shortly() if short else day.play())


if __name__ == "__main__":
    main("tests.matrix_day", play)
