"""One Redis server: commands in batches, optimistic transactions, messages to other processes.

Commands are tuples of plain values and replies come back as Redis sent them (RESP2: text, whole numbers, None, lists),
so that every round trip is visible where it is made. Only commands of Redis 6.2 are used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar, cast

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.errors import BotError
from bot.store.errors import translated

logger = logging.getLogger(__name__)

Value = str | bytes | int | float
Command = tuple[Value, ...]
Reply = str | int | None | list["Reply"]
T = TypeVar("T")

CONNECT_TIMEOUT_S = 3.0
REPLY_TIMEOUT_S = 10.0  # longer than any blocking command waits
CONNECTIONS = 64
CONFLICT_PAUSE_S = 0.002  # mean pause before a transaction is tried again
MAX_CONFLICTS = 200


class ConflictError(BotError):
    """A watched key was changed by another client; the transaction did nothing and may be tried again."""

    retryable = True


class Watch:
    """Keys watched on one connection from the first `read` until `commit`, then anew; made by `Store.watch`."""

    def __init__(self, connection: Connection, keys: Sequence[str]) -> None:
        self._connection = connection
        self._keys = keys
        self._open = False

    async def read(self, *commands: Command, also: Sequence[str] = ()) -> list[Reply]:
        """Run reading commands after everything is watched, `also` included, in one round trip."""
        keys = [*(() if self._open else self._keys), *also]
        watch: list[Command] = [("WATCH", *keys)] if keys else []
        self._open = True
        replies = await _exchange(self._connection, [*watch, *commands])
        return replies[len(watch) :]

    async def commit(self, *commands: Command) -> list[Reply]:
        """Run all commands, or none.

        Raises:
            ConflictError: If a watched key was changed meanwhile.
        """
        self._open = False
        replies = await _exchange(self._connection, [("MULTI",), *commands, ("EXEC",)])
        done = replies[-1]
        if done is None:
            raise ConflictError("Another process was faster; try again.")
        return cast("list[Reply]", done)

    async def close(self) -> None:
        """Stop watching."""
        if self._open:
            await _exchange(self._connection, [("UNWATCH",)])


class Store:
    """A server and the prefix of all our keys; made by `bot.store.opening`."""

    def __init__(
        self, url: str, *, prefix: str = "locus", username: str | None = None, password: str | None = None
    ) -> None:
        """Prepare connections; none is made yet.

        Args:
            url: redis://, rediss:// or unix:// address.
            prefix: Every key and channel begins with it and a colon.
            username: For an ACL user; the address' own is used where none is given.
            password: Likewise.
        """
        self.prefix = prefix
        credentials = {name: value for name, value in (("username", username), ("password", password)) if value}
        with translated():
            self._pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=REPLY_TIMEOUT_S,
                decode_responses=True,
                socket_connect_timeout=CONNECT_TIMEOUT_S,
                # With a limit of its own the library waits by `asyncio.wait_for`, which swallows a cancellation now and
                # then before Python 3.12; `_exchange` has the limit instead.
                socket_timeout=None,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                driver_info=None,  # no CLIENT SETINFO, which Redis 6.2 and an ACL user do not have
                **credentials,
            )
        self._client = Redis(connection_pool=self._pool)

    def key(self, *parts: str) -> str:
        """Return a key or channel below the prefix."""
        return ":".join((self.prefix, *parts))

    async def call(self, *command: Value) -> Reply:
        """Run one command; raises as `batch`."""
        return (await self.batch(command))[0]

    async def batch(self, *commands: Command) -> list[Reply]:
        """Run commands in one round trip, each on its own.

        Raises:
            UnavailableError: If the server is away or refuses to write; the sentence names the reason.
            StorageError: If the server refuses a command for another reason.
        """
        async with self._connection() as connection:
            return await _exchange(connection, commands)

    async def transaction(self, *commands: Command) -> list[Reply]:
        """Run all commands or none, without other clients' commands between them."""
        async with self._connection() as connection:
            replies = await _exchange(connection, [("MULTI",), *commands, ("EXEC",)])
        return cast("list[Reply]", replies[-1])

    @asynccontextmanager
    async def watch(self, *keys: str) -> AsyncIterator[Watch]:
        """Watch keys, read, decide, and commit what follows from it; see `attempt`."""
        async with self._connection() as connection:
            watch = Watch(connection, keys)
            try:
                yield watch
            finally:
                with contextlib.suppress(BotError):
                    await watch.close()

    async def attempt(self, body: Callable[[Watch], Awaitable[T]], *keys: str) -> T:
        """Run `body` with the keys watched, again as long as another client was faster.

        Raises:
            ConflictError: After `MAX_CONFLICTS` attempts.
        """
        for tried in range(MAX_CONFLICTS):
            try:
                async with self.watch(*keys) as watch:
                    return await body(watch)
            except ConflictError:
                await asyncio.sleep(random.uniform(0, 2 * CONFLICT_PAUSE_S * min(tried + 1, 10)))  # noqa: S311 - spreads
        raise ConflictError("The state in Redis changes too fast to be written: too many processes share it.")

    async def listen(self, *channels: str) -> AsyncGenerator[tuple[str, str] | None]:
        """Yield (channel, text) as published, and None once a second and whenever the subscription is (re)made.

        What is published while the connection is away is lost: a listener looks at the state on None.
        """
        with translated():
            async with self._client.pubsub() as pubsub:
                await pubsub.subscribe(*channels)
                yield None
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                    if message is None:
                        yield None
                    elif message["type"] == "message":
                        yield str(message["channel"]), str(message["data"])

    async def close(self) -> None:
        """Close all connections; safe to call twice."""
        with contextlib.suppress(exceptions.RedisError, OSError):
            await self._client.aclose()
            await self._pool.disconnect()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        with translated():
            connection = cast("Connection", await self._pool.get_connection())  # type: ignore[no-untyped-call]
            try:
                yield connection
            finally:
                await self._pool.release(connection)


async def _exchange(connection: Connection, commands: Sequence[Command]) -> list[Reply]:
    """Send commands and read every reply; the first refusal is raised after the last reply was read."""
    with translated():
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                return await _replies(connection, commands)
        except exceptions.ResponseError:
            raise
        except BaseException:
            # A cancelled or broken exchange leaves replies behind that the next user would take for its own.
            await connection.disconnect(nowait=True)
            raise


async def _replies(connection: Connection, commands: Sequence[Command]) -> list[Reply]:
    if not commands:
        return []
    await connection.send_packed_command(connection.pack_commands(commands))
    replies: list[Reply] = []
    refusal: exceptions.ResponseError | None = None
    for _ in commands:
        try:
            replies.append(cast("Reply", await connection.read_response()))
        except exceptions.ResponseError as error:
            refusal = refusal or error
            replies.append(None)
    nested = replies[-1]
    if isinstance(nested, list):
        refusal = refusal or next((item for item in _errors(nested)), None)
    if refusal is not None:
        raise refusal
    return replies


def _errors(replies: Sequence[object]) -> Iterator[exceptions.ResponseError]:
    for reply in replies:
        if isinstance(reply, exceptions.ResponseError):
            yield reply


def text(reply: Reply) -> str:
    """Return a reply that is text; "" for none."""
    return reply if isinstance(reply, str) else ""


def number(reply: Reply) -> int:
    """Return a reply that is a whole number, also as text; 0 for none."""
    return int(reply) if isinstance(reply, (int, str)) and str(reply).lstrip("-").isdigit() else 0


def texts(reply: Reply) -> list[str]:
    """Return a reply that is a list of texts; the others in it are left out."""
    return [item for item in reply if isinstance(item, str)] if isinstance(reply, list) else []
