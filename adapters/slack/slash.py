"""The command /locus: what is typed after it, answered so that only its person sees it; questions are for everybody."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

import aiohttp
from pydantic import JsonValue
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from adapters.slack import interactions_texts as texts
from adapters.slack.interactions_payloads import Payload, Where, part, slack_id, word
from adapters.slack.interactions_telling import person_of, place_of, tell
from adapters.slack.parts import Parts
from adapters.slack.personal import EXPORT, run_privately
from adapters.slack.questions import ask
from adapters.slack.rendering import SlackMessage, render, render_sentence
from adapters.slack.text_incoming import read_text
from bot.commands import find_command
from bot.errors import RefusedError

logger = logging.getLogger(__name__)

COMMAND: Final = "/locus"
POSTING: Final = frozenset(("subscribe", "resume"))  # what is done by a digest that posts in the channel
MAX_QUESTION: Final = 2000  # characters, of which no more is read
TIMEOUT_S: Final = 10

# The library writes what it sends to its logger at level DEBUG.
_silent = logging.getLogger(f"{__name__}.library")
_silent.setLevel(logging.WARNING)


def where_typed(body: Payload) -> Where | None:
    """Return who typed a command, and where; None for nobody."""
    user, team, channel = slack_id(body, "user_id"), slack_id(body, "team_id"), slack_id(body, "channel_id")
    return Where(user, team, team, channel, trigger_id=word(body, "trigger_id")) if user and channel else None


async def typed(parts: Parts, where: Where, body: Payload) -> None:
    """Do what was typed after the command.

    Raises:
        BotError: If a part is away or refuses; the sentence is for the person.
    """
    text = read_text(word(body, "text"), bot_user=parts.identity.user_id)
    first, _, rest = text.partition(" ")
    address = word(body, "response_url")
    if first.lower() == "ask":
        question = rest.strip()[:MAX_QUESTION]
        if not question:
            await respond(parts, where, address, texts.EMPTY_ASK)
            return
        by = await person_of(parts, where)
        await ask(parts, where, question, shown=texts.asks(by.name, question))
        return
    command = find_command(text or "help")
    if command is None:
        await respond(parts, where, address, texts.UNKNOWN)
    elif command.name == "export":
        await run_privately(parts, where, EXPORT)
        if not where.channel.startswith("D"):
            await respond(parts, where, address, texts.IN_DIRECT)
    else:
        if command.name == "digest" and command.text.partition(" ")[0].lower() in POSTING:
            await _check_member(parts, where.channel)
        by = await person_of(parts, where)
        reply = await parts.reception.command(await place_of(parts, where), by, text or "help")
        if reply is not None:
            if command.name == "help":
                reply = replace(reply, text=f"{reply.text}\n\n{texts.SLASH_HELP}")
            await _respond(parts, where, address, render(reply, parts.look).first, reply.text)


async def _check_member(parts: Parts, channel: str) -> None:
    """Check that the bot may post in a channel later on; asked each time, as it may be invited at any moment.

    Raises:
        RefusedError: If it is no member; the sentence is for the person.
        BotError: As `Calls.make`.
    """
    if channel.startswith("D"):
        return
    reply = await parts.calls.make("conversations.info", channel=channel)
    if part(reply.fields, "channel").get("is_member") is False:
        raise RefusedError(texts.INVITE_FIRST)


async def respond(parts: Parts, where: Where, address: str, sentence: str) -> None:
    """Say something to the person who typed a command, also where the bot is no member."""
    await _respond(parts, where, address, render_sentence(sentence, parts.look), sentence)


async def _respond(parts: Parts, where: Where, address: str, message: SlackMessage, sentence: str) -> None:
    body: dict[str, JsonValue] = {
        "response_type": "ephemeral",
        "text": message.text,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    blocks: dict[str, JsonValue] = {"blocks": list(message.blocks)}
    if not await _sent(parts, address, {**body, **blocks}) and not await _sent(parts, address, body):
        await tell(parts, where, sentence)


async def _sent(parts: Parts, address: str, body: dict[str, JsonValue]) -> bool:
    """Post to the address that Slack names for replies to one command; False where that did not work."""
    if not address:
        return False
    web = parts.calls.client.web
    hook = AsyncWebhookClient(address, timeout=TIMEOUT_S, session=web.session, logger=_silent, retry_handlers=[])
    hook.proxy = web.proxy  # the library has read one from the environment
    try:
        response = await hook.send_dict(body)
    except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError, ValueError) as error:
        logger.info("a reply to a command was not taken: %s", type(error).__name__)
        return False
    return 200 <= response.status_code < 300
