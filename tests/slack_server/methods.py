"""All methods of the local Slack: what they need, how often they may be called, what they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.slack_server import (
    agent_methods,
    chat_methods,
    conversation_methods,
    file_methods,
    people_methods,
    stream_methods,
    view_methods,
)
from tests.slack_server.call import Call
from tests.slack_server.values import Json

Scopes = tuple[str, ...] | Callable[[Call], tuple[str, ...]]


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        handler: What it does.
        tier: Key of `rates.PER_MINUTE`; of Slack's reference of methods.
        scopes: Of which the token needs one; none are needed where it is empty.
        app_token: True where the app token is wanted instead of the bot's.
    """

    handler: Callable[[Call], Json]
    tier: str
    scopes: Scopes = ()
    app_token: bool = False


def _nothing(_: Call) -> Json:
    return {}


_WRITE = ("chat:write",)
_STATUS = ("chat:write", "assistant:write")

METHODS: dict[str, Method] = {
    "api.test": Method(_nothing, "4"),
    "apps.connections.open": Method(lambda call: {"url": call.bench.new_socket_url()}, "special", app_token=True),
    "auth.test": Method(people_methods.auth_test, "special"),
    "bots.info": Method(people_methods.bots_info, "3", ("users:read",)),
    "team.info": Method(people_methods.team_info, "3", ("team:read",)),
    "users.conversations": Method(conversation_methods.list_own, "3", conversation_methods.list_scopes),
    "users.info": Method(people_methods.users_info, "4", ("users:read",)),
    "usergroups.users.list": Method(people_methods.group_members, "2", ("usergroups:read",)),
    "reactions.add": Method(people_methods.add_reaction, "3", ("reactions:write",)),
    "reactions.remove": Method(people_methods.remove_reaction, "2", ("reactions:write",)),
    "chat.postMessage": Method(chat_methods.post_message, "post", _WRITE),
    "chat.postEphemeral": Method(chat_methods.post_ephemeral, "4", _WRITE),
    "chat.update": Method(chat_methods.update, "3", _WRITE),
    "chat.delete": Method(chat_methods.delete, "3", _WRITE),
    "chat.getPermalink": Method(chat_methods.permalink, "special"),
    "chat.startStream": Method(stream_methods.start_stream, "2", _WRITE),
    "chat.appendStream": Method(stream_methods.append_stream, "4", _WRITE),
    "chat.stopStream": Method(stream_methods.stop_stream, "2", _WRITE),
    "conversations.replies": Method(conversation_methods.replies, "3", conversation_methods.history_scopes),
    "conversations.history": Method(conversation_methods.history, "3", conversation_methods.history_scopes),
    "conversations.info": Method(conversation_methods.info, "3", conversation_methods.read_scopes),
    "conversations.members": Method(conversation_methods.members, "4", conversation_methods.read_scopes),
    "conversations.open": Method(conversation_methods.open_direct, "3", conversation_methods.open_scopes),
    "assistant.threads.setStatus": Method(agent_methods.set_status, "special", _STATUS),
    "assistant.threads.setSuggestedPrompts": Method(agent_methods.set_prompts, "4", ("assistant:write",)),
    "assistant.threads.setTitle": Method(agent_methods.set_title, "4", ("assistant:write",)),
    "agents.sessions.setStatus": Method(agent_methods.set_session, "3", _WRITE),
    "agents.sessions.rename": Method(agent_methods.rename_session, "3", _WRITE),
    "views.open": Method(view_methods.open_view, "4"),
    "views.push": Method(view_methods.push_view, "4"),
    "views.update": Method(view_methods.update_view, "4"),
    "views.publish": Method(view_methods.publish_view, "4"),
    "files.getUploadURLExternal": Method(file_methods.upload_url, "4", ("files:write",)),
    "files.completeUploadExternal": Method(file_methods.complete_upload, "4", ("files:write",)),
    "files.info": Method(file_methods.file_info, "4", ("files:read",)),
    "files.delete": Method(file_methods.delete_file, "3", ("files:write",)),
}
