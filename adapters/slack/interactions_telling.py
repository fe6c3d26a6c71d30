"""Telling one person something: where they are, or in a direct message where that is not possible."""

from __future__ import annotations

import logging

from adapters.slack.direct import direct_channel
from adapters.slack.errors import ContentError
from adapters.slack.interactions_payloads import Where
from adapters.slack.parts import Parts
from adapters.slack.rendering import render_sentence
from adapters.slack.sending_values import Spot
from bot.errors import BotError, NotFoundError, RefusedError, UnavailableError
from bot.messages import Place, Sender, digest

logger = logging.getLogger(__name__)


async def tell(parts: Parts, where: Where, sentence: str) -> None:
    """Show a sentence to one person only; losing it is worth no error, since nothing hangs on it."""
    payload = render_sentence(sentence, parts.look)
    try:
        if where.channel:
            try:
                await parts.sender.whisper(where.spot, where.user, payload)
            except (RefusedError, NotFoundError, ContentError):
                logger.debug("a person is told in a direct message, since it is not possible where they are")
            else:
                return
        spot = await direct_spot(parts, where.user)
        key = digest("told", where.trigger_id, where.message_ts, where.user, sentence)
        await parts.sender.post(spot, payload, key=key, answers=where.message_ts)
    except BotError as error:
        logger.info("a person could not be told: %s", error)


async def direct_spot(parts: Parts, user: str) -> Spot:
    """Return the direct conversation with a person.

    Raises:
        BotError: As `SlackClient.call`.
    """
    return Spot(await direct_channel(parts.calls, user))


async def place_of(parts: Parts, where: Where) -> Place:
    """Return the place in which something was done. Raises as `Places.place`."""
    return await parts.places.place(where.channel, where.thread_ts)


async def stop(parts: Parts, where: Where, request_id: str) -> bool:
    """Stop an answer for who asked for it, also while Slack does not say who that is. Raises as `Reception.stop`."""
    try:
        by = await person_of(parts, where)
    except UnavailableError:
        by = parts.people.named(where.user)
    return await parts.reception.stop(parts.places.at(where.channel, where.thread_ts), by, request_id=request_id)


async def person_of(parts: Parts, where: Where) -> Sender:
    """Return the person who did something."""
    return await parts.people.sender(where.user, where.user_team)
