"""`learn this`: read files and show what they hold; nothing of them is found before `keep`."""

from __future__ import annotations

import dataclasses

from bot.chat import ChatAdapter
from bot.commands.classroom import Classroom, shelf_of
from bot.commands.command import Command, CommandContext, CommandResult, say
from bot.errors import BotError, UnreadableError
from bot.messages import FileReference
from bot.store.drafts import MAX_CHARS
from bot.teaching import Draft, safe_name
from bot.teaching_texts import (
    fetching_file,
    file_too_large,
    how_to_teach,
    preview,
    teach_elsewhere,
    too_much_text,
)

MIB = 1 << 20


async def run(context: CommandContext, _command: Command, room: Classroom) -> CommandResult:
    """Fetch and read the files of this message, or the last ones of the person in this conversation."""
    await room.check(context)
    if context.chat is None:
        return CommandResult(say(teach_elsewhere()))
    conversation_id, person_id = context.place.conversation_id, context.sender.person_id
    files = context.request.message.files or await room.sent.find(conversation_id, person_id)
    if not files:
        return CommandResult(say(how_to_teach()))
    waiting = {draft.name: draft for draft in await room.drafts.find(conversation_id, person_id)}
    read: dict[str, Draft] = {}
    problems: list[str] = []
    for file in files:
        name = _another(safe_name(file.name), read)
        try:
            draft = await _read(context, context.chat, file, name, room)
            others = sum(one.chars for one in (waiting | read).values() if one.name != name)
            if others + draft.chars > MAX_CHARS:
                raise UnreadableError(too_much_text(name, MAX_CHARS - others))
        except BotError as error:
            # What may pass is tried again by the worker, all of it; what may not is said, and the others are learnt.
            if error.retryable:
                raise
            problems.append(str(error))
        else:
            read[name] = draft
    if not read:
        return CommandResult(say(preview((), problems)), room.sent.remember(context.request.message))
    known = {lesson.name for lesson in await room.teacher.lessons(shelf_of(context.place))}
    also = await room.drafts.put(context.place, person_id, tuple((waiting | read).values()))
    shown = [(one.name, one.title, one.passages, one.opening, one.name in known) for one in read.values()]
    return CommandResult(say(preview(shown, problems)), [*also, *room.sent.remember(context.request.message)])


async def _read(context: CommandContext, chat: ChatAdapter, file: FileReference, name: str, room: Classroom) -> Draft:
    await context.show(fetching_file(name))
    limit = room.teacher.max_bytes
    # What the chat says of the size may be wrong; that is why the adapter is given the limit too.
    if file.size_bytes > limit:
        raise UnreadableError(file_too_large(name, limit / MIB))
    data = await chat.fetch(context.place, file, max_bytes=limit)
    if len(data) > limit:
        raise UnreadableError(file_too_large(name, limit / MIB))
    return dataclasses.replace(await room.teacher.read(data, name), url=file.url)


def _another(name: str, taken: dict[str, Draft]) -> str:
    """Return a name that no other file of the message has: "a.pdf", "a (2).pdf", ..."""
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    number = 1
    other = name
    while other in taken:
        number += 1
        other = f"{stem} ({number}){dot}{suffix}"
    return other
