"""Slack behind the port of a chat: connects, delivers, shows."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Final, Self

from pydantic import SecretStr
from slack_bolt.app.async_app import AsyncApp

from adapters.slack.accepting import Accepting, Acceptor, OnAccepted
from adapters.slack.application import make_app
from adapters.slack.ascertaining import ascertain
from adapters.slack.askers import Askers, is_stamp
from adapters.slack.attendance import Attendance
from adapters.slack.client import SlackClient
from adapters.slack.connection import Connections, connect
from adapters.slack.direct import direct_channel
from adapters.slack.errors import AWAY
from adapters.slack.files import Files
from adapters.slack.groups import Groups
from adapters.slack.http import HttpServer, serve_http
from adapters.slack.limits import TIER_4, Limits
from adapters.slack.looking_back import LookBack
from adapters.slack.lookups import RETRY_S
from adapters.slack.members import Members
from adapters.slack.options import Options
from adapters.slack.parts import Parts
from adapters.slack.people import People
from adapters.slack.places import Places, spot
from adapters.slack.rendering import Rendered, render
from adapters.slack.rendering_stream import StreamText
from adapters.slack.sending import Sender
from adapters.slack.sending_calls import Calls
from adapters.slack.sending_values import File, Spot
from bot.chat import Reception
from bot.errors import InvalidRequestError, RefusedError, SettingsError, UnavailableError
from bot.messages import Audience, FileReference, IncomingMessage, Place
from bot.messages import Sender as MessageSender
from bot.plain_text import one_line
from bot.replies import Reply, Stage
from bot.threads import LoopGuard, RecentThreads, Threads
from bot.unheard import Unheard

logger = logging.getLogger(__name__)

TROUBLE_PAUSE_S: Final = 30.0  # until a post is tried again that a setting has prevented
DRAIN_S: Final = 2.0  # for events that are being stored when it stops

Register = Callable[[AsyncApp, Parts], None]


class SlackAdapter:
    """One workspace; implements `bot.chat.ChatAdapter` and is an asynchronous context manager.

    Args:
        bot_token: Of the app's bot.
        app_token: For Socket Mode; None in http mode.
        signing_secret: For http mode; None in Socket Mode.
        options: What the lab has chosen.
        threads: Where it is stored in which threads the bot takes part; by default this process alone knows.
        register: Called with the app of each new connection, to add listeners for interactions and further events.
        accepted: Awaited in the background for each new question, with what such listeners are given.
        documents: Says how many documents there are, or 0 where that is not known.
        unheard: Knows until when somebody listened; None where what was missed is not looked for.
        limits: Of the number of calls; for tests with another clock.

    Attributes:
        draft_interval_s: As often as pieces of a stream may be appended, if only one answer is written.
    """

    name = "slack"

    def __init__(
        self,
        bot_token: SecretStr,
        app_token: SecretStr | None,
        signing_secret: SecretStr | None,
        options: Options,
        *,
        threads: Threads | None = None,
        register: Sequence[Register] = (),
        accepted: Sequence[OnAccepted] = (),
        documents: Callable[[], int] = lambda: 0,
        unheard: Unheard | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.draft_interval_s = 60 / TIER_4
        self._app_token = app_token
        self._signing_secret = signing_secret
        self._options = options
        self._threads = threads or RecentThreads()
        self._register = register
        self._accepted = accepted
        self._documents = documents
        self._unheard = unheard
        self._client = SlackClient(bot_token, api_base_url=options.api_url)
        self._calls = Calls(self._client, limits or Limits())
        self._sender = Sender(self._calls, StreamText)
        self._askers = Askers(self._calls)
        self._files = Files(self._calls)
        self._groups = Groups(self._calls)
        self._guard = LoopGuard()
        self._server: HttpServer | None = None
        self._parts: Parts | None = None  # from the first connection on
        self._trouble: SettingsError | None = None
        self._doubt = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    @property
    def http_address(self) -> str:
        """Where it listens in http mode, or ""."""
        return self._server.address if self._server is not None else ""

    async def run(self, reception: Reception) -> None:
        """Connect and deliver until cancelled; see `bot.chat.ChatAdapter`.

        Raises:
            SettingsError: If Slack does not accept a token, now or later, or the app lacks a scope.
            UnavailableError: If Slack is away or the connection is lost.
        """
        self._trouble = None
        self._doubt.clear()
        await self._client.call("auth.test")
        identity = await self._client.identity()
        parts = self._parts = Parts(
            reception,
            self._sender,
            self._calls,
            identity,
            # What was said of channels and people is good for as long as it was before the connection was lost.
            self._parts.places if self._parts is not None else Places(self._calls, identity),
            self._parts.people if self._parts is not None else People(self._calls, identity),
            self._options,
            self._threads,
            self._askers,
            self._files,
            Members(self._calls),
        )
        acceptor = Acceptor(parts, self._guard, self._doubt.set, self._accepted, self._documents)
        accepting = Accepting(acceptor)
        app = make_app(self._client.web, identity, accepting, self._signing_secret)
        for register in self._register:
            register(app, parts)
        connection = self._connection(app)
        tasks = [
            asyncio.create_task(connection.run(), name="slack connection"),
            asyncio.create_task(self._watch_token(), name="slack token"),
        ]
        if (unheard := self._unheard) is not None:
            looks = partial(LookBack, parts, acceptor, unheard)
            attendance = Attendance(unheard, looks, connection.listening, accepting.refused, self._calls.limits)
            tasks.append(asyncio.create_task(attendance.run(), name="slack attendance"))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await accepting.drained()
            await connection.close()
            await acceptor.close()

    def _connection(self, app: AsyncApp) -> Connections | HttpServer:
        if self._options.mode == "socket":
            return connect(app, self._app_token, self._options)
        self._server = serve_http(app, self._signing_secret, self._options)
        return self._server

    async def _watch_token(self) -> None:
        """Look at the token whenever there is reason to doubt it.

        Raises:
            SettingsError: If it is not valid any more, or a post has failed for a reason of that kind.
        """
        while True:
            await self._doubt.wait()
            self._doubt.clear()
            if self._trouble is not None:
                raise self._trouble
            with contextlib.suppress(UnavailableError):
                await self._client.call("auth.test")

    async def ascertain(self, message: IncomingMessage) -> IncomingMessage | None:
        if self._parts is None:
            raise UnavailableError(AWAY, retry_after_s=RETRY_S)
        with self._guarded():
            return await ascertain(self._parts, message)

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        where, rendered = spot(place), render(reply, self._sender.look(self._options.look))
        since = _since(where, answers)
        with self._guarded():
            stream = reply.begins_stream and self._options.streaming
            recipient = await self._askers.of(where, answers) if stream else None
            ts = await self._sender.post(
                where, rendered.first, key=key, answers=since, stream=stream, recipient=recipient
            )
            await self._join(place, ts, answers)
            if reply.final:
                await self._show(where, ts, rendered)
            return ts

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        where, rendered = spot(place), render(reply, self._sender.look(self._options.look))
        with self._guarded():
            if reply.final:
                await self._show(where, post_id, rendered)
            else:
                written = reply.stage is Stage.DRAFT
                await self._sender.draft(
                    where,
                    post_id,
                    rendered.first,
                    reply.text if written else "",
                    waiting="" if written else one_line(reply.text),
                )

    async def remove(self, place: Place, post_id: str) -> None:
        with self._guarded():
            await self._sender.remove(spot(place), post_id)

    async def find(self, place: Place, key: str, *, answers: str) -> str | None:
        where = spot(place)
        with self._guarded():
            ts = await self._sender.find(where, key, answers=_since(where, answers))
        if ts is not None:
            await self._join(place, ts, answers)
        return ts

    async def fetch(self, place: Place, file: FileReference, *, max_bytes: int) -> bytes:
        with self._guarded():
            return await self._files.fetch(place, file, max_bytes=max_bytes)

    async def belongs(self, sender: MessageSender, group: str) -> bool:
        return sender.chat == self.name and not sender.external and await self._groups.has(group, sender.user)

    async def direct(self, user: str) -> Place:
        with self._guarded():
            channel = await direct_channel(self._calls, user)
            return Place(self.name, (await self._client.identity()).team_id, channel, "", Audience.DIRECT)

    async def _show(self, where: Spot, ts: str, rendered: Rendered) -> None:
        await self._sender.show(where, ts, [rendered.first, *rendered.continuation])
        below = Spot(where.channel, where.thread_ts or ts)
        for attachment in rendered.files:
            file = File(attachment.name, attachment.data, alt=attachment.alt, comment=attachment.caption)
            try:
                await self._sender.upload(below, file, since=ts)
            except (InvalidRequestError, RefusedError) as error:
                logger.warning("a file was not shown: %s", error)

    async def _join(self, place: Place, ts: str, answers: str) -> None:
        """Take part in the thread that a message begins which nobody asked for: replies there are for the bot."""
        if answers or place.thread:
            return
        try:
            await self._threads.join(dataclasses.replace(place, thread=ts))
        except UnavailableError as error:  # the message is shown, and counts more
            logger.warning("questions below a message will need a mention: %s", error)

    @contextmanager
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
            raise UnavailableError(str(error), retry_after_s=TROUBLE_PAUSE_S) from error


def _since(where: Spot, answers: str) -> str:
    """Return the time stamp from which on an answer may stand: of the question, or of its thread."""
    return answers if is_stamp(answers) else where.thread_ts or "0"
