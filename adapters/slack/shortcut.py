"""The shortcut "Ask Locus about this" in the menu of a message."""

from __future__ import annotations

from typing import Final

from adapters.slack import interactions_texts as texts
from adapters.slack.buttons import open_view
from adapters.slack.interactions_payloads import (
    Payload,
    Where,
    entered,
    kept,
    part,
    slack_id,
    where_of_submission,
    word,
)
from adapters.slack.interactions_telling import person_of
from adapters.slack.modals import MAX_QUESTION, QUESTION_INPUT, ask_view
from adapters.slack.parts import Parts
from adapters.slack.questions import ask, check_channel
from adapters.slack.text_incoming import read_text
from bot.plain_text import one_line

CALLBACK: Final = "ask_about"


async def chosen(parts: Parts, where: Where, body: Payload) -> None:
    """Open the modal that asks for the question.

    Raises:
        RefusedError: If questions are not answered in this channel.
        BotError: If a part is away.
    """
    check_channel(parts.options, where.channel)
    message = part(body, "message")
    text = read_text(word(message, "text"), bot_user=parts.identity.user_id)
    author = await _author(parts, message)
    await open_view(parts, where, ask_view(author=author, message=text, where=where), otherwise=texts.PRESS_AGAIN)


async def submitted(parts: Parts, body: Payload) -> None:
    """Ask the question in the thread of the message.

    Raises:
        BotError: As `questions.ask`.
    """
    where, view = where_of_submission(body), part(body, "view")
    question = entered(view, QUESTION_INPUT).strip()[:MAX_QUESTION]
    if where is None or not where.channel or not question:
        return
    keep = kept(view)
    author = one_line(word(keep, "author"))
    by = await person_of(parts, where)
    shown = texts.asks_about(by.name, author, question)
    await ask(parts, where, texts.with_message(question, author, word(keep, "quote")), shown=shown)


async def _author(parts: Parts, message: Payload) -> str:
    """Return what the author of a message is called, or ""."""
    user = slack_id(message, "user")
    if not user:
        return word(message, "username")
    if user == parts.identity.user_id:
        return "Locus"
    return (await parts.people.sender(user, slack_id(message, "team"))).name
