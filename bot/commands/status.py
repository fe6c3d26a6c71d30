"""`status`: what is indexed, what answers, and how busy it is."""

from __future__ import annotations

from datetime import datetime

from bot.application import Application
from bot.commands.command import CommandContext, CommandResult, say
from bot.store.client import number
from bot.store.inbox import Inbox
from bot.texts import status_text


async def run(context: CommandContext, application: Application, inbox: Inbox, now: float) -> CommandResult:
    """Say it in counts, none of which tells anything about one person.

    Args:
        context: Where; its own request is not counted.
        application: What answers.
        inbox: What is open.
        now: Seconds since 1970, UTC.
    """
    facts = await application.facts()
    waiting = number(await inbox.store.call("XLEN", inbox.keys.inbox)) - 1
    age_s = now - datetime.fromisoformat(facts.published_at).timestamp() if facts.published_at else 0.0
    return CommandResult(
        say(
            status_text(
                revision=facts.revision,
                age_s=max(0.0, age_s),
                documents=facts.documents,
                model=application.model_name,
                open_questions=max(0, waiting),
            )
        )
    )
