"""Who may do what not everybody may: teach files, subscribe channels to digests, see how Locus is.

A rule names people, channels and groups by id, as CHAT/WORKSPACE/ID; a workspace left empty is any. Without a rule
everybody in the channel may. Administrators always may, people of other organisations and guests never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bot.access import Access
from bot.chat import ChatAdapter
from bot.errors import SettingsError, UnavailableError
from bot.messages import Place, Sender
from bot.texts import malformed_permission

Action = Literal["teach", "subscribe", "status"]

SETTINGS: Final[Mapping[Action, str]] = {
    "teach": "LOCUS_TEACHERS",
    "subscribe": "LOCUS_DIGEST_SUBSCRIBERS",
    "status": "LOCUS_STATUS_READERS",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who may: a person, everybody in a channel, or a group that the chat's platform keeps.

    Attributes:
        chat: Name of the adapter.
        workspace: As in `Place`, or "" for any.
        name: Id of the person, channel or group.
    """

    chat: str
    workspace: str
    name: str

    def within(self, chat: str, workspace: str) -> bool:
        """True when it is meant for a chat and workspace."""
        return self.chat == chat and self.workspace in ("", workspace)


class Permissions:
    """Decides by the settings; what a platform knows of its groups it is asked each time, and remembers itself.

    Args:
        access: Knows the administrators.
        chat: Returns the adapter of a chat.
        rules: Entries of the settings by action; an action without any is everybody's.

    Raises:
        SettingsError: If an entry is not written so.
    """

    def __init__(
        self, access: Access, chat: Callable[[str], ChatAdapter], rules: Mapping[Action, Sequence[str]]
    ) -> None:
        self._access = access
        self._chat = chat
        self._rules = {
            action: tuple(_read(SETTINGS[action], entry) for entry in entries) for action, entries in rules.items()
        }

    async def allows(self, action: Action, place: Place, sender: Sender) -> bool:
        """Return whether somebody may do something where they have asked for it.

        Raises:
            UnavailableError: If that depends on a group and the platform is away.
        """
        if self._access.is_administrator(sender):
            return True
        if sender.external:
            return False
        rules = self._rules.get(action, ())
        if not rules or any(_named(entry, place, sender) for entry in rules):
            return True
        return await self._belongs(rules, place, sender)

    async def _belongs(self, rules: Iterable[Entry], place: Place, sender: Sender) -> bool:
        """Return whether a person is in one of the groups; one that cannot be asked does not hide another."""
        away: UnavailableError | None = None
        # A group is one of the workspace that the bot is in: people of the same organisation may have another.
        for entry in rules:
            if sender.chat == place.chat and entry.within(place.chat, place.workspace):
                try:
                    if await self._chat(entry.chat).belongs(sender, entry.name):
                        return True
                except UnavailableError as error:
                    away = error
        if away is not None:
            raise away
        return False


def _named(entry: Entry, place: Place, sender: Sender) -> bool:
    person = entry.name == sender.user and entry.within(sender.chat, sender.workspace)
    return person or (entry.name == place.channel and entry.within(place.chat, place.workspace))


def _read(setting: str, entry: str) -> Entry:
    """Return an entry; the id may hold slashes."""
    chat, _, rest = entry.partition("/")
    workspace, separator, name = rest.partition("/")
    if not chat or not separator or not name:
        raise SettingsError(malformed_permission(setting, entry))
    return Entry(chat, workspace, name)
