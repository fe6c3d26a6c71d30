"""Takes what chats deliver: checked, stored once, acknowledged. Implements `bot.chat.Reception`."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Sequence

from bot.access import Access
from bot.bounds import checked
from bot.chat import ChannelDigest, Vote
from bot.commands import CommandContext, Commands, find_command
from bot.errors import UnavailableError
from bot.evidence import CitedPassage
from bot.given import GivenAnswer
from bot.log_context import logged_as
from bot.messages import IncomingMessage, Place, Sender, digest
from bot.metrics import UNMEASURED, Metrics
from bot.plain_text import without_controls
from bot.replies import Reply, Stage
from bot.requests import Cancelled, Request
from bot.store.digest_known import KnownDatasets
from bot.store.digest_subscriptions import Subscriptions
from bot.store.feedback import Feedback
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox, Receipt
from bot.texts import commands_elsewhere, nothing_to_stop, shutting_down
from bot.texts import stopped as stopped_sentence
from bot.tracing import UNTRACED, Traces, span, traced

logger = logging.getLogger(__name__)

AT_ONCE = 16  # messages in one transaction; between two, answers that are being written go on


class InboxReception:
    """Accepts events into the inbox; messages that arrive together are stored together.

    Args:
        inbox: Where messages go.
        access: Decides who may stop and see.
        given: Answers by their handles.
        feedback: Where opinions go.
        commands: What is carried out at once; None in a process without an application.
        metrics: Told of opinions.
        traces: Take how long accepting takes.
    """

    def __init__(
        self,
        inbox: Inbox,
        access: Access,
        given: GivenAnswers,
        feedback: Feedback,
        commands: Commands | None = None,
        *,
        metrics: Metrics = UNMEASURED,
        traces: Traces = UNTRACED,
    ) -> None:
        self._traces = traces
        self._commands = commands
        self._metrics = metrics
        self._inbox = inbox
        self._access = access
        self._given = given
        self._feedback = feedback
        self._subscriptions = Subscriptions(inbox.store, KnownDatasets(inbox.store).counter_key)
        self._arrived: list[tuple[IncomingMessage, asyncio.Future[Receipt]]] = []
        self._storing = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """Accept no more: chats deliver again what they are not told was received."""
        self._closed = True

    async def message(self, message: IncomingMessage) -> Receipt:
        """Accept a message; see `bot.chat.Reception`."""
        self._check_open()
        message = checked(message)
        with logged_as(message.request_id), traced(self._traces, message.request_id), span("accept") as accepting:
            receipt = await self._accepted(message)
            accepting.note(new=receipt.new)
        return receipt

    async def _accepted(self, message: IncomingMessage) -> Receipt:
        if message.certain:
            await self._access.saw(message.place)
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._arrived.append((message, receipt))
        async with self._storing:
            while not receipt.done():
                await self._store_arrived()
        return receipt.result()

    async def _store_arrived(self) -> None:
        """Store the messages that have arrived, this task's among them, in one transaction."""
        batch, self._arrived = self._arrived[:AT_ONCE], self._arrived[AT_ONCE:]
        stops = {
            message.request_id
            for message, _ in batch
            if (command := find_command(message.text)) is not None and command.name == "stop"
        }
        try:
            receipts = await self._inbox.accept([message for message, _ in batch], stops)
        except asyncio.CancelledError:
            self._arrived = batch + self._arrived  # the other callers go on with it
            raise
        except Exception as error:
            for _, receipt in batch:
                _tell(receipt, error)
            return
        for (_, receipt), stored in zip(batch, receipts, strict=True):
            _tell(receipt, stored)

    async def edit(self, message: IncomingMessage) -> bool:
        """Replace the text of a message; see `bot.chat.Reception`."""
        self._check_open()
        return await self._inbox.edit(checked(message))

    async def delete(self, place: Place, message_id: str) -> bool:
        """Withdraw a message; see `bot.chat.Reception`."""
        self._check_open()
        gone = checked(IncomingMessage(place, Sender(place.chat, "", "unknown"), message_id, "", 0.0))
        return await self._inbox.cancel(gone.request_id, Cancelled.DELETED, early=gone)

    async def stop(self, place: Place, by: Sender, *, request_id: str = "") -> bool:
        """Stop one answer, or all that a person waits for in a conversation; see `bot.chat.Reception`."""
        self._check_open()

        def allowed(request: Request) -> bool:
            return self._access.may_stop(request, place, by)

        targets = [request_id]
        if not request_id:
            # Without a thread the whole channel is meant: a slash command is typed outside of the threads.
            inbox = self._inbox
            waiting = await (inbox.open_requests(place.conversation_id) if place.thread else inbox.all_open())
            targets = [
                one.request_id
                for one in waiting
                if one.message.is_from(by) and one.message.place.channel_id == place.channel_id
            ]
        stopped = [await self._inbox.cancel(target, Cancelled.STOPPED, allowed=allowed) for target in targets]
        return any(stopped)

    async def vote(self, place: Place, by: Sender, handle: str, vote: Vote, comment: str = "") -> bool:
        """Store an opinion; see `bot.chat.Reception`."""
        self._check_open()
        given = await self.given(place, by, handle)
        if given is None:
            return False
        await self._feedback.vote(given, by.person_id, vote, without_controls(comment))
        self._metrics.voted(vote)
        return True

    async def withdraw(self, place: Place, by: Sender, handle: str, vote: Vote) -> bool:
        """Delete an opinion; see `bot.chat.Reception`."""
        given = await self.given(place, by, handle)
        return given is not None and await self._feedback.withdraw(given, by.person_id, vote)

    async def passages(self, place: Place, by: Sender, handle: str) -> Sequence[CitedPassage]:
        """Return the cited passages; see `bot.chat.Reception`."""
        given = await self.given(place, by, handle)
        return given.passages if given is not None else ()

    async def given(self, place: Place, by: Sender, handle: str) -> GivenAnswer | None:
        """Return an answer by its handle; see `bot.chat.Reception`."""
        self._check_open()
        given = await self._given.find(handle)
        if given is None or not await self._access.may_see(given, place, by):
            return None
        return given

    async def again(self, place: Place, by: Sender, handle: str) -> Receipt | None:
        """Ask a question anew; see `bot.chat.Reception`."""
        given = await self.given(place, by, handle)
        if given is None:
            return None
        # The same for every press of the same button by the same person: a button is often pressed twice.
        message_id = f"again-{digest('again', handle, by.person_id)}"
        asked = IncomingMessage(
            given.place, by, message_id, given.question, time.time(), fresh=True, again_of=given.original
        )
        return await self.message(asked)

    async def command(self, place: Place, by: Sender, text: str) -> Reply | None:
        """Carry out a command at once; see `bot.chat.Reception`."""
        self._check_open()
        command = find_command(text)
        if command is None:
            return None
        if command.name == "stop":
            stopped = await self.stop(place, by)
            return Reply(Stage.FINAL, stopped_sentence() if stopped else nothing_to_stop(), answered=False)
        if self._commands is None:
            raise UnavailableError(commands_elsewhere())
        asked = IncomingMessage(place, by, f"command-{secrets.token_hex(8)}", text, 0.0)
        result = await self._commands.run(command, CommandContext(place, by, Request(asked.request_id, asked)))
        if result.also:
            await self._inbox.store.transaction(*result.also)
        return result.reply

    async def digests(self, chat: str) -> Sequence[ChannelDigest]:
        """Return the digests of a chat's channels; see `bot.chat.Reception`."""
        self._check_open()
        numbers: Counter[str] = Counter()
        found: list[ChannelDigest] = []
        for standing in await self._subscriptions.list():
            one = standing.subscription
            numbers[one.place.channel_id] += 1
            if one.place.chat == chat:
                words = f"{one.interest.words}, {one.when} ({one.zone})"
                found.append(ChannelDigest(one.place, numbers[one.place.channel_id], words, bool(one.paused)))
        return found

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError(shutting_down())


def _tell(receipt: asyncio.Future[Receipt], outcome: Receipt | Exception) -> None:
    """Pass on what became of a message to its caller, who may have been cancelled."""
    if receipt.done():
        return
    if isinstance(outcome, Receipt):
        receipt.set_result(outcome)
    else:
        receipt.set_exception(outcome)
        receipt.exception()
