"""Takes what chats deliver: checked, stored once, acknowledged. Implements `bot.chat.Reception`."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
from collections.abc import Sequence

from bot.access import Access
from bot.chat import Vote
from bot.commands import find_command
from bot.errors import InvalidRequestError, UnavailableError
from bot.evidence import CitedPassage
from bot.messages import IncomingMessage, Place, Sender
from bot.plain_text import without_controls
from bot.requests import Cancelled, Request
from bot.store.feedback import Feedback
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox, Receipt
from bot.texts import malformed_message, shutting_down

logger = logging.getLogger(__name__)

MAX_ID_CHARS = 300
MAX_NAME_CHARS = 200
MAX_TEXT_CHARS = 20_000  # of a message; what is read of a question is less
AT_ONCE = 64  # messages in one transaction


class InboxReception:
    """Accepts events into the inbox; messages that arrive together are stored together.

    Args:
        inbox: Where messages go.
        access: Decides who may stop and see.
        given: Answers by their handles.
        feedback: Where opinions go.
    """

    def __init__(self, inbox: Inbox, access: Access, given: GivenAnswers, feedback: Feedback) -> None:
        self._inbox = inbox
        self._access = access
        self._given = given
        self._feedback = feedback
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
            waiting = await self._inbox.open_requests(place.conversation_id)
            targets = [one.request_id for one in waiting if one.message.sender.person_id == by.person_id]
        stopped = [await self._inbox.cancel(target, Cancelled.STOPPED, allowed=allowed) for target in targets]
        return any(stopped)

    async def vote(self, place: Place, by: Sender, handle: str, vote: Vote, comment: str = "") -> bool:
        """Store an opinion; see `bot.chat.Reception`."""
        self._check_open()
        given = await self._given.find(handle)
        if given is None or not await self._access.may_see(given, place, by):
            return False
        await self._feedback.vote(given, by.person_id, vote, without_controls(comment))
        return True

    async def passages(self, place: Place, by: Sender, handle: str) -> Sequence[CitedPassage]:
        """Return the cited passages; see `bot.chat.Reception`."""
        self._check_open()
        given = await self._given.find(handle)
        if given is None or not await self._access.may_see(given, place, by):
            return ()
        return given.passages

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


def checked(message: IncomingMessage) -> IncomingMessage:
    """Return a message within sane bounds: longer texts and names are cut, lone surrogates replaced.

    Raises:
        InvalidRequestError: If an id is missing, too long or no text, or the order is no number.
    """
    place, sender = message.place, message.sender
    ids = {"chat": place.chat, "channel": place.channel, "message": message.message_id, "user": sender.user}
    others = {
        "workspace": place.workspace,
        "thread": place.thread,
        "version": message.version,
        "home": sender.workspace,
    }
    for name, value in {**ids, **others}.items():
        if (name in ids and not value) or len(value) > MAX_ID_CHARS or not _encodable(value):
            raise InvalidRequestError(malformed_message(name))
    if not math.isfinite(message.order):
        raise InvalidRequestError(malformed_message("order"))
    return dataclasses.replace(
        message,
        text=_repaired(message.text[:MAX_TEXT_CHARS]),
        sender=dataclasses.replace(sender, name=_repaired(sender.name[:MAX_NAME_CHARS])),
    )


def _repaired(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
