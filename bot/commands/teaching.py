"""The commands about files, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from bot.commands import discard, files, forget_file, keep, learn
from bot.commands.classroom import Classroom
from bot.commands.command import Command, CommandContext, CommandName, CommandResult, Handler


def teaching_commands(room: Classroom) -> Mapping[CommandName, Handler]:
    """Return what carries them out, for `Commands`."""
    runs: dict[CommandName, Callable[[CommandContext, Command, Classroom], Awaitable[CommandResult]]] = {
        "learn": learn.run,
        "keep": keep.run,
        "discard": discard.run,
        "files": files.run,
        "forget file": forget_file.run,
    }

    def handler(name: CommandName) -> Handler:
        run = runs[name]

        async def carry_out(context: CommandContext, command: Command) -> CommandResult:
            return await run(context, command, room)

        return carry_out

    return {name: handler(name) for name in runs}
