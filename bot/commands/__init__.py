"""What people may type instead of a question."""

from bot.commands.command import Command, CommandContext, CommandName, CommandResult, Handler
from bot.commands.commands import Commands
from bot.commands.finding import find_command

__all__ = ["Command", "CommandContext", "CommandName", "CommandResult", "Commands", "Handler", "find_command"]
