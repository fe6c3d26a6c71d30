"""`tell me`: be told when the documents answer the last question that they did not; `don't tell me` withdraws it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping

from bot.access import Access
from bot.application import Application
from bot.commands.command import Command, CommandContext, CommandName, CommandResult, Handler, say
from bot.given import GivenAnswer
from bot.messages import Place, Sender, digest
from bot.store.agreements import Agreement, Agreements
from bot.store.conversations import Conversations
from bot.store.feedback import Feedback
from bot.store.given_answers import GivenAnswers
from bot.store.person_index import PersonIndex
from bot.telling_texts import nothing_to_tell, told_no_more, will_tell

LOOKED_BACK = 100  # answers of a person


class Telling:
    """Notes and withdraws what people want to be told.

    Args:
        application: Looks what a bad answer could rest on.
        access: Decides what is searched for that.
        agreements: Where it is noted.
        given: Answers that were given.
        feedback: Tells which of them were judged to be bad.
        conversations: What was said before a question.
        people: Names the answers of a person.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        application: Application,
        access: Access,
        agreements: Agreements,
        given: GivenAnswers,
        feedback: Feedback,
        conversations: Conversations,
        people: PersonIndex,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._application = application
        self._access = access
        self._agreements = agreements
        self._given = given
        self._feedback = feedback
        self._conversations = conversations
        self._people = people
        self._clock = clock

    @property
    def handlers(self) -> Mapping[CommandName, Handler]:
        """What people may type."""
        return {"tell": self.tell, "tell not": self.tell_not}

    async def tell(self, context: CommandContext, _command: Command) -> CommandResult:
        """Note the last question of the person, in this conversation, that has no good answer.

        Raises:
            RefusedError: If they may not ask here.
        """
        given = await self._last(context)
        if given is None:
            return CommandResult(say(nothing_to_tell()))
        sentence = will_tell(self._agreements.days, elsewhere=_beside(context))
        known = await self._known(given, context.sender) if given.answer.answered else None
        agreement = Agreement(
            given.request_id,
            given.place,
            dataclasses.replace(context.sender, name=""),
            given.question,
            self._clock(),
            given.original,
            known,
        )
        return CommandResult(say(sentence), list(await self._agreements.keep(agreement)))

    async def tell_not(self, context: CommandContext, _command: Command) -> CommandResult:
        """Withdraw what the person wanted to be told here."""
        person_id = context.sender.person_id
        count = 0
        for one in await self._agreements.of(person_id):
            if _same(one.place, context):
                count += await self._agreements.forget(person_id, one.handle)
        return CommandResult(say(told_no_more(count)))

    async def _last(self, context: CommandContext) -> GivenAnswer | None:
        """Return the newest answer to the person here that is none, or that they have voted down."""
        person_id = context.sender.person_id
        for handle in await self._people.handles(person_id, "given", LOOKED_BACK):
            given = await self._given.find(handle)
            if given is None or given.person_id != person_id or not _same(given.place, context):
                continue
            if given.answer.mode == "live":
                continue
            if not given.answer.answered or await self._voted_down(given, person_id):
                return given
        return None

    async def _voted_down(self, given: GivenAnswer, person_id: str) -> bool:
        opinion = await self._feedback.find(digest("opinion", given.handle, person_id))
        return opinion is not None and opinion.vote == "down"

    async def _known(self, given: GivenAnswer, sender: Sender) -> tuple[str, ...]:
        """Return handles of what is found for a question now, as its answer was bad though the documents had one."""
        scopes = await self._access.scopes_now(given.place, sender)
        recalled = await self._conversations.load(given.place, scopes=scopes, before=given.original)
        judged = await self._application.ask_again(given.question, history=recalled.turns, scopes=scopes)
        return judged.found


def _beside(context: CommandContext) -> bool:
    """True where it was typed beside the conversation, as Slack's commands are: then the whole channel is meant."""
    return context.chat is None and not context.place.thread


def _same(place: Place, context: CommandContext) -> bool:
    if _beside(context):
        return place.channel_id == context.place.channel_id
    return place.conversation_id == context.place.conversation_id
