"""`status`: what is indexed, what answers, and how busy it is."""

from __future__ import annotations

from datetime import datetime

from bot.application import Application
from bot.commands.command import CommandContext, CommandResult, say
from bot.errors import RefusedError
from bot.permissions import SETTINGS, Permissions
from bot.store.client import number
from bot.store.inbox import Inbox
from bot.texts import not_permitted, status_text


async def run(
    context: CommandContext, application: Application, inbox: Inbox, permissions: Permissions | None, now: float
) -> CommandResult:
    """Say it in counts, none of which tells anything about one person.

    Args:
        context: Where; its own request is not counted, where it waits among the others.
        application: What answers.
        inbox: What is open.
        permissions: Tells who may see it; None for everybody.
        now: Seconds since 1970, UTC.

    Raises:
        RefusedError: If the person may not see it.
    """
    if permissions is not None and not await permissions.allows("status", context.place, context.sender):
        raise RefusedError(not_permitted("see the status", SETTINGS["status"]))
    facts = await application.facts()
    waiting = number(await inbox.store.call("XLEN", inbox.keys.inbox))
    if context.chat is not None:  # a command beside the conversation never was among them
        waiting -= 1
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
