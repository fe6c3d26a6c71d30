"""Passing a question on to the room that the lab names, once."""

from __future__ import annotations

import asyncio
import html
import logging
from typing import Final
from urllib.parse import quote

from adapters.matrix import saying
from adapters.matrix.events_values import Written
from adapters.matrix.parts import Parts
from adapters.matrix.relations import transaction_id
from adapters.matrix.rendering import MatrixMessage, render, render_sentence
from bot.errors import BotError, UnavailableError
from bot.given import GivenAnswer
from bot.messages import Audience, Sender, digest
from bot.plain_text import shortened
from bot.replies import Reply, Stage

logger = logging.getLogger(__name__)

MAX_ANSWER: Final = 2500  # characters of an answer that is passed on; the rest stands in the conversation


class HandOver:
    """Passes questions on; asking again finds what was posted and does what is left.

    Args:
        parts: Of the session.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = asyncio.Lock()

    async def run(self, written: Written, handle: str, answer_id: str) -> None:
        """Pass the question of an answer on, and say so in its thread.

        Args:
            written: The message that asks for it.
            handle: Of the answer.
            answer_id: The message that shows it.

        Raises:
            UnavailableError: If the homeserver or the store is away.
        """
        parts = self._parts
        place, by = parts.places.place(written.room, written.thread), parts.places.sender(written.room, written.user)
        given = await parts.reception.given(place, by, handle)
        if given is None:
            await self._tell(written, saying.GONE)
        elif not parts.options.steward:
            await self._tell(written, saying.NOBODY)
        else:
            async with self._lock:
                await self._once(written, given, by, answer_id)

    async def _once(self, written: Written, given: GivenAnswer, by: Sender, answer_id: str) -> None:
        parts = self._parts
        room = parts.book.room(parts.options.steward)
        key = digest("hand over", given.handle)
        try:
            if await parts.looking.find(room, "", key, transaction_id(key)) is None:
                messages = passed_on(given, by, room=written.room, event_id=answer_id)
                for number, message in enumerate(messages):
                    await parts.showing.say(room, "", message, key=f"{key}-{number}" if number else key)
        except UnavailableError:
            raise
        except BotError as error:
            logger.warning("a question could not be passed on to LOCUS_MATRIX_STEWARD: %s", error)
            await self._tell(written, saying.NOT_HANDED_OVER)
            return
        await self._tell(written, saying.HANDED_OVER)

    async def _tell(self, written: Written, sentence: str) -> None:
        key = digest("about a person", written.event_id)
        await self._parts.showing.say(written.room, written.thread, render_sentence(sentence), key=key)


def passed_on(given: GivenAnswer, by: Sender, *, room: str, event_id: str) -> list[MatrixMessage]:
    """Return what is passed on: all of an answer that rests on public documents only, of others the way to it.

    Args:
        given: The answer.
        by: Who asks for a person; their own question is theirs to pass on, whatever it was answered from. Somebody
            else's goes along, and its answer, from a public room only.
        room: Where it stands.
        event_id: The message that shows it.
    """
    own = given.person_id == by.person_id
    public = given.public and (own or given.place.audience is Audience.PUBLIC)
    text = saying.handed_over(
        by.name,
        question=given.question if public or own else "",
        answer=shortened(given.answer.text, MAX_ANSWER) if public else "",
        answered=given.answer.answered,
    )
    citations = given.answer.citations if public else ()
    rendered = render(Reply(Stage.FINAL, text, citations=citations, answered=given.answer.answered))
    *before, last = (rendered.first, *rendered.continuation)
    # No document may lead into rooms, so the renderer makes no such links; this one is ours, and all of it is quoted.
    via = quote(given.place.workspace, safe="")
    address = f"https://matrix.to/#/{quote(room, safe='')}/{quote(event_id, safe='')}?via={via}"
    link = f'<p><a href="{html.escape(address)}">{html.escape(saying.TO_CONVERSATION)}</a></p>'
    return [*before, MatrixMessage(f"{last.body}\n\n{saying.TO_CONVERSATION}: {address}", last.html + link)]
