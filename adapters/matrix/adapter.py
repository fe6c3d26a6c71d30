"""Matrix behind the port of a chat: connects, delivers, shows."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from adapters.matrix.accepting import Acceptor
from adapters.matrix.connecting import make_parts
from adapters.matrix.direct import direct_place
from adapters.matrix.memberships import Memberships
from adapters.matrix.options import Credentials, Options
from adapters.matrix.pace import Pace
from adapters.matrix.parts import Parts
from adapters.matrix.places import CHAT
from adapters.matrix.posts import Post
from adapters.matrix.relations import transaction_id
from adapters.matrix.sending import REACTION
from adapters.matrix.session import Session
from adapters.matrix.syncing import Syncing
from bot.chat import Reception
from bot.errors import InvalidRequestError, NotFoundError, RefusedError, SettingsError, UnavailableError
from bot.messages import FileReference, IncomingMessage, Place
from bot.messages import Sender as MessageSender
from bot.replies import Reply, Stage
from bot.threads import LoopGuard, RecentThreads, Threads

logger = logging.getLogger(__name__)

CONNECT_S: Final = 20.0  # that a post waits for a connection
AWAY_PAUSE_S: Final = 5.0
SILENT_S: Final = 180.0  # an answer is due every half a minute, and failures are half a minute apart at most
FIRST_S: Final = 900.0  # the state of all rooms may take ten minutes
LOOK_EVERY_S: Final = 10.0
OFFERED: Final = ("👍", "👎")

Pause = Callable[[float], Awaitable[None]]


class MatrixAdapter:
    """One account; implements `bot.chat.ChatAdapter` and is an asynchronous context manager.

    Args:
        options: What the lab has chosen.
        folder: Where session, keys and position are kept, such as DATA/matrix.
        credentials: What it logs in with when no session is kept there.
        threads: Where it is stored in which threads the bot takes part; by default this process alone knows.
        pause: Waits so many seconds; for tests with another clock.

    Attributes:
        draft_interval_s: Shortest time between two edits of one message.
    """

    name = CHAT

    def __init__(
        self,
        options: Options,
        folder: Path,
        *,
        credentials: Credentials | None = None,
        threads: Threads | None = None,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self.draft_interval_s = options.edit_interval_s
        self._options = options
        self._folder = folder
        self._credentials = credentials
        self._threads = threads or RecentThreads()
        self._pause = pause
        self._pace = Pace(pause=pause)
        self._guard = LoopGuard()
        self._parts: Parts | None = None
        self._acceptor: Acceptor | None = None
        self._connected = asyncio.Event()
        self._trouble: SettingsError | None = None
        self._doubt = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts = None

    @property
    def connected(self) -> bool:
        """True while it is logged in and knows its rooms."""
        return self._connected.is_set()

    @property
    def parts(self) -> Parts:
        """The parts of the session.

        Raises:
            UnavailableError: While there is none.
        """
        if self._parts is None:
            raise UnavailableError("Locus is not connected to Matrix.", retry_after_s=AWAY_PAUSE_S)
        return self._parts

    async def run(self, reception: Reception) -> None:
        """Connect and deliver until cancelled; see `bot.chat.ChatAdapter`.

        Raises:
            SettingsError: If it cannot log in, or the homeserver has ended the session.
            StorageError: If the keys are gone or damaged, or another process is connected.
            UnavailableError: If the homeserver is away when it connects.
        """
        self._trouble = None
        self._doubt.clear()
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(Session(self._options, self._folder, self._credentials))
            parts = await make_parts(session, reception, self._threads, self._pace, self._pause)
            stack.push_async_callback(parts.work.close)
            memberships = Memberships(parts, pause=self._pause)
            acceptor = self._acceptor = Acceptor(parts, self._guard, memberships)
            syncing = Syncing(session, session.folder.position, acceptor.accept, pause=self._pause)
            opening = asyncio.create_task(self._open(parts, acceptor, syncing), name="matrix connection")
            tasks = [
                asyncio.create_task(syncing.run(), name="matrix sync"),
                opening,
                asyncio.create_task(self._watch(), name="matrix trouble"),
                asyncio.create_task(_watch_silence(syncing), name="matrix silence"),
            ]
            try:
                ending = [task for task in tasks if task is not opening]
                await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
                for task in ending:
                    if task.done():
                        task.result()
            finally:
                self._connected.clear()
                self._parts = None
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self, parts: Parts, acceptor: Acceptor, syncing: Syncing) -> None:
        """Let posts through as soon as the rooms are known: that is, before the first events are answered."""
        await syncing.ready.wait()
        self._parts = parts
        self._connected.set()
        await acceptor.begin()

    async def _watch(self) -> None:
        """Raise what has gone wrong with a post and somebody has to mend.

        Raises:
            SettingsError: That.
        """
        await self._doubt.wait()
        if self._trouble is not None:
            raise self._trouble

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        parts = await self._ready()
        room = parts.book.room(place.channel)
        with self._guarded():
            try:
                post = await parts.showing.post(room, place.thread, reply, key=key)
            except InvalidRequestError:
                if room == place.channel or not place.thread:
                    raise
                # The thread stands in the room that this one has replaced.
                post = await parts.showing.post(room, "", reply, key=key)
            self._follow(parts, post, reply)
        if not answers and not place.thread:
            await self._join(dataclasses.replace(place, thread=post.event_id))
        return post.event_id

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        parts = await self._ready()
        room = parts.book.room(place.channel)
        post = parts.posts.get(post_id) or await self._found(parts, room, place.thread, post_id)
        with self._guarded():
            try:
                await parts.showing.edit(post, reply)
            except (RefusedError, InvalidRequestError, NotFoundError):
                if room == place.channel or not reply.final or post.redacted:
                    raise
                # The message stands in the room that this one has replaced.
                await parts.showing.post(room, "", reply, key=f"{post_id} moved")
            self._follow(parts, post, reply)

    async def remove(self, place: Place, post_id: str) -> None:
        parts = await self._ready()
        room = parts.book.room(place.channel)
        post = parts.posts.get(post_id) or await self._found(parts, room, place.thread, post_id)
        parts.typing.end(post.room, post_id)
        with self._guarded():
            await parts.showing.remove(post)

    async def find(self, place: Place, key: str, *, answers: str) -> str | None:
        parts = await self._ready()
        known = parts.posts.find(key)
        if known is not None:
            return known.event_id
        room = parts.book.room(place.channel)
        with self._guarded():
            found = await parts.looking.find(room, place.thread, key, transaction_id(key))
        if found is not None:
            parts.posts.note(Post(found, room, place.thread, key))
            if not answers and not place.thread:
                await self._join(dataclasses.replace(place, thread=found))
        return found

    async def fetch(self, place: Place, file: FileReference, *, max_bytes: int) -> bytes:
        parts = await self._ready()
        with self._guarded():
            return await parts.transfers.fetch(file, max_bytes=max_bytes)

    async def ascertain(self, message: IncomingMessage) -> IncomingMessage:
        return message  # the room's state is here before its messages are

    async def belongs(self, sender: MessageSender, group: str) -> bool:
        return False  # Matrix keeps no groups of people

    async def direct(self, user: str) -> Place:
        parts = await self._ready()
        with self._guarded():
            return await direct_place(parts, user)

    async def _found(self, parts: Parts, room: str, root: str, post_id: str) -> Post:
        """Return a message that an earlier process has posted."""
        own = await parts.posts.own(room, post_id)
        key = own.key if own is not None else ""
        return parts.posts.note(Post(post_id, room, root, key, own.handle if own is not None else ""))

    async def _ready(self) -> Parts:
        """Return the parts of the session.

        Raises:
            UnavailableError: If there is none, and it does not come in a while.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                await self._connected.wait()
        return self.parts

    def _follow(self, parts: Parts, post: Post, reply: Reply) -> None:
        """Show what goes with a reply: that it is being written, or how to say what one thinks of it."""
        if reply.final:
            parts.typing.end(post.room, post.event_id)
            if self._options.offer_reactions and reply.handle:
                parts.work.begin("offering reactions", self._offer(parts, post))
        elif reply.begins_stream or reply.stage is Stage.DRAFT:
            parts.typing.begin(post.room, post.event_id)

    async def _offer(self, parts: Parts, post: Post) -> None:
        for sign in OFFERED:
            relation = {"rel_type": "m.annotation", "event_id": post.event_id, "key": sign}
            with contextlib.suppress(InvalidRequestError):  # it stands there already
                await parts.sender.draft(
                    post.room,
                    {"m.relates_to": {**relation}},
                    transaction_id(post.event_id, revision=sign),
                    kind=REACTION,
                )

    async def _join(self, place: Place) -> None:
        """Take part in the thread that a message begins which nobody asked for: replies there are for the bot."""
        try:
            await self._threads.join(place)
        except UnavailableError as error:  # the message is shown, and counts more
            logger.warning("questions below a message will need a mention: %s", error)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """What an administrator can mend makes a question wait; losing it would be worse.

        Raises:
            UnavailableError: Instead of SettingsError, which ends `run` so that everybody hears of it.
        """
        try:
            yield
        except SettingsError as error:
            self._trouble = error
            self._doubt.set()
            raise UnavailableError(str(error), retry_after_s=AWAY_PAUSE_S) from error


async def _watch_silence(syncing: Syncing) -> None:
    """Raise when the homeserver is away for long: the health page says so, and the connection is made anew.

    Raises:
        UnavailableError: Then.
    """
    now = asyncio.get_running_loop().time
    since = now()
    while now() - (syncing.last_answer or since) < (SILENT_S if syncing.ready.is_set() else FIRST_S):  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY_S)
    raise UnavailableError("The Matrix homeserver does not answer.", retry_after_s=AWAY_PAUSE_S)
