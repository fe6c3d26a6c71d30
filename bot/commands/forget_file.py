"""`forget file`: take back a file that the channel was taught."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands.classroom import Classroom, shelf_of
from bot.commands.command import Command, CommandContext, CommandResult, say
from bot.errors import BusyError, RefusedError
from bot.teaching import Lesson, safe_name
from bot.teaching_texts import (
    forgotten_file,
    may_not_forget,
    none_taught_here,
    teach_busy,
    unknown_file,
    which_file,
)

_QUOTES = "\"'“”„‘’«»`"


async def run(context: CommandContext, command: Command, room: Classroom) -> CommandResult:
    """Forget the named file of the channel, or the one that was taught in this conversation."""
    await room.check_shelf(context)
    lessons = await room.teacher.lessons(shelf_of(context.place))
    name = _name_in(command.text)
    found = _named(lessons, name) if name else _taught_in(lessons, context.place.conversation_id)
    if not found:
        return CommandResult(say(unknown_file(name) if name else none_taught_here()))
    if len(found) > 1:
        return CommandResult(say(which_file([one.name for one in found])))
    (lesson,) = found
    if lesson.person_id != context.sender.person_id and not await room.may_teach(context):
        raise RefusedError(may_not_forget(lesson.name))
    try:
        await room.teacher.withdraw(lesson.shelf, lesson.name)
    except BusyError:
        await context.show(teach_busy(lesson.name))
        raise
    return CommandResult(say(forgotten_file(lesson.name)))


def _name_in(text: str) -> str:
    """Return the name that was typed, without the quotation marks or backticks around it, or ""."""
    bare = text.strip().rstrip(".!").strip(_QUOTES + " ")
    return safe_name(bare) if bare else ""


def _named(lessons: Sequence[Lesson], name: str) -> list[Lesson]:
    """Return the file of that name; where none is written so, those that are but for capitals."""
    exact = [one for one in lessons if one.name == name]
    return exact or [one for one in lessons if one.name.casefold() == name.casefold()]


def _taught_in(lessons: Sequence[Lesson], conversation_id: str) -> list[Lesson]:
    return [one for one in lessons if one.conversation_id == conversation_id]
