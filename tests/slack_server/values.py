"""The things of a workspace, as the local Slack keeps them: people, channels, messages, files, views."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
ChannelKind = Literal["public", "private", "im", "mpim"]

_PREFIXES: dict[ChannelKind, str] = {"public": "C", "private": "C", "im": "D", "mpim": "G"}
_TYPES: dict[ChannelKind, str] = {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}


@dataclass
class Team:
    """A workspace; `domain` stands in its addresses."""

    id: str
    name: str
    domain: str


@dataclass
class User:
    """A person or the account of a bot.

    Attributes:
        id: Begins with U, or W in an Enterprise organisation.
        name: What follows an @.
        team: Workspace of the account; another one's is a stranger of Slack Connect.
        guest: A guest of one channel (`ultra_restricted`) or of several (`restricted`), or "".
        bot_id: B id when the account is a bot's, else "".
        hidden: `users.info` does not know the account, as happens with strangers.
    """

    id: str
    name: str
    team: str
    real_name: str = ""
    guest: Literal["", "restricted", "ultra_restricted"] = ""
    bot_id: str = ""
    hidden: bool = False
    deleted: bool = False

    def as_json(self, *, stranger: bool) -> Json:
        """The object that `users.info` returns."""
        return {
            "id": self.id,
            "team_id": self.team,
            "name": self.name,
            "real_name": self.real_name or self.name,
            "deleted": self.deleted,
            "is_bot": bool(self.bot_id),
            "is_restricted": bool(self.guest),
            "is_ultra_restricted": self.guest == "ultra_restricted",
            "is_stranger": stranger,
            "is_app_user": False,
            "tz": "Europe/London",
            "profile": {
                "real_name": self.real_name or self.name,
                "display_name": self.name,
                "team": self.team,
                **({"bot_id": self.bot_id} if self.bot_id else {}),
            },
        }


@dataclass
class Channel:
    """A conversation and who is in it.

    Attributes:
        connected: Teams it is shared with by Slack Connect, beside its own.
        locked_threads: Roots that nobody may answer.
        posting: What a workspace's preference refuses ("restricted_action", ...), or "".
    """

    id: str
    name: str
    kind: ChannelKind
    team: str
    members: set[str] = field(default_factory=set)
    archived: bool = False
    connected: set[str] = field(default_factory=set)
    locked_threads: set[str] = field(default_factory=set)
    posting: str = ""

    @property
    def type(self) -> str:
        """`channel_type` of events."""
        return _TYPES[self.kind]

    @property
    def external(self) -> bool:
        """True when other organisations read it."""
        return bool(self.connected)

    def as_json(self, bot_user: str) -> Json:
        """The object that `conversations.info` returns."""
        direct = self.kind == "im"
        return {
            "id": self.id,
            "created": 1_700_000_000,
            "is_im": direct,
            "is_mpim": self.kind == "mpim",
            "is_channel": self.kind == "public",
            "is_group": self.kind == "private",
            "is_private": self.kind != "public",
            "is_archived": self.archived,
            "is_ext_shared": self.external,
            "is_shared": self.external,
            "is_org_shared": False,
            "context_team_id": self.team,
            "shared_team_ids": sorted({self.team, *self.connected}),
            **(
                {"user": next(iter(sorted(self.members - {bot_user})), bot_user)}
                if direct
                else {"name": self.name, "name_normalized": self.name, "is_member": bot_user in self.members}
            ),
        }


def channel_id_prefix(kind: ChannelKind) -> str:
    """Return C, D or G."""
    return _PREFIXES[kind]


@dataclass(frozen=True)
class Version:
    """How a message looked from `at` (seconds of the server's clock) on.

    Attributes:
        actions: `action_id` of what could be pressed.
        streamed: True while it was written piece by piece, and after that until it was changed.
    """

    at: float
    text: str
    actions: tuple[str, ...] = ()
    streamed: bool = False


@dataclass
class Stream:
    """A message that is being written piece by piece."""

    started_at: float
    state: Literal["streaming", "stopped", "expired", "stopped_by_user"] = "streaming"


@dataclass
class Message:
    """A message, also one that was deleted or that only one person sees.

    Attributes:
        user: Account that wrote it.
        bot_id: "" for a person's.
        markdown: Standard Markdown of `markdown_text` or a stream; `text` is then empty.
        seen_only_by: Account for whom an ephemeral message is, or "".
        parse: "none", "full" or "client", as it was last written.
        unfurl: What may be fetched for its links: "links", "media".
        versions: The newest ways it looked, oldest first.
        edits: How often it was changed; appended pieces count as well.
        told: Whom it notifies as it is now.
    """

    channel: str
    ts: str
    user: str
    text: str = ""
    markdown: str = ""
    bot_id: str = ""
    app_id: str = ""
    subtype: str = ""
    thread_ts: str = ""
    broadcast: bool = False
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    seen_only_by: str = ""
    parse: str = "none"
    link_names: bool = False
    unfurl: frozenset[str] = frozenset()
    stream: Stream | None = None
    edited: Json = field(default_factory=dict)
    deleted: bool = False
    versions: list[Version] = field(default_factory=list)
    edits: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        """`ts` of its thread's first message, its own if it is not a reply."""
        return self.thread_ts or self.ts

    @property
    def is_reply(self) -> bool:
        """True for all messages of a thread but the first."""
        return bool(self.thread_ts) and self.thread_ts != self.ts


@dataclass
class StoredFile:
    """A file of a person or of the bot.

    Attributes:
        data: None until it was uploaded.
        mode: "hosted", "snippet", "external", "tombstone", ...
        told: False where events hold only its id, as in channels that are shared with others.
        address: Where it is, if that is not here.
        alt: What it shows, for those who do not see it.
    """

    id: str
    name: str
    size: int
    user: str
    title: str = ""
    data: bytes | None = None
    media_type: str = "application/octet-stream"
    channels: set[str] = field(default_factory=set)
    deleted: bool = False
    mode: str = "hosted"
    told: bool = True
    address: str = ""
    alt: str = ""


@dataclass
class View:
    """A modal or a person's App Home tab as it is shown now; `open` is False after it was closed or submitted."""

    id: str
    user: str
    content: Json
    hash: str
    open: bool = True
    errors: Json = field(default_factory=dict)
    root_id: str = ""

    def as_json(self, team: str, app_id: str, bot_id: str, state: Json | None = None) -> Json:
        """The object that calls return and interactions carry."""
        return {
            "private_metadata": "",
            "callback_id": "",
            **self.content,
            "id": self.id,
            "team_id": team,
            "app_id": app_id,
            "app_installed_team_id": team,
            "bot_id": bot_id,
            "hash": self.hash,
            "root_view_id": self.root_id or self.id,
            "previous_view_id": None,
            "state": {"values": state or {}},
        }


class SlackError(Exception):
    """What a call answers instead of doing what it was asked: `{"ok": false, "error": code, ...}`."""

    def __init__(self, code: str, **fields: object) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields
