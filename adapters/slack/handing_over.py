"""Passing a question on to the person or channel that the lab names, once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Final

from adapters.slack import interactions_texts as texts
from adapters.slack.blocks import section
from adapters.slack.interactions_payloads import Where
from adapters.slack.interactions_telling import direct_spot, person_of, place_of, tell
from adapters.slack.markup_writing import write_link
from adapters.slack.parts import Parts
from adapters.slack.rendering import Rendered, render, render_sentence
from adapters.slack.sending_values import Spot
from adapters.slack.splitting import Part
from bot.addresses import safe_url
from bot.errors import BotError, UnavailableError
from bot.given import GivenAnswer
from bot.messages import Audience, Sender, digest
from bot.plain_text import shortened
from bot.replies import Reply, Stage

logger = logging.getLogger(__name__)

MAX_ANSWER: Final = 2500  # characters of an answer that is passed on; the rest stands in the conversation
_CLOCKS_S = 300.0  # by which Slack's clock and ours may differ


class HandOver:
    """Passes questions on; pressing again finds what was posted and does what is left."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def run(self, parts: Parts, where: Where, handle: str) -> None:
        """Pass the question of an answer on, and say so in its thread.

        Raises:
            UnavailableError: If Slack or Redis is away; nothing is posted twice when it is tried again.
        """
        by = await person_of(parts, where)
        given = await parts.reception.given(await place_of(parts, where), by, handle)
        if given is None:
            await tell(parts, where, texts.GONE)
        elif not parts.options.steward:
            await tell(parts, where, texts.NOBODY)
        else:
            async with self._lock:
                await self._once(parts, where, given, by)

    async def _once(self, parts: Parts, where: Where, given: GivenAnswer, by: Sender) -> None:
        since = f"{max(0.0, given.given_at - _CLOCKS_S):.6f}"
        key = digest("hand over", given.handle)
        try:
            steward = await _steward_spot(parts)
            before = await parts.sender.find(steward, key, answers=since)
            if before is None:
                await self._post(parts, where, given, by, steward, key, since)
        except UnavailableError:
            raise
        except BotError as error:
            logger.warning("a question could not be passed on to LOCUS_SLACK_STEWARD: %s", error)
            await tell(parts, where, texts.NOT_HANDED_OVER)
            return
        thread = Spot(where.channel, where.thread_ts or where.message_ts)
        told = digest("handed over", given.handle)
        if await parts.sender.find(thread, told, answers=since) is not None:
            await tell(parts, where, texts.HANDED_OVER_ALREADY)
            return
        payload = render_sentence(texts.HANDED_OVER, parts.look)
        await parts.sender.post(thread, payload, key=told, answers=since)

    async def _post(
        self, parts: Parts, where: Where, given: GivenAnswer, by: Sender, steward: Spot, key: str, since: str
    ) -> None:
        reply = await parts.calls.make("chat.getPermalink", channel=where.channel, message_ts=where.message_ts)
        rendered = rendered_for_person(parts, given, by, reply.text("permalink"))
        ts = await parts.sender.post(steward, rendered.first, key=key, answers=since)
        if rendered.continuation:
            await parts.sender.show(steward, ts, [rendered.first, *rendered.continuation])


def rendered_for_person(parts: Parts, given: GivenAnswer, by: Sender, address: str) -> Rendered:
    """Return what is passed on: all of an answer that rests on public documents alone, of others only the way to it.

    Args:
        parts: Of the adapter.
        given: The answer.
        by: Who asks for a person; their own question is theirs to pass on, whatever it was answered from. Somebody
            else's goes along, and its answer, from a public channel only.
        address: Of the answer in Slack.
    """
    own = given.person_id == by.person_id
    public = given.public and (own or given.place.audience is Audience.PUBLIC)
    text = texts.handed_over(
        by.name,
        question=given.question if public or own else "",
        answer=shortened(given.answer.text, MAX_ANSWER) if public else "",
        answered=given.answer.answered,
    )
    citations = given.answer.citations if public else ()
    rendered = render(Reply(Stage.FINAL, text, citations=citations, answered=given.answer.answered), parts.look)
    url = safe_url(address)
    if url is None:
        return rendered
    link = Part(write_link(texts.TO_CONVERSATION, url, "mrkdwn"), write_link(texts.TO_CONVERSATION, url, "markdown"))
    first = rendered.first
    linked = replace(first, blocks=(*first.blocks, section(link.mrkdwn)), parts=(*first.parts, link))
    return replace(rendered, first=linked)


async def _steward_spot(parts: Parts) -> Spot:
    steward = parts.options.steward
    return await direct_spot(parts, steward) if steward.startswith(("U", "W")) else Spot(steward)
