"""The soak's Matrix: a real Synapse, which is killed too, and a proxy through which Locus reaches it.

One process holds the account's device and keys; the others work, and post through it (`bot/store/relay.py`).
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from adapters.matrix.events import has_text
from adapters.matrix.places import server_of
from bot.messages import Audience, Place, request_id
from tests.chat_records import ChatEvent, EventKind, Snapshot
from tests.matrix_server.faulty_proxy import Trouble
from tests.matrix_server.watched_proxy import WatchedProxy
from tests.soak.chat import AWAY_S, Chat
from tests.soak.matrix_records import Act, Json, read_snapshot
from tests.soak.matrix_rooms import Reader, Town
from tests.soak.plan import Planned

LOOK_S: Final = 0.5  # that what was read counts as new
WITNESS: Final = "witness"  # is in every room that is not direct
CONNECTED: Final = "adapter,worker,scheduler"
WORKING: Final = "worker,scheduler"
SLOW_S: Final = 0.02
LOST: Final = (0.03, Trouble(lose=True))
FAILED: Final = (0.02, Trouble(status=502))
SLOW: Final = (0.3, Trouble(delay_s=SLOW_S))
LIMITED: Final[dict[str, object]] = {"errcode": "M_LIMIT_EXCEEDED", "error": "Slow down", "retry_after_ms": 500}


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that was written.

    Attributes:
        room: Where.
        event_id: Its id.
        root: Of its thread; its own id where it begins one.
        user: Who wrote it.
        mention: True when it names Locus.
    """

    room: str
    event_id: str
    root: str
    user: str
    mention: bool


class MatrixSoakChat(Chat):
    """People of a homeserver. Each conversation of a plan is a thread: of a room, or of a direct one.

    Private rooms and every other direct one are encrypted. A thread in a room begins with a mention; follow-ups need
    none as soon as Locus has said something there.

    Args:
        seed: Of its chances.
        edit_interval_s: As of the setting; shorter than by default, so that more happens.
    """

    name = "matrix"

    def __init__(self, seed: int, *, edit_interval_s: float = 0.5) -> None:
        self._seed = seed
        self._edit_interval_s = edit_interval_s
        self._stack = AsyncExitStack()
        self._town: Town
        self._proxy: WatchedProxy
        self._rooms: dict[str, str] = {}
        self._readers: dict[str, str] = {}
        self._roots: dict[tuple[str, str], str] = {}
        self._asked: dict[str, Asked] = {}
        self._acts: list[Act] = []
        self._looked_at = float("-inf")
        self._homeserver_kills = 0

    async def __aenter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lm-"))
        self._town = await self._stack.enter_async_context(Town(Path(folder)))
        self._proxy = await self._stack.enter_async_context(WatchedProxy(self._town.synapse.url, self._seed))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def arguments(self) -> Sequence[str]:
        return ()

    def roles(self, replica: int) -> str:
        return WORKING if replica else CONNECTED

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            **self._town.settings,
            "LOCUS_MATRIX_HOMESERVER": self._proxy.url,
            "LOCUS_MATRIX_EDIT_INTERVAL_S": f"{self._edit_interval_s}",
        }

    async def prepare(self, plan: Sequence[Planned]) -> None:
        events = [one.event for one in plan]
        people = sorted({event.user for event in events})
        await self._town.add_people([WITNESS, *people])
        for name, audience in sorted({(event.channel, event.audience) for event in events}):
            inside = sorted({event.user for event in events if event.channel == name})
            if audience is Audience.DIRECT:
                encrypted = len(self._readers) % 2 == 0
                room = await self._town.add_room(inside[0], encrypted=encrypted, direct=True)
                self._readers[room] = inside[0]
            else:
                public = audience is Audience.PUBLIC
                room = await self._town.add_room(WITNESS, inside, encrypted=not public, public=public)
                self._readers[room] = WITNESS
            self._rooms[name] = room
        for name in (WITNESS, *people):
            await self._town.reader(name)

    async def begun(self) -> bool:
        """True once Locus has its first position; what was said before is the past to it."""
        return self._proxy.going_on

    async def misbehave(self) -> None:
        self._proxy.by_chance(LOST, FAILED, SLOW)

    async def fail(self, number: int) -> None:
        """Kill the homeserver; answer 502, or 429; cut all connections."""
        match number % 4:
            case 0:
                self._homeserver_kills += 1
                await asyncio.to_thread(self._town.synapse.kill)
                await asyncio.sleep(AWAY_S)
                await asyncio.to_thread(self._town.synapse.start)
            case 1:
                await self._always(Trouble(status=502))
            case 2:
                await self._always(Trouble(status=429, body=LIMITED))
            case _:
                await self._always(Trouble(cut=True))

    async def _always(self, trouble: Trouble) -> None:
        self._proxy.trouble("", trouble)
        await asyncio.sleep(AWAY_S)
        self._proxy.clear()

    async def say(self, event: ChatEvent) -> None:
        room = self._rooms[event.channel]
        root = self._roots.get(event.conversation, "")
        mention = event.audience is not Audience.DIRECT and not (root and await self._takes_part(room, root))
        content = self._text(event.text, mention=mention)
        if root:
            fallback = {"is_falling_back": True, "m.in_reply_to": {"event_id": root}}
            content["m.relates_to"] = {"rel_type": "m.thread", "event_id": root, **fallback}
        sent_at = time.monotonic()
        event_id = await (await self._town.reader(event.user)).send(room, content)
        self._roots[event.conversation] = root or event_id
        asked = self._asked[event.message_id] = Asked(room, event_id, root or event_id, event.user, mention)
        self._note(event, asked, sent_at, event_id)

    async def edit(self, event: ChatEvent) -> None:
        asked, sent_at = self._asked[event.message_id], time.monotonic()
        new = self._text(event.text, mention=asked.mention)
        relation = {"rel_type": "m.replace", "event_id": asked.event_id}
        content = {**new, "body": f"* {event.text}", "m.new_content": new, "m.relates_to": relation}
        event_id = await (await self._town.reader(asked.user)).send(asked.room, content)
        self._note(event, asked, sent_at, event_id)

    async def delete(self, event: ChatEvent) -> None:
        asked, sent_at = self._asked[event.message_id], time.monotonic()
        event_id = await (await self._town.reader(asked.user)).redact(asked.room, asked.event_id)
        self._note(event, asked, sent_at, event_id)

    async def stop(self, event: ChatEvent) -> None:
        """React to an answer with 🛑; where there is none, nothing is done."""
        asked = self._asked[event.message_id]
        reference = self._reference(asked)
        snapshot = await self.snapshot()
        answer = next((post for post in snapshot.posts if post.key == reference and post.visible), None)
        if answer is None:
            return
        sent_at = time.monotonic()
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": answer.post_id, "key": "🛑"}}
        event_id = await (await self._town.reader(asked.user)).send(asked.room, content, "m.reaction")
        self._note(event, asked, sent_at, event_id)

    async def snapshot(self) -> Snapshot:
        await self._look()
        rooms = {room: await self._events(room) for room in self._readers}
        return read_snapshot(self._acts, rooms, self._town.bot.user_id, self._proxy)

    async def particulars(self) -> Sequence[tuple[str, str]]:
        sent, statuses = self._proxy.sent, self._proxy.statuses
        events = [event for room in self._readers for event in await self._events(room)]
        closed = [event for event in events if event.get("type") == "m.room.encrypted" and has_text(event)]
        return (
            ("kills of the homeserver", f"{self._homeserver_kills}"),
            ("requests of Locus", f"{statuses.total()}"),
            ("events sent, encrypted of them", f"{sent.total()}, {sent['m.room.encrypted']}"),
            ("that nobody could read", f"{len(closed)}"),
            ("requests answered with 429", f"{statuses[429]}"),
        )

    async def _look(self) -> None:
        """Let everybody who reads a room take what is new, unless that was just done."""
        if time.monotonic() - self._looked_at > LOOK_S:
            await asyncio.gather(*[(await self._town.reader(name)).look() for name in set(self._readers.values())])
            self._looked_at = time.monotonic()

    async def _events(self, room: str) -> Sequence[Json]:
        reader: Reader = await self._town.reader(self._readers[room])
        return list(reader.rooms[room].values())

    async def _takes_part(self, room: str, root: str) -> bool:
        """Tell whether Locus has said something in a thread, as far as it was seen."""
        bot = self._town.bot.user_id
        relations = [
            event["content"].get("m.relates_to", {}) for event in await self._events(room) if event["sender"] == bot
        ]
        return any(one.get("rel_type") == "m.thread" and one.get("event_id") == root for one in relations)

    def _text(self, text: str, *, mention: bool) -> dict[str, object]:
        mentions = {"user_ids": [self._town.bot.user_id]} if mention else {}
        return {"msgtype": "m.text", "body": text, "m.mentions": mentions}

    def _reference(self, asked: Asked) -> str:
        place = Place(self.name, server_of(self._town.bot.user_id), asked.room, asked.root)
        return request_id(place, asked.event_id)

    def _note(self, event: ChatEvent, asked: Asked, sent_at: float, event_id: str) -> None:
        noted = ChatEvent(
            event.kind,
            asked.room,
            asked.event_id,
            asked.user,
            event.text if event.kind in (EventKind.MESSAGE, EventKind.EDIT) else "",
            asked.root,
            float(len(self._acts)),
            event.version,
            event.audience,
            self.name,
            server_of(self._town.bot.user_id),
        )
        self._acts.append(Act(noted, sent_at, event_id))
