"""`help`: what can be asked and typed."""

from __future__ import annotations

from bot.commands.command import CommandContext, CommandResult, say
from bot.texts import help_text


async def run(context: CommandContext, *, digests: bool, tells: bool) -> CommandResult:
    """Say what there is to type here; arguments as of `help_text`."""
    return CommandResult(say(help_text(direct=context.direct, digests=digests, tells=tells)))
