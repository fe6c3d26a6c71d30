"""`discard`: drop what was read and waits for a decision."""

from __future__ import annotations

from bot.commands.classroom import Classroom
from bot.commands.command import Command, CommandContext, CommandResult, say
from bot.teaching_texts import discarded, not_yours_to_keep, nothing_to_keep


async def run(context: CommandContext, _command: Command, room: Classroom) -> CommandResult:
    """Drop the person's files that wait in this conversation; whoever sent them may."""
    conversation_id, person_id = context.place.conversation_id, context.sender.person_id
    drafts = await room.drafts.find(conversation_id, person_id)
    if not drafts:
        elsewhere = await room.drafts.others_wait(context.place)
        return CommandResult(say(not_yours_to_keep() if elsewhere else nothing_to_keep()))
    names = [draft.name for draft in drafts]
    return CommandResult(say(discarded(names)), room.drafts.drop(conversation_id, person_id))
