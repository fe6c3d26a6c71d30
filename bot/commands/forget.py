"""`forget me`: delete what is stored of the person who says it."""

from __future__ import annotations

from bot.commands.command import CommandContext, CommandResult, say
from bot.store.people import People
from bot.texts import forget_explained, forgotten


async def run(context: CommandContext, people: People, *, confirmed: bool) -> CommandResult:
    """Say what would be deleted, or delete it."""
    if not confirmed:
        return CommandResult(say(forget_explained()))
    # Done before the reply is shown: tried again after a crash, it finishes what is left.
    done = await people.forget(context.sender.person_id, but=context.request.request_id)
    return CommandResult(say(forgotten(done.total)))
