"""The methods that write a message piece by piece: startStream, appendStream, stopStream."""

from __future__ import annotations

from tests.slack_server.blocks import check_blocks
from tests.slack_server.call import Call
from tests.slack_server.chat_methods import MOST_MARKDOWN, check_thread, check_writable, expire_stream, metadata_of
from tests.slack_server.posting import message_json, note_look, publish, revise
from tests.slack_server.values import Channel, Json, Message, SlackError, Stream

MOST_STOP_BLOCKS = 50


def start_stream(call: Call) -> Json:
    """chat.startStream."""
    bench, world = call.bench, call.bench.world
    _allowed(call)
    call.required("channel")
    channel = call.channel()
    if not call.text("thread_ts"):
        raise SlackError(
            "invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field: thread_ts"]}
        )
    check_writable(call, channel)
    check_thread(call, channel, call.text("thread_ts"))
    if channel.kind != "im":
        for name in ("recipient_team_id", "recipient_user_id"):
            if not call.text(name):
                raise SlackError(f"missing_{name}")
        if call.text("recipient_user_id") not in world.users:
            raise SlackError("user_not_found")
    text, blocks = _piece(call)
    message = Message(
        channel.id,
        world.new_ts(),
        world.bot.id,
        markdown=text,
        bot_id=world.bot.bot_id,
        app_id=world.app_id,
        thread_ts=call.text("thread_ts"),
        blocks=blocks,
        metadata=metadata_of(call) or {},
        stream=Stream(bench.clock.now()),
    )
    publish(bench, message)
    return {"channel": channel.id, "ts": message.ts}


def append_stream(call: Call) -> Json:
    """chat.appendStream."""
    _allowed(call)
    message = _streaming(call)
    text, blocks = _piece(call)
    if not text and not blocks:
        raise SlackError("no_text")
    message.markdown += text
    message.blocks = [*message.blocks, *blocks]
    message.edits += 1
    note_look(call.bench, message)
    call.bench.changed()
    return {"channel": message.channel, "ts": message.ts}


def stop_stream(call: Call) -> Json:
    """chat.stopStream."""
    _allowed(call)
    bench = call.bench
    message = _streaming(call)
    text, blocks = _piece(call)
    last = call.items("blocks", "invalid_blocks_format") or []
    if len(last) > MOST_STOP_BLOCKS:
        raise SlackError("invalid_blocks")
    check_blocks(last)
    metadata = metadata_of(call)
    if status := call.text("session_status"):
        bench.agent.sessions[message.channel, message.root] = status
    before = message_json(bench, message)
    message.markdown += text
    message.blocks = [*message.blocks, *blocks, *last]
    if metadata is not None:
        message.metadata = metadata
    if message.stream:
        message.stream.state = "stopped"
    revise(bench, message, bench.world.bot.id, before, mark=False)
    return {"channel": message.channel, "ts": message.ts, "message": message_json(bench, message, metadata=True)}


def _allowed(call: Call) -> None:
    """Refuse where the workspace knows no streams."""
    if refusal := call.bench.policies.streaming:
        fields = {"needed": "chat:write", "provided": ""} if refusal == "missing_scope" else {}
        raise SlackError(refusal, **fields)


def _streaming(call: Call) -> Message:
    """Return the message of a call, if it is still being written.

    Raises:
        SlackError: `message_not_found`, `message_not_owned_by_app`, `message_not_in_streaming_state` or
            `stopped_by_user`.
    """
    call.required("channel", "ts")
    channel: Channel = call.channel()
    if channel.archived:
        raise SlackError("is_archived")
    call.member_of(channel)
    message = call.message(channel, call.text("ts"))
    if message.user != call.bench.world.bot.id:
        raise SlackError("message_not_owned_by_app")
    expire_stream(call, message)
    if message.stream is None or message.stream.state in ("stopped", "expired"):
        raise SlackError("message_not_in_streaming_state")
    if message.stream.state == "stopped_by_user":
        raise SlackError("stopped_by_user")
    return message


def _piece(call: Call) -> tuple[str, list[Json]]:
    """Return the text and blocks that a call brings, as text or in chunks.

    Raises:
        SlackError: `msg_too_long`, `invalid_chunks` or `markdown_text_conflict`.
    """
    text = call.text("markdown_text")
    blocks: list[Json] = []
    chunks = call.items("chunks", "invalid_chunks") or []
    if text and chunks:
        raise SlackError("markdown_text_conflict")
    for chunk in chunks:
        match chunk:
            case {"type": "markdown_text", "text": str(piece)}:
                text += piece
            case {"type": "blocks", "blocks": list(more)}:
                blocks += more
            case {"type": "task_update" | "plan_update", "title": str()}:
                pass
            case _:
                raise SlackError("invalid_chunks")
    if len(text) > MOST_MARKDOWN:
        raise SlackError("msg_too_long")
    check_blocks(blocks)
    return text, blocks
