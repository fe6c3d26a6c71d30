"""One request from its claim to its visible final answer."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeVar

from bot.access import Access
from bot.answer_writer import AnswerWriter, Prepared
from bot.ascertaining import ascertain
from bot.chat import ChatAdapter
from bot.commands import Command as TypedCommand
from bot.commands import CommandContext, Commands, find_command
from bot.commands.command import say
from bot.errors import BotError, BusyError, NotFoundError, RefusedError
from bot.final_replies import reply_of
from bot.given import GivenAnswer
from bot.metrics import UNMEASURED, Metrics
from bot.replies import Reply, Stage
from bot.requests import Cancelled, Kind, Request
from bot.store.claims import ChangedError, Claims, LostError
from bot.store.client import Command
from bot.store.given_answers import GIVEN
from bot.store.sent_files import SentFiles
from bot.teaching_texts import file_without_words
from bot.texts import model_busy, nothing_to_stop, stopped
from bot.tracing import span, whole
from bot.visible import PostLock, show

logger = logging.getLogger(__name__)

NOT_FOR_US: Final = "not for the bot"

T = TypeVar("T")


class CannotAnswerError(BotError):
    """Nothing can be answered as things are; the sentence is for the person."""


class Pipeline:
    """Answers requests that one worker owns.

    Args:
        claims: The worker's view of the inbox.
        chat: Returns the adapter, here or in another process, that serves a chat.
        writer: Makes answers.
        commands: What people may type instead of a question.
        access: Told who reads a place, where that was not certain before.
        metrics: Told how requests end.
        page: Returns the address of an answer's page, by its handle; "" where it has none.
    """

    def __init__(
        self,
        claims: Claims,
        chat: Callable[[str], ChatAdapter],
        writer: AnswerWriter,
        commands: Commands,
        access: Access,
        *,
        metrics: Metrics = UNMEASURED,
        page: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._metrics = metrics
        self._page = page
        self._claims = claims
        self._chat = chat
        self._writer = writer
        self._commands = commands
        self._access = access
        self._lock = PostLock(claims.inbox.store, claims.inbox.keys, claims.worker_id)
        self._sent = SentFiles(claims.inbox.store)
        self._changed: dict[str, asyncio.Event] = {}

    def changed(self, request_id: str) -> None:
        """A message was edited or cancelled: whoever answers it here looks again."""
        event = self._changed.get(request_id)
        if event is not None:
            event.set()

    async def process(self, request: Request) -> None:
        """Bring a request to its end; again from the start when its message changes meanwhile.

        Raises:
            LostError: If it belongs to another worker now.
            UnavailableError: If the chat or Redis is away; try again later.
            RefusedError: If the bot may not post in that place.
            BusyError: If the model's queue is full.
        """
        begun = time.perf_counter()
        async with self._watching(request.request_id) as changed:
            if request.posting or request.post_id:
                await self._lock.wait(request.request_id)
                request = await self._claims.reload(request)
            outcome = ""
            while not outcome:
                try:
                    outcome = await self._once(request)
                except ChangedError:
                    changed.clear()
                    request = await self._claims.reload(request)
        chat, kind = request.message.place.chat, kind_of(outcome)
        self._metrics.handled(chat, kind, seconds=time.time() - request.accepted_at)
        whole(request.accepted_at, chat=chat, outcome=kind, attempts=request.attempt)
        logger.info(
            "handled",
            extra={
                "request": request.request_id,
                "chat": chat,
                "outcome": outcome,
                "attempt": request.attempt,
                "duration_ms": round((time.perf_counter() - begun) * 1000, 1),
            },
        )

    async def _once(self, request: Request) -> str:
        if request.cancelled is Cancelled.DELETED:
            return await self._withdraw(request)
        asked = await ascertain(self._chat(request.message.place.chat), self._access, self._claims, request)
        if asked is None:
            await self._claims.finish(request, NOT_FOR_US)
            return NOT_FOR_US
        request = asked
        if request.cancelled is Cancelled.STOPPED:
            return await self._say(request, stopped(), "stopped", wanted=True)
        if request.kind is Kind.NOTICE:
            return await self._say(request, request.notice, "refused", also=self._writer.failed())
        if request.kind is Kind.STOP:
            return await self._stop(request)
        command = find_command(request.message.text)
        if command is not None:
            return await self._carry_out(request, command)
        if request.message.files and not request.message.text.strip():
            reply = say(file_without_words(len(request.message.files)))
            return await self._end(request, reply, "files without words", self._sent.remember(request.message))
        return await self._answer(request)

    async def _carry_out(self, request: Request, command: TypedCommand) -> str:
        """Do what was typed, and show what came of it."""
        message, chat = request.message, self._chat(request.message.place.chat)

        async def tell(sentence: str) -> None:
            nonlocal request
            with contextlib.suppress(NotFoundError):
                request = await show(chat, self._claims, request, _working(request, sentence))

        context = CommandContext(message.place, message.sender, request, tell, chat)
        work = self._commands.run(command, context)
        try:
            result = await (self._unless_changed(request.request_id, work) if command.interruptible else work)
        except (LostError, ChangedError):
            raise
        except BotError as error:
            if error.retryable:
                raise
            return await self._say(request, str(error), f"{command.name}: {type(error).__name__}", wanted=True)
        return await self._end(request, result.reply, command.name, result.also)

    async def _withdraw(self, request: Request) -> str:
        """The question was deleted: so is what is visible of its answer."""
        chat, message = self._chat(request.message.place.chat), request.message
        post_id = request.post_id
        if not post_id and request.posting:
            post_id = await chat.find(message.place, request.request_id, answers=message.message_id) or ""
        if post_id:
            await chat.remove(message.place, post_id)
        await self._claims.finish(request, "deleted")
        return "deleted"

    async def _stop(self, request: Request) -> str:
        """Stop what the person asked before in this conversation."""
        inbox, message = self._claims.inbox, request.message
        waiting = await inbox.open_requests(message.place.conversation_id)
        mine = [one for one in waiting if one.message.is_from(message.sender)]
        any_stopped = False
        for one in mine:
            after = message.late and one.message.order > message.order
            if one.seq < request.seq and not after:
                any_stopped |= await inbox.cancel(one.request_id, Cancelled.STOPPED)
        if any_stopped or request.attempt > 1:
            await self._claims.finish(request, "stopped others")
            return "stopped others"
        return await self._say(request, nothing_to_stop(), "nothing to stop", wanted=True)

    async def _say(
        self, request: Request, sentence: str, outcome: str, *, wanted: bool = False, also: list[Command] | None = None
    ) -> str:
        """Show a sentence in place of an answer, with the reference unless the person wanted it so."""
        reference = "" if wanted else request.request_id
        reply = Reply(Stage.FINAL, sentence, answered=False, reference=reference)
        return await self._end(request, reply, outcome, also)

    async def _end(self, request: Request, reply: Reply, outcome: str, also: list[Command] | None = None) -> str:
        """Show a final reply and finish."""
        try:
            request = await show(self._chat(request.message.place.chat), self._claims, request, reply)
        except NotFoundError:
            outcome = f"{outcome}, but its message was removed"
        with span("finish"):
            await self._claims.finish(request, outcome, also or ())
        return outcome

    async def _answer(self, request: Request) -> str:
        also: list[Command] = []
        given = GIVEN.find(request.ready)
        if given is None or not await self._writer.may_show(given):
            chat = self._chat(request.message.place.chat)
            # What an answer needs is read while the chat takes the placeholder.
            preparing = asyncio.create_task(self._writer.prepare(request), name="preparing")
            try:
                begun = dataclasses.replace(_working(request, self._writer.reading()), begins_stream=True)
                request = await show(chat, self._claims, request, begun)
                work = self._write(chat, request, await preparing)
                written, also = await self._unless_changed(request.request_id, work)
                given = written
            except NotFoundError:
                await self._claims.finish(request, "its message was removed")
                return "removed"
            except (LostError, ChangedError):
                raise
            except BusyError:
                with contextlib.suppress(NotFoundError):
                    await show(chat, self._claims, request, _working(request, model_busy()))
                raise
            except BotError as error:
                if error.retryable or isinstance(error, RefusedError):
                    raise
                # Its sentence is for the person, and may repeat their words.
                kind = type(error).__name__
                logger.warning("a question could not be answered: %s", kind, extra={"request": request.request_id})
                self._metrics.failed("answer", type(error).__name__)
                return await self._say(request, str(error), type(error).__name__, also=self._writer.failed())
            finally:
                await _dropped(preparing)
            if not await self._writer.may_show(given):
                raise ChangedError("The channel became wider while its answer was written.")
            request = await self._claims.update(request, ready=GIVEN.dump(given), also=self._writer.keep_handle(given))
        also = [*also, *await self._writer.keep(request, given), *self._sent.remember(request.message)]
        reply = reply_of(given, self._page(given.handle), files=len(request.message.files), tells=self._commands.tells)
        return await self._end(request, reply, "answered" if given.answer.answered else "not answered", also)

    async def _write(
        self, chat: ChatAdapter, request: Request, prepared: Prepared
    ) -> tuple[GivenAnswer, list[Command]]:
        async def edit(reply: Reply) -> None:
            if self._claims.alive:
                draft = dataclasses.replace(reply, reference=request.request_id)
                with span("post", stage=draft.stage.value, edited=True):
                    await chat.edit(request.message.place, request.post_id, draft)

        try:
            return await self._writer.write(prepared, edit, chat.draft_interval_s)
        except NotFoundError as error:
            # Of the application, such as an empty index; not of the chat, whose drafts fail without a word.
            raise CannotAnswerError(str(error)) from error

    async def _unless_changed(self, request_id: str, work: Awaitable[T]) -> T:
        """Await `work`, but cancel it as soon as the message is edited or cancelled.

        Raises:
            ChangedError: If it was.
        """
        writing = asyncio.ensure_future(work)
        noticing = asyncio.create_task(self._changed[request_id].wait(), name="changes")
        try:
            await asyncio.wait((writing, noticing), return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                raise ChangedError("The message was changed while its answer was written.")
            return await writing
        finally:
            await _dropped(writing, noticing)

    @asynccontextmanager
    async def _watching(self, request_id: str) -> AsyncIterator[asyncio.Event]:
        """Take note of changes, also of those that come before an answer is begun."""
        event = asyncio.Event()
        self._changed[request_id] = event
        try:
            yield event
        finally:
            del self._changed[request_id]


async def _dropped(*tasks: asyncio.Future[Prepared] | asyncio.Future[T] | asyncio.Task[Literal[True]]) -> None:
    """End tasks whose results are not wanted any more; what they raise is of no interest either."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def kind_of(outcome: str) -> str:
    """Return an outcome without what was special about it: one of a few words for each command and kind of error."""
    return outcome.partition(",")[0].partition(":")[0]


def _working(request: Request, sentence: str) -> Reply:
    """Return what is shown while a question is worked on; it carries the reference by which it can be stopped."""
    return Reply(Stage.WAITING, sentence, reference=request.request_id)
