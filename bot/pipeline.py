"""One request from its claim to its visible final answer."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from bot.access import Access
from bot.agent.follow_ups import stands_alone
from bot.application import Application
from bot.chat import ChatAdapter
from bot.commands import CommandContext, Commands, find_command
from bot.errors import BotError, NotFoundError, RefusedError
from bot.evidence import Answer, CitedPassage
from bot.given import GivenAnswer, new_handle
from bot.messages import Turn
from bot.replies import Reply, Stage
from bot.requests import Cancelled, Kind, Request
from bot.store.answer_cache import AnswerCache
from bot.store.claims import ChangedError, Claims, LostError
from bot.store.client import Command
from bot.store.conversations import Conversations
from bot.store.gaps import Unanswered
from bot.store.given_answers import GIVEN, GivenAnswers
from bot.texts import cached_answer, nothing_to_stop, reading_documents, span_in_words, stopped
from bot.visible import Drafts, PostLock, show

logger = logging.getLogger(__name__)

AGAIN = "again"  # asks the last question anew


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered beyond a request."""

    conversations: Conversations
    cache: AnswerCache
    given: GivenAnswers
    unanswered: Unanswered


class Pipeline:
    """Answers requests that one worker owns.

    Args:
        application: Answers.
        claims: The worker's view of the inbox.
        chat: Returns the adapter, here or in another process, that serves a chat.
        access: Decides what a place may see.
        memory: Conversations, cache, answers by handle, gaps.
        commands: What people may type instead of a question.
    """

    def __init__(
        self,
        application: Application,
        claims: Claims,
        chat: Callable[[str], ChatAdapter],
        access: Access,
        memory: Memory,
        commands: Commands,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._application = application
        self._claims = claims
        self._chat = chat
        self._access = access
        self._memory = memory
        self._commands = commands
        self._clock = clock
        self._lock = PostLock(claims.inbox.store, claims.inbox.keys)
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
        if request.posting or request.post_id:
            await self._lock.wait(request.request_id)
            request = await self._claims.reload(request)
        outcome = ""
        while not outcome:
            try:
                outcome = await self._once(request)
            except ChangedError:
                request = await self._claims.reload(request)
        logger.info(
            "handled",
            extra={
                "request": request.request_id,
                "chat": request.message.place.chat,
                "outcome": outcome,
                "attempt": request.attempt,
                "duration_ms": round((time.perf_counter() - begun) * 1000, 1),
            },
        )

    async def _once(self, request: Request) -> str:
        if request.cancelled is Cancelled.DELETED:
            return await self._withdraw(request)
        if request.cancelled is Cancelled.STOPPED:
            return await self._say(request, stopped(), "stopped", wanted=True)
        if request.kind is Kind.NOTICE:
            return await self._say(request, request.notice, "refused")
        if request.kind is Kind.STOP:
            return await self._stop(request)
        command = find_command(request.message.text)
        if command is not None:
            context = CommandContext(place=request.message.place, sender=request.message.sender, request=request)
            result = await self._commands.run(command, context)
            return await self._end(request, result.reply, command.name, result.also)
        return await self._answer(request)

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
        mine = [one for one in waiting if one.message.sender.person_id == message.sender.person_id]
        any_stopped = False
        for one in mine:
            if one.seq < request.seq:
                any_stopped |= await inbox.cancel(one.request_id, Cancelled.STOPPED)
        if any_stopped or request.attempt > 1:
            await self._claims.finish(request, "stopped others")
            return "stopped others"
        return await self._say(request, nothing_to_stop(), "nothing to stop", wanted=True)

    async def _say(self, request: Request, sentence: str, outcome: str, *, wanted: bool = False) -> str:
        """Show a sentence in place of an answer, with the reference unless the person wanted it so."""
        reference = "" if wanted else request.request_id
        reply = Reply(Stage.FINAL, sentence, answered=False, reference=reference)
        return await self._end(request, reply, outcome)

    async def _end(self, request: Request, reply: Reply, outcome: str, also: list[Command] | None = None) -> str:
        """Show a final reply and finish."""
        try:
            request = await show(self._chat(request.message.place.chat), self._claims, request, reply)
        except NotFoundError:
            outcome = f"{outcome}, but its message was removed"
        await self._claims.finish(request, outcome, also or ())
        return outcome

    async def _answer(self, request: Request) -> str:
        ready = GIVEN.find(request.ready)
        if ready is None:
            try:
                placeholder = Reply(Stage.WAITING, reading_documents())
                request = await show(self._chat(request.message.place.chat), self._claims, request, placeholder)
            except NotFoundError:
                await self._claims.finish(request, "its message was removed")
                return "removed"
            try:
                given, also = await self._unless_changed(request, self._write(request))
            except (LostError, ChangedError):
                raise
            except BotError as error:
                if error.retryable:
                    raise
                logger.warning("a question could not be answered: %s", error, extra={"request": request.request_id})
                return await self._say(request, str(error), type(error).__name__)
            # The handle works as soon as the answer is visible, so it is stored before.
            request = await self._claims.update(request, ready=GIVEN.dump(given), also=self._memory.given.keep(given))
            ready = given
        else:
            also = []
        also = [*also, *await self._keep(request, ready)]
        return await self._end(request, reply_of(ready), "answered" if ready.answer.answered else "not answered", also)

    async def _write(self, request: Request) -> tuple[GivenAnswer, list[Command]]:
        """Make the answer, showing it as it grows."""
        message = request.message
        scopes = await self._scopes(request)
        history = await self._memory.conversations.load(message.place)
        question, fresh = message.text, message.fresh
        if question.strip().rstrip(".!").lower() == AGAIN and history:
            question = next(turn.content for turn in reversed(history) if turn.role == "user")
            history = _before_last(history)
            fresh = True
        alone = stands_alone(question, history)
        signature = await self._application.signature()
        also: list[Command] = []
        cached = None
        if alone and not fresh:
            cached = await self._memory.cache.find(question, scopes=scopes, signature=signature)
        if cached is not None:
            age = span_in_words(self._clock() - cached.cached_at)
            answer = dataclasses.replace(cached.answer, note=cached_answer(age))
            passages = cached.passages
        else:
            answer = await self._generate(request, question, history, scopes)
            passages = await self._application.cited_passages(answer)
            if alone and answer.answered and not answer.note:
                also += self._memory.cache.keep(
                    question,
                    scopes=scopes,
                    signature=signature,
                    answer=answer,
                    passages=passages,
                    person_id=message.sender.person_id,
                )
        return self._given(request, question, answer, passages, scopes), also

    async def _scopes(self, request: Request) -> tuple[str, ...]:
        try:
            return await self._access.scopes(request.message.place, request.message.sender)
        except RefusedError as error:
            # Not to be confused with a chat that refuses a post: this one can be told.
            raise NotAllowedError(str(error)) from error

    async def _generate(
        self, request: Request, question: str, history: tuple[Turn, ...], scopes: tuple[str, ...]
    ) -> Answer:
        message = request.message
        chat = self._chat(message.place.chat)

        async def edit(reply: Reply) -> None:
            if self._claims.alive:
                await chat.edit(message.place, request.post_id, reply)

        answer: Answer | None = None
        async with (
            Drafts(edit, chat.draft_interval_s) as drafts,
            aclosing(
                self._application.stream(
                    question,
                    history=history,
                    scopes=scopes,
                    user=message.sender.person_id,
                    conversation=message.place.conversation_id,
                )
            ) as pieces,
        ):
            async for piece in pieces:
                if isinstance(piece, Answer):
                    answer = piece
                else:
                    drafts.add(piece)
        if answer is None:
            raise RuntimeError("the application ended without an answer")
        return answer

    def _given(
        self,
        request: Request,
        question: str,
        answer: Answer,
        passages: tuple[CitedPassage, ...],
        scopes: tuple[str, ...],
    ) -> GivenAnswer:
        return GivenAnswer(
            new_handle(),
            request.request_id,
            request.message.place,
            request.message.sender.person_id,
            question,
            answer,
            passages,
            scopes,
            self._clock(),
        )

    async def _keep(self, request: Request, given: GivenAnswer) -> list[Command]:
        """Return what is kept of an answer in the transaction that finishes its request."""
        commands = self._memory.conversations.append(request, given.question, given.answer.text)
        if not given.answer.answered:
            commands += await self._memory.unanswered.keep(request, given.answer, given.scopes)
        return commands

    async def _unless_changed(
        self, request: Request, work: Awaitable[tuple[GivenAnswer, list[Command]]]
    ) -> tuple[GivenAnswer, list[Command]]:
        """Await `work`, but cancel it as soon as the message is edited or cancelled.

        Raises:
            ChangedError: If it was.
        """
        async with self._watching(request.request_id) as changed:
            writing = asyncio.ensure_future(work)
            noticing = asyncio.create_task(changed.wait(), name="changes")
            try:
                await asyncio.wait((writing, noticing), return_when=asyncio.FIRST_COMPLETED)
                if not writing.done():
                    raise ChangedError("The message was changed while its answer was written.")
                return await writing
            finally:
                for task in (writing, noticing):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await task

    @asynccontextmanager
    async def _watching(self, request_id: str) -> AsyncIterator[asyncio.Event]:
        event = asyncio.Event()
        self._changed[request_id] = event
        try:
            yield event
        finally:
            del self._changed[request_id]


class NotAllowedError(BotError):
    """The person may not ask here; the sentence says why."""


def reply_of(given: GivenAnswer) -> Reply:
    """Return the final reply that shows an answer."""
    answer = given.answer
    return Reply(
        Stage.FINAL,
        answer.text,
        citations=answer.citations,
        answered=answer.answered,
        note=answer.note,
        reference="" if answer.answered else given.request_id,
        handle=given.handle,
    )


def _before_last(history: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Return the turns before the last question."""
    last = max(place for place, turn in enumerate(history) if turn.role == "user")
    return history[:last]
