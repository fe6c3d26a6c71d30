"""`help`: what can be asked and typed."""

from __future__ import annotations

from bot.commands.command import CommandContext, CommandResult, say
from bot.texts import help_text


async def run(context: CommandContext, *, digests: bool) -> CommandResult:
    """Say what there is to type here; `digests` where they are set up."""
    return CommandResult(say(help_text(direct=context.direct, digests=digests)))
