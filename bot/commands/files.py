"""`files`: which files the channel was taught."""

from __future__ import annotations

import time

from bot.commands.classroom import Classroom, shelf_of
from bot.commands.command import Command, CommandContext, CommandResult, say
from bot.teaching_texts import files_text, no_files


async def run(context: CommandContext, _command: Command, room: Classroom) -> CommandResult:
    """List them, the newest first, and the person's own that wait for a decision in this conversation."""
    await room.check_shelf(context)
    person_id = context.sender.person_id
    lessons = sorted(await room.teacher.lessons(shelf_of(context.place)), key=lambda one: -one.taught_at)
    waiting = [draft.name for draft in await room.drafts.find(context.place.conversation_id, person_id)]
    if not lessons and not waiting:
        return CommandResult(say(no_files()))
    now = time.time()
    listed = [
        (one.name, one.title, one.passages, max(0.0, now - one.taught_at), one.person_id == person_id)
        for one in lessons
    ]
    return CommandResult(say(files_text(listed, waiting)))
