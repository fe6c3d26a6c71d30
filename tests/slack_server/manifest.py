"""What an app was granted: scopes, events, commands and shortcuts, read from its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.slack_server.values import Json

# Scopes of which an app needs one to be sent an event. Slack refuses a manifest that lacks it.
EVENT_SCOPES: dict[str, tuple[str, ...]] = {
    "app_mention": ("app_mentions:read",),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "reaction_added": ("reactions:read",),
    "reaction_removed": ("reactions:read",),
    "member_joined_channel": ("channels:read", "groups:read"),
    "member_left_channel": ("channels:read", "groups:read"),
    "channel_archive": ("channels:read",),
    "channel_unarchive": ("channels:read",),
    "channel_left": ("channels:read",),
    "channel_deleted": ("channels:read",),
    "channel_rename": ("channels:read",),
    "channel_shared": ("channels:read", "groups:read"),
    "channel_unshared": ("channels:read", "groups:read"),
    "group_archive": ("groups:read",),
    "group_unarchive": ("groups:read",),
    "group_left": ("groups:read",),
    "file_shared": ("files:read",),
    "file_deleted": ("files:read",),
    "assistant_thread_started": ("assistant:write",),
    "assistant_thread_context_changed": ("assistant:write",),
}
# Events that need no scope.
FREE_EVENTS = frozenset(
    {"app_home_opened", "app_context_changed", "agent_session_stopped", "app_uninstalled", "tokens_revoked"}
)

# An app that may do all that the local Slack can.
MANIFEST: Json = {
    "display_information": {"name": "Locus"},
    "features": {
        "bot_user": {"display_name": "locus", "always_online": True},
        "app_home": {
            "home_tab_enabled": True,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "agent_view": {"agent_description": "Answers questions.", "suggested_prompts": []},
        "slash_commands": [{"command": "/locus", "description": "Ask", "should_escape": True}],
        "shortcuts": [
            {"name": "Ask Locus about this", "type": "message", "callback_id": "ask_about", "description": "-"}
        ],
    },
    "oauth_config": {
        "scopes": {
            "bot": """app_mentions:read assistant:write channels:history channels:read chat:write commands files:read
                files:write groups:history groups:read im:history im:read im:write mpim:history mpim:read mpim:write
                reactions:read reactions:write team:read usergroups:read users:read""".split()
        }
    },
    "settings": {
        "event_subscriptions": {
            "bot_events": """agent_session_stopped app_context_changed app_home_opened app_mention app_uninstalled
                channel_archive channel_left file_shared group_archive group_left member_joined_channel
                member_left_channel message.channels message.groups message.im message.mpim reaction_added
                reaction_removed tokens_revoked""".split()
        },
        "interactivity": {"is_enabled": True},
        "org_deploy_enabled": False,
        "socket_mode_enabled": True,
        "token_rotation_enabled": False,
    },
}


@dataclass(frozen=True)
class Grants:
    """What a manifest grants.

    Attributes:
        scopes: Of the bot token.
        events: Subscribed bot events.
        commands: Slash commands, with their slash.
        shortcuts: `callback_id` to "message" or "global".
    """

    scopes: frozenset[str]
    events: frozenset[str]
    commands: frozenset[str]
    shortcuts: dict[str, str]
    interactive: bool
    messages_tab: bool
    home_tab: bool
    agent: bool
    socket_mode: bool

    @classmethod
    def of(cls, manifest: Json) -> Grants:
        """Read a manifest.

        Raises:
            ValueError: If Slack would not install the app: an event is unknown or its scope is missing, a command is
                declared without the scope `commands`.
        """
        features, settings = _part(manifest, "features"), _part(manifest, "settings")
        home = _part(features, "app_home")
        grants = cls(
            scopes=frozenset(_part(_part(manifest, "oauth_config"), "scopes").get("bot", ())),
            events=frozenset(_part(settings, "event_subscriptions").get("bot_events", ())),
            commands=frozenset(item["command"] for item in features.get("slash_commands", ())),
            shortcuts={item["callback_id"]: item["type"] for item in features.get("shortcuts", ())},
            interactive=bool(_part(settings, "interactivity").get("is_enabled")),
            messages_tab=bool(home.get("messages_tab_enabled"))
            and not home.get("messages_tab_read_only_enabled", True),
            home_tab=bool(home.get("home_tab_enabled")),
            agent="agent_view" in features or "assistant_view" in features,
            socket_mode=bool(settings.get("socket_mode_enabled")),
        )
        grants._check()
        return grants

    def _check(self) -> None:
        for event in self.events - FREE_EVENTS:
            if event not in EVENT_SCOPES:
                raise ValueError(f"the local Slack knows no event {event}")
            if not self.scopes & set(EVENT_SCOPES[event]):
                raise ValueError(f"the event {event} needs the scope {' or '.join(EVENT_SCOPES[event])}")
        if (self.commands or self.shortcuts) and "commands" not in self.scopes:
            raise ValueError("commands and shortcuts need the scope commands")


def _part(value: Json, key: str) -> dict[str, Any]:
    part = value.get(key, {})
    return part if isinstance(part, dict) else {}
