"""What people may type instead of a question."""

from bot.commands.command import Command, CommandContext, CommandName, CommandResult
from bot.commands.commands import Commands
from bot.commands.finding import find_command

__all__ = ["Command", "CommandContext", "CommandName", "CommandResult", "Commands", "find_command"]
