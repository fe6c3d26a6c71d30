"""What the commands about files share: their parts, and who may use them where."""

from __future__ import annotations

from dataclasses import dataclass

from bot.access import Access, own_scope
from bot.commands.command import CommandContext
from bot.errors import RefusedError
from bot.messages import Place
from bot.permissions import SETTINGS
from bot.store.drafts import Drafts
from bot.store.sent_files import SentFiles
from bot.teaching import Shelf, Teacher, TeachingPermissions
from bot.teaching_texts import not_taught_here
from bot.texts import not_permitted


@dataclass(frozen=True, slots=True)
class Classroom:
    """The parts.

    Attributes:
        teacher: Reads files and puts them into the index.
        drafts: Files that wait for a decision.
        sent: Files of earlier messages.
        access: Tells whether a channel may have documents of its own now.
        permissions: Tells who may teach.
    """

    teacher: Teacher
    drafts: Drafts
    sent: SentFiles
    access: Access
    permissions: TeachingPermissions

    async def check(self, context: CommandContext) -> None:
        """Refuse who may not teach here, as the chat says now who reads along.

        Raises:
            RefusedError: With a sentence for them.
        """
        await self.check_shelf(context)
        if not await self.may_teach(context):
            raise RefusedError(not_permitted("teach me files", SETTINGS["teach"]))

    async def check_shelf(self, context: CommandContext) -> None:
        """Refuse where the channel's own documents are not seen, by this person or by anybody.

        Raises:
            RefusedError: With a sentence for them.
        """
        at = context.request.accepted_at or None
        scopes = await self.access.scopes(context.place, context.sender, at=at)
        if own_scope(context.place) not in scopes:
            raise RefusedError(not_taught_here())

    async def may_teach(self, context: CommandContext) -> bool:
        """True for administrators and those who are allowed to."""
        if self.access.is_administrator(context.sender):
            return True
        return await self.permissions.allows("teach", context.place, context.sender)


def shelf_of(place: Place) -> Shelf:
    """Return where the files of a channel stand."""
    return Shelf(place.channel_id, own_scope(place))
