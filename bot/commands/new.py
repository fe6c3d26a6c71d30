"""`new`: begin a direct conversation anew."""

from __future__ import annotations

from bot.commands.command import CommandContext, CommandResult, say
from bot.store.conversations import Conversations
from bot.texts import conversation_restarted, direct_threads_are_conversations, threads_are_conversations


async def run(context: CommandContext, conversations: Conversations) -> CommandResult:
    """Forget the turns of a direct conversation; elsewhere a thread is one, and other people's too.

    Where each message of a direct conversation begins a thread, a person who asks for a new one there has it already,
    and hears how that is done without asking. In such a thread what was said in it is forgotten.
    """
    if not context.direct:
        return CommandResult(say(threads_are_conversations()))
    place = context.place
    beside = context.chat is None  # typed outside of every conversation
    if beside or (place.thread and place.thread == context.request.message.message_id):
        return CommandResult(say(direct_threads_are_conversations()))
    return CommandResult(say(conversation_restarted()), conversations.restart(place))
