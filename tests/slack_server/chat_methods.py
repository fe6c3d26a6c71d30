"""The methods that write messages: postMessage, postEphemeral, update, delete, getPermalink."""

from __future__ import annotations

import json

from tests.slack_server.blocks import check_blocks
from tests.slack_server.call import Call
from tests.slack_server.posting import message_json, publish, revise, shown_text, withdraw
from tests.slack_server.values import Channel, Json, Message, SlackError

MOST_TEXT = 40_000  # longer texts of new messages are cut
MOST_UPDATED_TEXT = 4_000  # longer texts of changed messages are refused
MOST_MARKDOWN = 12_000
MOST_METADATA = 8_000  # bytes of JSON
MOST_ATTACHMENTS = 100


def post_message(call: Call) -> Json:
    """chat.postMessage."""
    channel = _writable(call, direct=True)
    message = _composed(call, channel)
    publish(call.bench, message)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": message_json(call.bench, message, metadata=True),
    }


def post_ephemeral(call: Call) -> Json:
    """chat.postEphemeral."""
    channel = _writable(call)
    user = call.required("user")[0]
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    message = _composed(call, channel)
    message.seen_only_by = user
    publish(call.bench, message)
    return {"message_ts": message.ts}


def update(call: Call) -> Json:
    """chat.update."""
    call.required("channel", "ts")
    channel, bench = call.channel(), call.bench
    if channel.archived:
        raise SlackError("is_inactive")
    message = call.message(channel, call.text("ts"))
    _own(call, message, "cant_update_message")
    expire_stream(call, message)
    if message.stream and message.stream.state == "streaming":
        raise SlackError("streaming_state_conflict")
    window = bench.policies.edit_window_s
    if window is not None and bench.clock.now() - float(message.ts) > window:
        raise SlackError("edit_window_closed")
    text, markdown, blocks, attachments = content(call)
    if len(text) > MOST_UPDATED_TEXT:
        raise SlackError("msg_too_long")
    metadata = metadata_of(call)
    if message.blocks and blocks and _rich(message.blocks) and not _rich(blocks):
        raise SlackError("block_mismatch")
    before = message_json(bench, message)
    message.text, message.markdown = text, markdown
    # What is left out stays as it is: blocks go only with an empty list, and hide a new text as long as they stay.
    # Markdown stands where blocks would, and replaces them.
    message.blocks = [] if markdown else message.blocks if blocks is None else blocks
    message.attachments = message.attachments if attachments is None else attachments
    message.parse = call.text("parse", "client")
    message.link_names = call.flag("link_names")
    if metadata is not None:
        message.metadata = metadata
    message.unfurl = _unfurl(call, message.unfurl)
    revise(bench, message, bench.world.bot.id, before)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": shown_text(message),
        "message": message_json(bench, message, metadata=True),
    }


def delete(call: Call) -> Json:
    """chat.delete."""
    call.required("channel", "ts")
    channel = call.channel()
    if channel.archived:
        raise SlackError("is_inactive")
    message = call.message(channel, call.text("ts"))
    _own(call, message, "cant_delete_message")
    withdraw(call.bench, message)
    return {"channel": channel.id, "ts": message.ts}


def permalink(call: Call) -> Json:
    """chat.getPermalink."""
    call.required("channel", "message_ts")
    channel = call.channel()
    message = call.message(channel, call.text("message_ts"))
    address = f"https://{call.bench.world.team.domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        address += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": address}


def _writable(call: Call, *, direct: bool = False) -> Channel:
    """Return the channel, if the bot may write in it; `direct` lets a person's id stand for the direct messages."""
    world, grants = call.bench.world, call.bench.grants
    target = call.required("channel")[0]
    if direct and target in world.users and not world.users[target].bot_id:
        channel = world.direct(target)
    else:
        channel = call.channel()
    check_writable(call, channel, public="chat:write.public" in grants.scopes)
    return channel


def check_writable(call: Call, channel: Channel, *, public: bool = False) -> None:
    """Check that the bot may write in a channel.

    Raises:
        SlackError: `is_archived`, `messages_tab_disabled`, `not_in_channel`, what a preference refuses, or what
            forbids answering in the thread that the call names.
    """
    if channel.archived:
        raise SlackError("is_archived")
    if channel.kind == "im" and not call.bench.grants.messages_tab:
        raise SlackError("messages_tab_disabled")
    if not (public and channel.kind == "public"):
        call.member_of(channel)
    if channel.posting:
        raise SlackError(channel.posting)
    if thread := call.text("thread_ts"):
        check_thread(call, channel, thread)


def check_thread(call: Call, channel: Channel, thread: str) -> None:
    """Check that a thread can be answered.

    Raises:
        SlackError: `thread_not_found` (also for a reply's `ts`), `cannot_reply_to_message` or
            `restricted_action_thread_locked`.
    """
    world = call.bench.world
    root = world.message(channel.id, thread)
    if (root is None and not world.replies(channel.id, thread)) or (root and root.is_reply):
        raise SlackError("thread_not_found")
    if root and root.subtype in ("channel_join", "channel_leave", "huddle_thread", "reminder_add"):
        raise SlackError("cannot_reply_to_message")
    if thread in channel.locked_threads:
        raise SlackError("restricted_action_thread_locked")


def content(call: Call) -> tuple[str, str, list[Json] | None, list[Json] | None]:
    """Return text, Markdown, blocks and attachments of a call, checked.

    Raises:
        SlackError: `markdown_text_conflict`, `msg_too_long`, `no_text`, `invalid_blocks`, `msg_blocks_too_long` or
            `too_many_attachments`.
    """
    text, markdown = call.text("text"), call.text("markdown_text")
    blocks = call.items("blocks", "invalid_blocks_format")
    attachments = call.items("attachments", "invalid_attachments")
    if markdown and (text or blocks):
        raise SlackError("markdown_text_conflict")
    if len(markdown) > MOST_MARKDOWN:
        raise SlackError("msg_too_long")
    if blocks is not None:
        check_blocks(blocks)
    if attachments and len(attachments) > MOST_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    if not (text.strip() or markdown.strip() or blocks or attachments):
        raise SlackError("no_text")
    return text, markdown, blocks, attachments


def metadata_of(call: Call) -> Json | None:
    """Return the metadata of a call, checked.

    Raises:
        SlackError: `invalid_metadata_format`, `invalid_metadata_schema` or `metadata_too_large`.
    """
    metadata = call.mapping("metadata", "invalid_metadata_format")
    if not metadata:
        return metadata
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > MOST_METADATA:
        raise SlackError("metadata_too_large")
    return metadata


def _composed(call: Call, channel: Channel) -> Message:
    """Return the message that a call describes."""
    world = call.bench.world
    text, markdown, blocks, attachments = content(call)
    if len(text) > MOST_TEXT:
        text = text[:MOST_TEXT]
        call.warnings.append("message_truncated")
    return Message(
        channel.id,
        world.new_ts(),
        world.bot.id,
        text,
        markdown,
        bot_id=world.bot.bot_id,
        app_id=world.app_id,
        thread_ts=call.text("thread_ts"),
        broadcast=call.flag("reply_broadcast"),
        blocks=blocks or [],
        attachments=attachments or [],
        metadata=metadata_of(call) or {},
        parse=call.text("parse", "links"),
        link_names=call.flag("link_names"),
        unfurl=_unfurl(call, frozenset({"links", "media"})),
    )


def _unfurl(call: Call, default: frozenset[str]) -> frozenset[str]:
    """Return what may be fetched for a message's links; only what is switched off is surely not."""
    kinds = {"links": "unfurl_links", "media": "unfurl_media"}
    return frozenset(kind for kind, name in kinds.items() if call.flag(name, default=kind in default))


def _own(call: Call, message: Message, error: str) -> None:
    if message.user != call.bench.world.bot.id or message.seen_only_by:
        raise SlackError(error)


def _rich(blocks: list[Json]) -> bool:
    return any(block.get("type") == "rich_text" for block in blocks)


def expire_stream(call: Call, message: Message) -> None:
    """Let a stream end that has lasted too long."""
    stream, bench = message.stream, call.bench
    if stream and stream.state == "streaming" and bench.clock.now() - stream.started_at > bench.policies.stream_life_s:
        stream.state = "expired"
