"""Reactions to the bot's messages: 👍 and 👎 are votes, 🛑 stops an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from pydantic import JsonValue

from adapters.slack.blocks import Action, read_press
from adapters.slack.interactions_payloads import (
    Payload,
    Where,
    elements,
    part,
    records,
    time_stamp,
    where_of_event,
    word,
)
from adapters.slack.interactions_telling import person_of, place_of, stop
from adapters.slack.parts import Parts
from adapters.slack.sending_values import EVENT_TYPE
from bot.chat import Vote

Meaning = Literal["up", "down", "stop"]

MEANINGS: Final[Mapping[str, Meaning]] = {
    "+1": "up",
    "thumbsup": "up",
    "-1": "down",
    "thumbsdown": "down",
    "octagonal_sign": "stop",
    "stop_sign": "stop",
}
_NEAR: Final = 20  # messages that are looked through for the last part of a long answer, which has its buttons


def meaning_of(parts: Parts, body: Payload) -> Meaning | None:
    """Return what a reaction asks for; None for one of the bot itself, or to a message that is not the bot's."""
    event = part(body, "event")
    if word(event, "user") == parts.identity.user_id or word(event, "item_user") != parts.identity.user_id:
        return None
    if word(part(event, "item"), "type") != "message":
        return None
    return MEANINGS.get(word(event, "reaction").partition("::")[0])  # a tone of skin follows


async def reacted(parts: Parts, body: Payload) -> None:
    """Do what a reaction asks for; one that may not is left without a word, like any other reaction.

    Raises:
        BotError: If a part is away.
    """
    meaning = meaning_of(parts, body)
    where = where_of_event(body)
    if meaning is None or where is None or not where.channel or not where.message_ts:
        return
    messages = await _messages(parts, where)
    reacted_to = next((one for one in messages if time_stamp(one, "ts") == where.message_ts), None)
    if reacted_to is None or not parts.identity.wrote(dict(reacted_to)):
        return
    root = time_stamp(reacted_to, "thread_ts")
    where = Where(where.user, where.user_team, where.team, where.channel, root, where.message_ts)
    if meaning == "stop":
        await _stop(parts, where, reacted_to)
    else:
        await _vote(parts, where, messages, meaning)


async def _messages(parts: Parts, where: Where) -> list[Payload]:
    """Return the message and what follows it in its thread; of a message without a thread only itself."""
    arguments: dict[str, JsonValue] = {
        "channel": where.channel,
        "ts": where.message_ts,
        "oldest": where.message_ts,
        "inclusive": True,
        "limit": _NEAR,
        "include_all_metadata": True,
    }
    reply = await parts.calls.make("conversations.replies", **arguments)
    found: list[Payload] = list(reply.records("messages"))
    own = next((one for one in found if time_stamp(one, "ts") == where.message_ts), None)
    root = time_stamp(own, "thread_ts") if own is not None else ""
    if root and root != where.message_ts and len(found) == 1:
        # Asked for a reply by its own time stamp, Slack may return nothing else.
        reply = await parts.calls.make("conversations.replies", **{**arguments, "ts": root})
        found = list(reply.records("messages"))
    return [one for one in found if parts.identity.wrote(dict(one))]


async def _stop(parts: Parts, where: Where, message: Payload) -> None:
    request_id = next((handle for action, handle in _handles(message) if action is Action.STOP), "")
    request_id = request_id or word(_metadata(message), "key")
    # A message that is being streamed shows neither: then all that the person waits for in this thread is meant.
    await stop(parts, where, request_id)


async def _vote(parts: Parts, where: Where, messages: list[Payload], vote: Vote) -> None:
    by, place = await person_of(parts, where), await place_of(parts, where)
    first = next(one for one in messages if time_stamp(one, "ts") == where.message_ts)
    beginning = word(_metadata(first), "part_of") or where.message_ts
    for message in (first, *(one for one in messages if word(_metadata(one), "part_of") == beginning)):
        for action, handle in _handles(message):
            if action is not Action.STOP:
                await parts.reception.vote(place, by, handle, vote)
                return


def _handles(message: Payload) -> Iterator[tuple[Action, str]]:
    for action_id, value in elements(records(message, "blocks")):
        press = read_press(action_id, value)
        if press is not None and press.handle:
            yield press.action, press.handle


def _metadata(message: Payload) -> Payload:
    metadata = part(message, "metadata")
    return part(metadata, "event_payload") if word(metadata, "event_type") == EVENT_TYPE else {}
