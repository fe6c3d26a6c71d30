"""The workspace: teams, people, bots, channels and everything that was written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal

from tests.slack_server.clock import Clock
from tests.slack_server.values import (
    Channel,
    ChannelKind,
    Message,
    StoredFile,
    Team,
    User,
    View,
    channel_id_prefix,
)


class World:
    """Everything the local Slack knows.

    It begins with the team T1, the people U1 "ada", U2 "ben" and U3 "cleo", the bot user UBOT "locus" (B1, app A1) and
    the public channel C1 "general" that all of them are in.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.app_id = "A1"
        self.team = Team("T1", "Genetics lab", "lab")
        self.teams = {"T1": self.team}
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.user_groups: dict[str, tuple[str, list[str]]] = {}
        self.files: dict[str, StoredFile] = {}
        self.views: dict[str, View] = {}
        self.ephemerals: list[Message] = []
        self._messages: dict[str, dict[str, Message]] = defaultdict(dict)
        self._threads: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._last_ts = 0
        self._ids = 0
        self.bot = self.add_user("locus", user_id="UBOT", bot_id="B1")
        people = [self.add_user(name) for name in ("ada", "ben", "cleo")]
        self.add_channel("general", members=[self.bot.id, *(user.id for user in people)])

    def new_id(self, prefix: str) -> str:
        """Return an id that nothing has yet."""
        self._ids += 1
        return f"{prefix}{self._ids:06d}"

    def new_ts(self) -> str:
        """Return the `ts` of a message written now; each is later than the one before."""
        self._last_ts = max(self._last_ts + 1, int(self.clock.now() * 1e6))
        return f"{self._last_ts // 10**6}.{self._last_ts % 10**6:06d}"

    def add_team(self, team_id: str, name: str) -> Team:
        """Add a workspace of another organisation."""
        return self.teams.setdefault(team_id, Team(team_id, name, name.lower()))

    def add_user(
        self,
        name: str,
        *,
        user_id: str = "",
        team: str = "T1",
        guest: Literal["", "restricted", "ultra_restricted"] = "",
        bot_id: str = "",
        hidden: bool = False,
    ) -> User:
        """Add a person, or another bot's account; its id is U1, U2, ... unless given."""
        number = len(self.users)
        while f"U{number}" in self.users:
            number += 1
        user = User(user_id or f"U{number}", name, team, name.title(), guest, bot_id, hidden)
        self.users[user.id] = user
        return user

    def add_channel(
        self,
        name: str,
        kind: ChannelKind = "public",
        *,
        channel_id: str = "",
        members: Iterable[str] = (),
        connected: Iterable[str] = (),
    ) -> Channel:
        """Add a channel; its id is C1, C2, ... (D and G for direct messages) unless given."""
        prefix = channel_id_prefix(kind)
        number = sum(1 for key in self.channels if key.startswith(prefix)) + 1
        channel = Channel(
            channel_id or f"{prefix}{number}", name, kind, self.team.id, set(members), connected=set(connected)
        )
        self.channels[channel.id] = channel
        return channel

    def add_user_group(self, group_id: str, handle: str, members: Iterable[str]) -> None:
        """Add a user group that is called @handle."""
        self.user_groups[group_id] = (handle, list(members))

    def direct(self, *users: str) -> Channel:
        """Return the direct conversation of the bot with a person, or with several; it is made if need be."""
        members = {self.bot.id, *users}
        kind: ChannelKind = "im" if len(users) == 1 else "mpim"
        for channel in self.channels.values():
            if channel.kind == kind and channel.members == members:
                return channel
        return self.add_channel("", kind, members=members)

    def put(self, message: Message) -> None:
        """Keep a message."""
        self._messages[message.channel][message.ts] = message
        if message.is_reply:
            self._threads[message.channel, message.thread_ts].append(message.ts)

    def message(self, channel: str, ts: str) -> Message | None:
        """Return a message that can be seen, or None."""
        message = self._messages[channel].get(ts)
        return None if message is None or message.deleted else message

    def channel_messages(self, channel: str) -> list[Message]:
        """Return what can be seen in a channel outside its threads, oldest first."""
        return [m for m in self._messages[channel].values() if not m.deleted and (not m.is_reply or m.broadcast)]

    def replies(self, channel: str, root: str) -> list[Message]:
        """Return the replies of a thread that can be seen, oldest first, without its root."""
        messages = (self._messages[channel][ts] for ts in self._threads.get((channel, root), ()))
        return [message for message in messages if not message.deleted]

    def has_thread(self, channel: str, root: str) -> bool:
        """Say whether something can be answered at `root`; a thread outlives its deleted root."""
        return self.message(channel, root) is not None or bool(self.replies(channel, root))

    def all_messages(self) -> Iterator[Message]:
        """All messages there ever were, deleted ones and ephemeral ones as well."""
        for messages in self._messages.values():
            yield from messages.values()
        yield from self.ephemerals

    def bot_named(self, bot_id: str) -> User | None:
        """Return the account of a bot by its B id."""
        return next((user for user in self.users.values() if bot_id and user.bot_id == bot_id), None)

    def shown_views(self, user: str) -> list[View]:
        """Return the modals a person has open, the lowest first."""
        views = self.views.values()
        return [view for view in views if view.open and view.user == user and view.content.get("type") == "modal"]
