"""`new`: begin a direct conversation anew."""

from __future__ import annotations

from bot.commands.command import CommandContext, CommandResult, say
from bot.store.conversations import Conversations
from bot.texts import conversation_restarted, threads_are_conversations


async def run(context: CommandContext, conversations: Conversations) -> CommandResult:
    """Forget the turns of a direct conversation; elsewhere a thread is one, and other people's too."""
    if not context.direct:
        return CommandResult(say(threads_are_conversations()))
    return CommandResult(say(conversation_restarted()), conversations.restart(context.place))
