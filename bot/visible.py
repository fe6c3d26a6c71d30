"""The one visible message of a request: posted once, whatever dies, and then only edited."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from bot.chat import ChatAdapter
from bot.errors import BotError, UnavailableError
from bot.replies import Reply, Stage
from bot.requests import Request
from bot.store.claims import Claims
from bot.store.client import Store, text
from bot.store.keys import Keys
from bot.tracing import span

logger = logging.getLogger(__name__)

LOCK_MS = 30_000
HOLD_S = 20.0  # longest time the lock is held, well below its lifetime
POLL_S = 0.05


class PostLock:
    """Held by whoever touches the visible message of a request that no worker has yet; a worker waits for it.

    Args:
        store: Where.
        keys: Names.
        holder: The worker of this process; the lock counts for nothing once its lease has ended.
    """

    def __init__(self, store: Store, keys: Keys, holder: str) -> None:
        self._store = store
        self._keys = keys
        self._holder = holder

    async def acquire(self, request_id: str) -> bool:
        """Take it; False when somebody else holds it."""
        return bool(await self._store.call("SET", self._keys.post_lock(request_id), self._holder, "NX", "PX", LOCK_MS))

    async def release(self, request_id: str) -> None:
        """Give it back; only the holder calls this, within `HOLD_S`."""
        await self._store.call("DEL", self._keys.post_lock(request_id))

    async def wait(self, request_id: str) -> None:
        """Return as soon as nobody who lives holds it."""
        key = self._keys.post_lock(request_id)
        # The holder may be another process, so there is no event to wait for.
        while holder := text(await self._store.call("GET", key)):
            if not await self._store.call("EXISTS", self._keys.worker(holder)):
                return
            await asyncio.sleep(POLL_S)


async def show(chat: ChatAdapter, claims: Claims, request: Request, reply: Reply) -> Request:
    """Make `reply` the visible message of a request that this worker owns; returns the request as it is then.

    The first time it is posted: that it may be was stored when the request was taken, its id is stored after, so that a
    process that takes over finds a message that was posted and whose id was lost.

    Raises:
        NotFoundError: If the message was removed by somebody.
        UnavailableError: If the chat is away; try again later.
        RefusedError: If the bot may not post there.
        LostError: If the request belongs to another worker now.
    """
    message = request.message
    post_id = request.post_id
    if not post_id and request.posting:
        post_id = await chat.find(message.place, request.request_id, answers=message.message_id) or ""
        if post_id:
            request = await claims.update(request, post_id=post_id)
    with span("post", stage=reply.stage.value, edited=bool(post_id)):
        if post_id:
            await chat.edit(message.place, post_id, reply)
            return request
        post_id = await chat.post(message.place, reply, key=request.request_id, answers=message.message_id)
    return await claims.update(request, post_id=post_id)


class Drafts:
    """Shows a growing text, the newest only, as often as the chat bears; an async context manager.

    Args:
        edit: Shows a reply in place of the visible message.
        interval_s: Shortest time between two edits.
    """

    def __init__(self, edit: Callable[[Reply], Awaitable[None]], interval_s: float) -> None:
        self._edit = edit
        self._interval_s = interval_s
        self._text = ""
        self._sentence = ""
        self._grown = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Drafts:
        self._task = asyncio.create_task(self._run(), name="drafts")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let an edit that is on its way arrive, so that it cannot overtake what is shown next."""
        self._closing.set()
        self._grown.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    def add(self, piece: str) -> None:
        """Add what was written."""
        self._text += piece
        self._grown.set()

    def tell(self, sentence: str) -> None:
        """Say what is being done, for as long as nothing is written."""
        self._sentence = sentence
        self._grown.set()

    async def _run(self) -> None:
        while True:
            await self._grown.wait()
            self._grown.clear()
            if self._closing.is_set():
                return
            try:
                await self._edit(Reply(Stage.DRAFT, self._text) if self._text else Reply(Stage.WAITING, self._sentence))
            except UnavailableError as error:
                logger.debug("a draft was not shown: %s", error)
            except BotError as error:
                logger.info("no more drafts of an answer are shown: %s", error)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._closing.wait()
