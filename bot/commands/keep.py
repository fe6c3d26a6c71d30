"""`keep`: put what was read, and shown to its sender, into the channel's own documents."""

from __future__ import annotations

from contextlib import aclosing

from bot.commands.classroom import Classroom, shelf_of
from bot.commands.command import Command, CommandContext, CommandResult, say
from bot.errors import BusyError, InvalidRequestError
from bot.teaching import MAX_TAUGHT, Draft
from bot.teaching_texts import (
    kept,
    learning_file,
    not_yours_to_keep,
    nothing_to_keep,
    teach_busy,
    too_many_taught,
)


async def run(context: CommandContext, _command: Command, room: Classroom) -> CommandResult:
    """Publish all files of the person that wait in this conversation; again after a crash, nothing is taught twice."""
    await room.check(context)
    conversation_id, person_id = context.place.conversation_id, context.sender.person_id
    drafts = await room.drafts.find(conversation_id, person_id)
    if not drafts:
        elsewhere = await room.drafts.others_wait(context.place)
        return CommandResult(say(not_yours_to_keep() if elsewhere else nothing_to_keep()))
    known = {lesson.name for lesson in await room.teacher.lessons(shelf_of(context.place))}
    if len(known | {draft.name for draft in drafts}) > MAX_TAUGHT:
        raise InvalidRequestError(too_many_taught(MAX_TAUGHT))
    for draft in drafts:
        await _teach(context, draft, room)
    names, passages = [draft.name for draft in drafts], sum(draft.passages for draft in drafts)
    return CommandResult(say(kept(names, passages)), room.drafts.drop(conversation_id, person_id))


async def _teach(context: CommandContext, draft: Draft, room: Classroom) -> None:
    steps = room.teacher.teach(
        shelf_of(context.place),
        draft,
        person_id=context.sender.person_id,
        conversation_id=context.place.conversation_id,
    )
    try:
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, int):
                    await context.show(learning_file(draft.name, step, draft.passages))
    except BusyError:
        await context.show(teach_busy(draft.name))
        raise
