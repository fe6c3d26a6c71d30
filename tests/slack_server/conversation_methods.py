"""The methods about channels and what was written in them."""

from __future__ import annotations

import base64
import binascii

from tests.slack_server.call import Call
from tests.slack_server.posting import message_json
from tests.slack_server.values import Channel, Json, Message, SlackError

MOST_MESSAGES = 999  # that one call returns
_USUAL_MESSAGES = 100
_USUAL_MEMBERS = 100
_NOUNS = {"public": "channels", "private": "groups", "im": "im", "mpim": "mpim"}
_TYPES = {"public_channel": "public", "private_channel": "private", "mpim": "mpim", "im": "im"}


def history_scopes(call: Call) -> tuple[str, ...]:
    """Return the scope that reading the messages of the call's channel needs."""
    return (f"{_scope_noun(call)}:history",)


def read_scopes(call: Call) -> tuple[str, ...]:
    """Return the scope that reading about the call's channel needs."""
    return (f"{_scope_noun(call)}:read",)


def open_scopes(call: Call) -> tuple[str, ...]:
    """Return the scope that opening direct messages needs."""
    return ("mpim:write",) if "," in call.text("users") else ("im:write",)


def _scope_noun(call: Call) -> str:
    channel = call.bench.world.channels.get(call.text("channel"))
    return _NOUNS[channel.kind] if channel else "channels"


def replies(call: Call) -> Json:
    """conversations.replies."""
    call.required("channel", "ts")
    channel = call.channel()
    call.member_of(channel)
    world, ts = call.bench.world, call.text("ts")
    asked = world.message(channel.id, ts)
    root_ts = asked.root if asked else ts
    root = world.message(channel.id, root_ts)
    answers = world.replies(channel.id, root_ts)
    if root is None and not answers:
        raise SlackError("thread_not_found")
    # The root comes first on every page and is not counted among the replies.
    page, more = _page(call, answers, oldest_first=True)
    return _messages(call, [root] if root else [], page, more)


def history(call: Call) -> Json:
    """conversations.history."""
    call.required("channel")
    channel = call.channel()
    call.member_of(channel)
    page, more = _page(call, call.bench.world.channel_messages(channel.id), oldest_first=False)
    return _messages(call, [], page, more)


def _page(call: Call, messages: list[Message], *, oldest_first: bool) -> tuple[list[Message], str]:
    """Return one page of the messages in the wanted time, and the cursor of the next or ""."""
    oldest, latest = call.text("oldest"), call.text("latest")
    inclusive = call.flag("inclusive")

    def wanted(message: Message) -> bool:
        at = float(message.ts)
        low, high = float(oldest or 0), float(latest or "inf")
        return low < at < high or (inclusive and message.ts in (oldest, latest))

    kept = [message for message in messages if wanted(message)]
    if not oldest_first:
        kept.reverse()
    start, limit = _cursor(call), min(call.number("limit", _USUAL_MESSAGES), MOST_MESSAGES)
    if limit < 1:
        raise SlackError("invalid_limit")
    page = kept[start : start + limit]
    more = start + limit < len(kept)
    return page, _encoded(start + limit) if more else ""


def _cursor(call: Call) -> int:
    cursor = call.text("cursor")
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
    except (ValueError, binascii.Error) as error:
        raise SlackError("invalid_cursor") from error


def _encoded(place: int) -> str:
    return base64.b64encode(f"next:{place}".encode()).decode()


def _messages(call: Call, first: list[Message], page: list[Message], more: str) -> Json:
    metadata = call.flag("include_all_metadata")
    return {
        "messages": [message_json(call.bench, message, metadata=metadata) for message in [*first, *page]],
        "has_more": bool(more),
        "response_metadata": {"next_cursor": more},
    }


def info(call: Call) -> Json:
    """conversations.info."""
    channel = call.channel()
    value = channel.as_json(call.bench.world.bot.id)
    if call.flag("include_num_members"):
        value["num_members"] = len(channel.members)
    return {"channel": value}


def list_scopes(call: Call) -> tuple[str, ...]:
    """Return the scope that listing conversations needs: where several are needed, the first that the token lacks."""
    needed = [f"{_NOUNS[kind]}:read" for kind in _kinds(call)]
    return (next((scope for scope in needed if scope not in call.bench.grants.scopes), needed[0]),)


def _kinds(call: Call) -> list[str]:
    """Return the kinds of channels that are asked for."""
    kinds = [_TYPES.get(name.strip(), "") for name in call.text("types", "public_channel").split(",")]
    if not all(kinds):
        raise SlackError("invalid_types")
    return kinds


def list_own(call: Call) -> Json:
    """users.conversations, for the bot itself."""
    kinds, limit = _kinds(call), call.number("limit", _USUAL_MESSAGES)
    if not 1 <= limit <= MOST_MESSAGES:
        raise SlackError("invalid_limit")
    world = call.bench.world
    hidden = call.flag("exclude_archived")
    mine = [
        channel
        for channel in world.channels.values()
        if channel.kind in kinds and world.bot.id in channel.members and not (hidden and channel.archived)
    ]
    start = _cursor(call)
    more = _encoded(start + limit) if start + limit < len(mine) else ""
    listed = [channel.as_json(world.bot.id) for channel in mine[start : start + limit]]
    return {"channels": listed, "response_metadata": {"next_cursor": more}}


def members(call: Call) -> Json:
    """conversations.members."""
    channel = call.channel()
    if channel.kind != "public":
        call.member_of(channel)
    everybody, start = sorted(channel.members), _cursor(call)
    limit = call.number("limit", _USUAL_MEMBERS)
    more = _encoded(start + limit) if start + limit < len(everybody) else ""
    return {"members": everybody[start : start + limit], "response_metadata": {"next_cursor": more}}


def open_direct(call: Call) -> Json:
    """conversations.open."""
    world = call.bench.world
    if call.text("channel"):
        channel: Channel = call.channel()
    else:
        people = call.required("users")[0].split(",")
        if any(user not in world.users for user in people):
            raise SlackError("user_not_found")
        channel = world.direct(*people)
    value = channel.as_json(world.bot.id) if call.flag("return_im") else {"id": channel.id}
    return {"channel": value, "no_op": False, "already_open": False}
