"""All commands, with the parts they need."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from bot.access import Access
from bot.application import Application
from bot.commands import export, forget, help, new, scope, sources, status
from bot.commands.command import Command, CommandContext, CommandName, CommandResult, Handler, say
from bot.permissions import Permissions
from bot.store.conversations import Conversations
from bot.store.inbox import Inbox
from bot.store.people import People
from bot.texts import not_set_up_here, nothing_to_stop


class Commands:
    """Runs commands; `stop` is carried out before, where messages are received and taken.

    Args:
        application: What answers.
        inbox: What is open.
        conversations: What is remembered.
        people: What is stored of people.
        access: Tells which documents are seen; without it only the public ones are named.
        permissions: Tells who may see the status; without it everybody may.
        more: What parts that not every service has can do, by name.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        application: Application,
        inbox: Inbox,
        conversations: Conversations,
        people: People,
        *,
        access: Access | None = None,
        permissions: Permissions | None = None,
        more: Mapping[CommandName, Handler] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._application = application
        self._inbox = inbox
        self._conversations = conversations
        self._people = people
        self._access = access
        self._permissions = permissions
        self._more = dict(more or {})
        self._clock = clock

    @property
    def tells(self) -> bool:
        """True where people can be told later what the documents do not answer now."""
        return "tell" in self._more

    async def run(self, command: Command, context: CommandContext) -> CommandResult:
        """Carry out a command; doing it twice does no harm.

        Raises:
            BotError: If it cannot be done; the sentence is for the person, and one that may pass is tried again.
        """
        match command.name:
            case "help":
                return await help.run(context, digests="digest" in self._more, tells=self.tells)
            case "new":
                return await new.run(context, self._conversations)
            case "forget":
                return await forget.run(context, self._people, confirmed=command.confirmed)
            case "export":
                return await export.run(context, self._people)
            case "status":
                return await status.run(context, self._application, self._inbox, self._permissions, self._clock())
            case "scope":
                return await scope.run(context, self._access)
            case "sources":
                return await sources.run(context, self._application, self._access)
            case "stop":
                # A message that became "stop" by an edit: what it asked before has ended with that.
                return CommandResult(say(nothing_to_stop()))
            case name:
                handler = self._more.get(name)
                return CommandResult(say(not_set_up_here(name))) if handler is None else await handler(context, command)
