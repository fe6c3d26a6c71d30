"""`locus files`: what was taught in chats, taken back or taught again by the operator."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import aclosing

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.bootstrap import open_teacher
from bot.cli.render import dump_json, shown_time
from bot.errors import InvalidRequestError, NotFoundError
from bot.settings import Settings
from bot.teaching import Lesson
from bot.teaching_texts import forget_file_needs_yes, unknown_lesson


async def list_files(settings: Settings, *, as_json: bool) -> None:
    """Print the files on all shelves."""
    async with open_teacher(settings) as teacher:
        lessons = await teacher.lessons()
    if as_json:
        sys.stdout.write(dump_json({"files": [lesson_json(lesson) for lesson in lessons]}) + "\n")
    else:
        print_lessons(Console(highlight=False), lessons)


async def forget_file(settings: Settings, channel_id: str, name: str, *, yes: bool) -> None:
    """Take a file back.

    Raises:
        NotFoundError: If there is none.
        BusyError: If another process writes to the index.
    """
    async with open_teacher(settings) as teacher:
        found = [one for one in await teacher.lessons() if one.shelf.channel_id == channel_id and one.name == name]
        if not found:
            raise NotFoundError(unknown_lesson(channel_id, name))
        if not yes:
            if not sys.stdin.isatty():
                raise InvalidRequestError(forget_file_needs_yes(name))
            if not typer.confirm(f"Forget {name!r} of channel {channel_id}?", err=True):
                sys.stderr.write("locus: Nothing was forgotten.\n")
                return
        await teacher.withdraw(found[0].shelf, name)
    sys.stdout.write(f"Channel {channel_id} has no file {name!r} any more.\n")


async def restore_files(settings: Settings) -> None:
    """Teach again what is missing in the index."""
    count = 0
    async with open_teacher(settings) as teacher, aclosing(teacher.restore()) as lessons:
        async for lesson in lessons:
            count += 1
            sys.stdout.write(f"{lesson.shelf.channel_id}: {lesson.name}, {lesson.passages} passages\n")
    sys.stdout.write(f"{count} {'file was' if count == 1 else 'files were'} taught again.\n")


def lesson_json(lesson: Lesson) -> dict[str, object]:
    """Return the object that `--json` prints for a file."""
    return {
        "channel_id": lesson.shelf.channel_id,
        "name": lesson.name,
        "title": lesson.title,
        "passages": lesson.passages,
        "person": lesson.person_id,
        "taught_at": shown_time(lesson.taught_at),
    }


def print_lessons(console: Console, lessons: Sequence[Lesson]) -> None:
    """Print files as a table; what is wide wraps, handles do not."""
    if not lessons:
        console.print("No file was taught yet.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Channel", no_wrap=True, min_width=13)
    for name in ("Name", "Title", "Passages", "Person", "Taught"):
        table.add_column(name, overflow="fold")
    for one in lessons:
        cells = (one.shelf.channel_id, one.name, one.title, str(one.passages), one.person_id, shown_time(one.taught_at))
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
