"""What happens when a message is written, changed or deleted: it is kept, people are notified, the app is told."""

from __future__ import annotations

from urllib.parse import quote

from tests.slack_server.bench import Bench, Ping
from tests.slack_server.values import Json, Message, Version

_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")


def message_json(bench: Bench, message: Message, *, metadata: bool = False) -> Json:
    """Return the message object of calls and events."""
    world = bench.world
    value: Json = {"type": "message", "user": message.user, "ts": message.ts, "text": shown_text(message)}
    if message.subtype:
        value["subtype"] = message.subtype
    if message.bot_id:
        bot = world.bot_named(message.bot_id)
        app_id = message.app_id or world.app_id
        value |= {"bot_id": message.bot_id, "app_id": app_id}
        value["bot_profile"] = {
            "id": message.bot_id,
            "app_id": app_id,
            "name": bot.name if bot else "bot",
            "deleted": False,
            "team_id": world.team.id,
        }
    elif not message.subtype or message.subtype == "file_share":
        value["client_msg_id"] = f"cm-{message.ts}"
    author = world.users.get(message.user)
    value["team"] = author.team if author else world.team.id
    if author and author.team != world.team.id:
        value["user_team"] = value["source_team"] = author.team
    if message.thread_ts:
        value["thread_ts"] = message.thread_ts
        root = world.message(message.channel, message.thread_ts)
        if message.is_reply and root:
            value["parent_user_id"] = root.user
    if message.blocks:
        value["blocks"] = message.blocks
    if message.attachments:
        value["attachments"] = message.attachments
    if message.files:
        value["files"] = [_told_file(bench, file_id) for file_id in message.files]
    if message.reactions:
        value["reactions"] = [
            {"name": name, "users": users, "count": len(users)} for name, users in message.reactions.items()
        ]
    if message.edited:
        value["edited"] = message.edited
    if message.stream and message.stream.state == "streaming":
        value["streaming_state"] = "in_progress"
    if metadata and message.metadata:
        value["metadata"] = message.metadata
    replies = world.replies(message.channel, message.ts) if not message.is_reply else []
    if replies:
        value |= {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users_count": len({reply.user for reply in replies}),
            "latest_reply": replies[-1].ts,
        }
    return value


def shown_text(message: Message) -> str:
    """Return the `text` that calls and events give for a message; Markdown is given as it was written."""
    return message.text or message.markdown


def _told_file(bench: Bench, file_id: str) -> Json:
    """Return the file object of a message: all of it, or only what leads to files.info."""
    file = bench.world.files[file_id]
    if file.mode == "tombstone" or file.deleted:
        return {"id": file_id, "mode": "tombstone"}
    if not file.told:
        return {"id": file_id, "mode": "file_access", "file_access": "check_file_info", "created": 0, "timestamp": 0}
    return file_json(bench, file_id)


def file_json(bench: Bench, file_id: str) -> Json:
    """Return the file object of calls and events."""
    file = bench.world.files[file_id]
    address = file.address or f"{bench.base_url}/files/{file.id}/download/{quote(file.name)}"
    shown_in = {key: bench.world.channels[key] for key in sorted(file.channels)}
    return {
        "id": file.id,
        "created": int(bench.clock.now()),
        "name": file.name,
        "title": file.title or file.name,
        "mimetype": file.media_type,
        "filetype": file.name.rpartition(".")[2] if "." in file.name else "binary",
        "user": file.user,
        "size": file.size,
        "mode": file.mode,
        "is_external": file.mode == "external",
        "is_public": any(bench.world.channels[key].kind == "public" for key in file.channels),
        "url_private": address,
        "url_private_download": address,
        "permalink": f"https://{bench.world.team.domain}.slack.com/files/{file.user}/{file.id}/{file.name}",
        "channels": [key for key, channel in shown_in.items() if channel.kind == "public"],
        "groups": [key for key, channel in shown_in.items() if channel.kind in ("private", "mpim")],
        "ims": [key for key, channel in shown_in.items() if channel.kind == "im"],
        "file_access": "visible",
    }


def note_look(bench: Bench, message: Message) -> None:
    """Keep how a message looks now, and whom it notifies; those whom it called before are not told again."""
    look = bench.look(message)
    told, message.told = list(message.told), list(look.pings)
    for whom in look.pings:
        if whom in told:
            told.remove(whom)
        else:
            bench.pings_seen.append(Ping(message.channel, message.ts, message.user, whom))
    for link in look.links:
        kind = "media" if link.url.split("?")[0].lower().endswith(_IMAGE_ENDINGS) else "links"
        unfurled = (message.channel, message.ts, link.url)
        if kind in message.unfurl and unfurled not in bench.unfurls:
            bench.unfurls.append(unfurled)
    actions = tuple(dict.fromkeys(button.action_id for button in look.buttons))
    streamed = message.stream is not None and not message.edited
    message.versions.append(Version(bench.clock.now(), look.text, actions, streamed))
    del message.versions[: -bench.policies.keep_versions]


def publish(bench: Bench, message: Message) -> Message:
    """Show a new message and tell the app."""
    if message.seen_only_by:
        bench.world.ephemerals.append(message)
    else:
        bench.world.put(message)
    note_look(bench, message)
    _clear_status(bench, message)
    if not message.seen_only_by:
        _tell(bench, message)
    bench.changed()
    return message


def _clear_status(bench: Bench, message: Message) -> None:
    """Take the agent's status away when it has posted to the thread."""
    if message.user == bench.world.bot.id:
        bench.agent.status.pop((message.channel, message.root), None)


def _tell(bench: Bench, message: Message, *, mention_only: bool = False) -> None:
    """Send the events of a message that appears: `message`, and `app_mention` where it calls the bot."""
    world = bench.world
    channel = world.channels[message.channel]
    if world.bot.id not in channel.members:
        return
    event = message_json(bench, message) | {"channel": channel.id, "event_ts": message.ts, "channel_type": channel.type}
    if not mention_only:
        bench.emit(dict(event), channel=channel.id)
    mentioned = f"<@{world.bot.id}>" in message.text or f"<@{world.bot.id}|" in message.text
    if mentioned and channel.kind != "im" and message.user != world.bot.id:
        mention = {key: value for key, value in event.items() if key not in ("channel_type", "subtype")}
        bench.emit(mention | {"type": "app_mention"}, channel=channel.id)


def revise(bench: Bench, message: Message, by: str, before: Json, *, mark: bool = True) -> None:
    """Show a message that was changed already, and tell the app.

    Args:
        bench: The server's state.
        message: As it is now.
        by: Who changed it.
        before: The message object as it was.
        mark: False for changes that people do not see as an edit, such as unfurled links.
    """
    if mark:
        message.edited = {"user": by, "ts": bench.world.new_ts()}
        message.edits += 1
    note_look(bench, message)
    channel = bench.world.channels[message.channel]
    if bench.world.bot.id in channel.members and not message.seen_only_by:
        bench.emit(
            {
                "type": "message",
                "subtype": "message_changed",
                "channel": channel.id,
                "channel_type": channel.type,
                "hidden": True,
                "ts": bench.world.new_ts(),
                "message": message_json(bench, message),
                "previous_message": before,
            },
            channel=channel.id,
        )
        mention = f"<@{bench.world.bot.id}>"
        if mark and mention in message.text and mention not in str(before.get("text", "")):
            _tell(bench, message, mention_only=True)
    bench.changed()


def withdraw(bench: Bench, message: Message) -> None:
    """Delete a message and tell the app."""
    before = message_json(bench, message)
    message.deleted = True
    channel = bench.world.channels[message.channel]
    if bench.world.bot.id in channel.members and not message.seen_only_by:
        bench.emit(
            {
                "type": "message",
                "subtype": "message_deleted",
                "channel": channel.id,
                "channel_type": channel.type,
                "hidden": True,
                "ts": bench.world.new_ts(),
                "deleted_ts": message.ts,
                "previous_message": before,
            },
            channel=channel.id,
        )
    bench.changed()
