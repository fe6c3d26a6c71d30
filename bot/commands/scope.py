"""`scope`: which documents answers rest on in this place."""

from __future__ import annotations

from bot.access import Access, own_scope
from bot.commands.command import CommandContext, CommandResult, say
from bot.errors import RefusedError
from bot.ports import PUBLIC_SCOPE
from bot.texts import scope_text


async def run(context: CommandContext, access: Access | None) -> CommandResult:
    """Say what is seen here, by this person, as the chat says now who reads along."""
    try:
        scopes = await visible_scopes(context, access)
    except RefusedError as error:
        return CommandResult(say(str(error)))
    return CommandResult(say(scope_text(own=own_scope(context.place) in scopes, direct=context.direct)))


async def visible_scopes(context: CommandContext, access: Access | None) -> tuple[str, ...]:
    """Return the scopes that are searched for this person in this place; the public one where nobody can tell.

    Raises:
        RefusedError: If they may not ask here; the sentence is for them.
    """
    return (PUBLIC_SCOPE,) if access is None else await access.scopes(context.place, context.sender)
