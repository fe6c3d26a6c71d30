"""The local Slack refuses what Slack refuses: tokens, scopes, limits of number and length, blocks, threads, streams."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack_server import BOT_TOKEN, MANIFEST, Clock, Fault, LocalSlack, RateLimits
from tests.slack_server.values import Json

NO_LIMITS = RateLimits(allowance=math.inf)


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A local Slack without limits on the number of calls."""
    async with LocalSlack(limits=NO_LIMITS) as server:
        yield server


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    """A client of the bot."""
    return client_of(slack)


def client_of(slack: LocalSlack, token: str = BOT_TOKEN) -> AsyncWebClient:
    """Return a client that tries nothing twice."""
    return AsyncWebClient(token=token, base_url=slack.api_base_url, retry_handlers=[])


async def refusal(client: AsyncWebClient, method: str, **arguments: Any) -> Json:
    """Call a method that has to be refused, and return the answer."""
    with pytest.raises(SlackApiError) as refused:
        await client.api_call(method, json=arguments)
    data = refused.value.response.data
    assert isinstance(data, dict)
    return data


async def error_of(client: AsyncWebClient, method: str, **arguments: Any) -> str:
    """Call a method that has to be refused, and return the code."""
    return str((await refusal(client, method, **arguments))["error"])


def section(text: str) -> Json:
    """Return a section block."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(value: str = "v", action_id: str = "a") -> Json:
    """Return a button."""
    return {
        "type": "button",
        "action_id": action_id,
        "value": value,
        "text": {"type": "plain_text", "text": "Press"},
    }


FEEDBACK = {
    "type": "feedback_buttons",
    "action_id": "vote",
    "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "up:h"},
    "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "down:h"},
}


async def test_tokens_are_checked(slack: LocalSlack) -> None:
    """No token, an unknown one and a revoked one are answered differently."""
    assert "not_authed" == await error_of(client_of(slack, ""), "auth.test")
    assert "invalid_auth" == await error_of(client_of(slack, "xoxb-other"), "auth.test")
    slack.revoke("bot", "account_inactive")
    assert "account_inactive" == await error_of(client_of(slack), "auth.test")
    slack.restore_tokens()
    assert "UBOT" == (await client_of(slack).auth_test())["user_id"]


async def test_scopes_of_the_manifest_are_checked() -> None:
    """A method whose scope the manifest lacks says which one is needed and what there is."""
    manifest = {**MANIFEST, "settings": {}, "features": {}, "oauth_config": {"scopes": {"bot": ["chat:write"]}}}
    async with LocalSlack(manifest, limits=NO_LIMITS) as slack:
        client = client_of(slack)
        posted = await client.chat_postMessage(channel="C1", text="hello")
        refused = await refusal(client, "conversations.replies", channel="C1", ts=posted["ts"])
    assert "chat:write" == posted.headers["x-oauth-scopes"]
    assert ("missing_scope", "channels:history", "chat:write") == (
        refused["error"],
        refused["needed"],
        refused["provided"],
    )


async def test_forms_and_json_are_both_taken(slack: LocalSlack) -> None:
    """Arguments may come as JSON, as a form with JSON inside, or in the address; unknown methods are refused."""
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    form = {"channel": "C1", "text": "x", "blocks": json.dumps([section("from a form")])}
    async with aiohttp.ClientSession(slack.api_base_url, headers=headers) as session:
        async with session.post("chat.postMessage", data=form) as answer:
            posted = await answer.json()
        async with session.get("conversations.history", params={"channel": "C1"}) as answer:
            history = await answer.json()
        async with session.post("chat.fly", json={}) as answer:
            unknown = (answer.status, await answer.json())
    assert [posted["ts"]] == [message["ts"] for message in history["messages"]]
    assert ["from a form"] == [line.text for line in slack.transcript("C1")]
    assert (200, "unknown_method") == (unknown[0], unknown[1]["error"])


@pytest.mark.parametrize(
    ("method", "calls"), [("chat.update", 50), ("chat.startStream", 20), ("chat.appendStream", 100)]
)
async def test_calls_of_a_method_are_limited_per_minute(method: str, calls: int) -> None:
    """One call more than a method's tier allows is answered 429 with the seconds to wait, after which it goes."""
    clock = Clock()
    async with LocalSlack(clock=clock) as slack:
        client = client_of(slack)
        for _ in range(calls):
            assert "invalid_arguments" == await error_of(client, method)
        with pytest.raises(SlackApiError) as limited:
            await client.api_call(method)
        wait = int(limited.value.response.headers["Retry-After"])
        clock.advance(wait + 1)
        assert "invalid_arguments" == await error_of(client, method)
    assert (429, "ratelimited") == (limited.value.response.status_code, limited.value.response["error"])
    assert 0 < wait <= 60
    assert {method: 1} == slack.rates.limited


async def test_posts_are_limited_per_channel() -> None:
    """A channel bears a short burst and then a message each second; another channel has its own limit."""
    clock = Clock()
    async with LocalSlack(clock=clock, limits=RateLimits(burst=2)) as slack:
        slack.world.add_channel("other", members=["UBOT"])
        client = client_of(slack)
        for _ in range(2):
            await client.chat_postMessage(channel="C1", text="x")
        assert "ratelimited" == await error_of(client, "chat.postMessage", channel="C1", text="x")
        await client.chat_postMessage(channel="C2", text="x")
        clock.advance(1)
        await client.chat_postMessage(channel="C1", text="x")
    assert (4, 1) == (slack.rates.accepted["chat.postMessage"], slack.rates.limited["chat.postMessage"])


async def test_long_texts_are_cut_or_refused(slack: LocalSlack, client: AsyncWebClient) -> None:
    """New texts are cut at 40,000 characters with a warning; changed ones over 4,000 and long Markdown are refused."""
    posted = await client.chat_postMessage(channel="C1", text="x" * 40_001)
    assert (40_000, "message_truncated") == (len(posted["message"]["text"]), posted["warning"])
    change = {"channel": "C1", "ts": posted["ts"]}
    assert "msg_too_long" == await error_of(client, "chat.update", **change, text="x" * 4_001)
    await client.chat_update(**change, text="x" * 4_000, blocks=[])
    assert "msg_too_long" == await error_of(client, "chat.update", **change, markdown_text="x" * 12_001)
    await client.chat_update(**change, markdown_text="x" * 12_000)
    conflict = {**change, "markdown_text": "a", "text": "b"}
    assert "markdown_text_conflict" == await error_of(client, "chat.update", **conflict)
    assert "no_text" == await error_of(client, "chat.postMessage", channel="C1", text=" ")


@pytest.mark.parametrize(
    ("blocks", "error", "pointer"),
    [
        ([{"type": "divider"}] * 51, "invalid_blocks", "/blocks"),
        ([section("x" * 3_001)], "invalid_blocks", "/blocks/0/text/text"),
        ([section("")], "invalid_blocks", "/blocks/0/text/text"),
        (
            [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
            "invalid_blocks",
            "/blocks/0/text/text",
        ),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "invalid_blocks", "/blocks/0/text/type"),
        (
            [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
            "invalid_blocks",
            "/blocks/0/elements",
        ),
        (
            [{"type": "actions", "elements": [button(action_id=f"a{n}") for n in range(26)]}],
            "invalid_blocks",
            "/blocks/0/elements",
        ),
        ([{"type": "actions", "elements": [button(), button()]}], "invalid_blocks", "/blocks/0/elements/1/action_id"),
        (
            [{"type": "context_actions", "elements": [{**FEEDBACK, "action_id": f"f{n}"} for n in range(6)]}],
            "invalid_blocks",
            "/blocks/0/elements",
        ),
        ([{"type": "actions", "elements": [button("x" * 2_001)]}], "invalid_blocks", "/blocks/0/elements/0/value"),
        ([{"type": "actions", "elements": [FEEDBACK]}], "invalid_blocks", "/blocks/0/elements/0/type"),
        ([{"type": "poem"}], "invalid_blocks", "/blocks/0/type"),
        ([{**section("x"), "colour": "red"}], "invalid_blocks", "/blocks/0"),
        ([{**section("x"), "block_id": "b"}] * 2, "invalid_blocks", "/blocks/1/block_id"),
        ([{"type": "image", "image_url": "ftp://x", "alt_text": "x"}], "invalid_blocks", "/blocks/0/image_url"),
        ([{"type": "markdown", "text": "x" * 6_001}] * 2, "invalid_blocks", "/blocks"),
        ([section("x" * 2_500)] * 5, "msg_blocks_too_long", ""),
    ],
)
async def test_blocks_are_checked(client: AsyncWebClient, blocks: list[Json], error: str, pointer: str) -> None:
    """Blocks that Slack would not take are refused, with a pointer to the fault."""
    refused = await refusal(client, "chat.postMessage", channel="C1", text="x", blocks=blocks)
    assert error == refused["error"]
    if pointer:
        assert f"[json-pointer:{pointer}]" in refused["errors"][0]


async def test_blocks_up_to_the_limits_are_taken(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Blocks that just fit are shown."""
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 150}},
        section("x" * 3_000),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10},
        {"type": "actions", "elements": [button("v" * 2_000, f"a{n}") for n in range(25)]},
        {"type": "context_actions", "elements": [FEEDBACK]},
        {"type": "markdown", "text": "x" * 6_000},
    ]
    posted = await client.chat_postMessage(channel="C1", text="x", blocks=blocks)
    assert blocks == posted["message"]["blocks"]
    assert 27 == len(slack.transcript("C1")[0].buttons)


async def test_threads_are_checked(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Only the root of a thread that is there, and takes replies, can be answered."""
    root = slack.say("C1", "U1", "root")
    reply = slack.say("C1", "U2", "reply", thread_ts=root.ts)
    joined = slack.say("C1", "U1", "joined", subtype="channel_join")
    post: Json = {"channel": "C1", "text": "x"}
    assert "thread_not_found" == await error_of(client, "chat.postMessage", **post, thread_ts="1.000001")
    assert "thread_not_found" == await error_of(client, "chat.postMessage", **post, thread_ts=reply.ts)
    assert "cannot_reply_to_message" == await error_of(client, "chat.postMessage", **post, thread_ts=joined.ts)
    slack.delete(root)
    await client.chat_postMessage(**post, thread_ts=root.ts)
    slack.world.channels["C1"].locked_threads.add(root.ts)
    assert "restricted_action_thread_locked" == await error_of(client, "chat.postMessage", **post, thread_ts=root.ts)


async def test_channels_are_checked(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Channels that are unknown, private to others, left, restricted or archived are refused each in their way."""
    slack.world.add_channel("secret", "private", members=["U1"])
    post = {"text": "x"}
    assert "channel_not_found" == await error_of(client, "chat.postMessage", channel="C9", **post)
    assert "channel_not_found" == await error_of(client, "chat.postMessage", channel="C2", **post)
    slack.kick("C1")
    assert "not_in_channel" == await error_of(client, "chat.postMessage", channel="C1", **post)
    slack.invite("C1")
    slack.world.channels["C1"].posting = "restricted_action"
    assert "restricted_action" == await error_of(client, "chat.postMessage", channel="C1", **post)
    slack.world.channels["C1"].posting = ""
    slack.archive("C1")
    assert "is_archived" == await error_of(client, "chat.postMessage", channel="C1", **post)


async def test_direct_messages_need_the_messages_tab(slack: LocalSlack) -> None:
    """An app without a messages tab cannot write to a person, one with it can."""
    assert (
        "U1"
        in slack.world.channels[(await client_of(slack).chat_postMessage(channel="U1", text="x"))["channel"]].members
    )
    features = {**MANIFEST["features"], "app_home": {"messages_tab_enabled": False}}
    async with LocalSlack({**MANIFEST, "features": features}) as closed:
        assert "messages_tab_disabled" == await error_of(client_of(closed), "chat.postMessage", channel="U1", text="x")


async def test_messages_of_others_stay_theirs(slack: LocalSlack, client: AsyncWebClient) -> None:
    """The bot changes and deletes its own messages only, and only ones that are there."""
    said = slack.say("C1", "U1", "mine")
    theirs = {"channel": "C1", "ts": said.ts}
    assert "cant_update_message" == await error_of(client, "chat.update", **theirs, text="x")
    assert "cant_delete_message" == await error_of(client, "chat.delete", **theirs)
    slack.delete(said)
    assert "message_not_found" == await error_of(client, "chat.delete", **theirs)


async def test_a_stream_is_written_piece_by_piece(slack: LocalSlack, client: AsyncWebClient) -> None:
    """The SDK's own helper writes a stream; the message is complete at its end and carries blocks and metadata."""
    asked = slack.say("C1", "U1", "root")
    stream = await client.chat_stream(
        channel="C1", thread_ts=asked.ts, recipient_team_id="T1", recipient_user_id="U1", buffer_size=4
    )
    for piece in ("**A lo", "cus** of ", "a trait."):
        await stream.append(markdown_text=piece)
    assert slack.transcript("C1", asked.ts)[1].streaming
    metadata = {"event_type": "answer", "event_payload": {"key": "k"}}
    await stream.stop(blocks=[section("sources")], metadata=metadata)
    line = slack.transcript("C1", asked.ts)[1]
    assert ("A locus of a trait.\nsources", False) == (line.text, line.streaming)
    found = await client.conversations_replies(channel="C1", ts=asked.ts, include_all_metadata=True)
    assert metadata == found["messages"][1]["metadata"]


async def test_streams_have_conditions(slack: LocalSlack, client: AsyncWebClient) -> None:
    """A stream needs a thread and, in channels, its reader; it takes 12,000 characters and blocks changes meanwhile."""
    asked = slack.say("C1", "U1", "root")
    place: Json = {"channel": "C1", "thread_ts": asked.ts}
    reader: Json = {"recipient_team_id": "T1", "recipient_user_id": "U1"}
    assert "invalid_arguments" == await error_of(client, "chat.startStream", channel="C1", **reader)
    assert "missing_recipient_team_id" == await error_of(client, "chat.startStream", **place)
    assert "missing_recipient_user_id" == await error_of(client, "chat.startStream", **place, recipient_team_id="T1")
    started = await client.chat_startStream(**place, **reader)
    here = {"channel": "C1", "ts": started["ts"]}
    assert "msg_too_long" == await error_of(client, "chat.appendStream", **here, markdown_text="x" * 12_001)
    assert "streaming_state_conflict" == await error_of(client, "chat.update", **here, text="x")
    await client.chat_stopStream(**here)
    assert "message_not_in_streaming_state" == await error_of(client, "chat.stopStream", **here)
    await client.chat_update(**here, text="changed")
    assert "changed" == slack.transcript("C1", asked.ts)[1].text


async def test_a_stream_ends_after_five_minutes() -> None:
    """Appending to and stopping a stream fail five minutes after its start; changing the message then works."""
    clock = Clock()
    async with LocalSlack(clock=clock) as slack:
        client, asked = client_of(slack), slack.direct_message("U1", "root")
        started = await client.chat_startStream(channel=asked.channel, thread_ts=asked.ts, markdown_text="a")
        here = {"channel": asked.channel, "ts": started["ts"]}
        clock.advance(290)
        await client.chat_appendStream(**here, markdown_text="b")
        clock.advance(11)
        for method in ("chat.appendStream", "chat.stopStream"):
            assert "message_not_in_streaming_state" == await error_of(client, method, **here, markdown_text="c")
        await client.chat_update(**here, markdown_text="abc")
        assert "abc" == slack.transcript(asked.channel)[1].text


async def test_a_person_stops_a_stream(slack: LocalSlack, client: AsyncWebClient) -> None:
    """After the stop button of the client nothing can be appended, and the app is told."""
    asked = slack.direct_message("U1", "root")
    started = await client.chat_startStream(channel=asked.channel, thread_ts=asked.ts, markdown_text="a")
    message = slack.world.message(asked.channel, str(started["ts"]))
    assert message
    slack.stop_stream(message, "U1")
    here = {"channel": asked.channel, "ts": started["ts"], "markdown_text": "b"}
    assert "stopped_by_user" == await error_of(client, "chat.appendStream", **here)
    assert 1 == len(slack.deliveries.of_type("agent_session_stopped"))


async def test_workspaces_without_streams_refuse_them(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Where the policy says so, every streaming method answers its error."""
    slack.policies.streaming = "unknown_method"
    assert "unknown_method" == await error_of(client, "chat.startStream", channel="C1")


async def test_threads_are_read_page_by_page(slack: LocalSlack, client: AsyncWebClient) -> None:
    """A thread of 1,200 replies comes in pages, each with the root first; metadata only on request."""
    root = slack.world.direct("U1").id
    asked = slack.say(root, "U1", "root")
    for number in range(1_200):
        slack.say(root, "U1", str(number), thread_ts=asked.ts)
    texts: list[str] = []
    cursor = ""
    pages = 0
    while pages == 0 or cursor:
        page = await client.conversations_replies(channel=root, ts=asked.ts, limit=500, cursor=cursor)
        texts += [message["text"] for message in page["messages"][1:]]
        cursor = page["response_metadata"]["next_cursor"]
        pages += 1
    newest = await client.conversations_replies(channel=root, ts=asked.ts, oldest=slack.transcript(root)[-3].ts)
    assert (3, [str(number) for number in range(1_200)]) == (pages, texts)
    assert ["1198", "1199"] == [message["text"] for message in newest["messages"][1:]]


async def test_history_is_newest_first(slack: LocalSlack, client: AsyncWebClient) -> None:
    """A channel's history begins with the newest message and leaves replies out."""
    first = slack.say("C1", "U1", "first")
    slack.say("C1", "U1", "reply", thread_ts=first.ts)
    slack.say("C1", "U1", "second")
    found = await client.conversations_history(channel="C1")
    assert ["second", "first"] == [message["text"] for message in found["messages"]]


async def test_people_and_channels_are_told_of(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Guests, strangers, shared channels, members and groups are described; some strangers are not."""
    slack.world.add_team("T2", "Elsewhere")
    slack.world.add_user("guest", guest="restricted")
    slack.world.add_user("dora", user_id="W7", team="T2")
    slack.world.add_user("ghost", user_id="U8", team="T2", hidden=True)
    slack.world.add_channel("shared", members=["UBOT", "W7"], connected=["T2"])
    slack.world.add_user_group("S1", "geneticists", ["U1", "U2"])
    assert (await client.users_info(user="U4"))["user"]["is_restricted"]
    assert (await client.users_info(user="W7"))["user"]["is_stranger"]
    assert "user_not_found" == await error_of(client, "users.info", user="U8")
    assert (await client.conversations_info(channel="C2"))["channel"]["is_ext_shared"]
    assert ["UBOT", "W7"] == (await client.conversations_members(channel="C2"))["members"]
    assert ["U1", "U2"] == (await client.usergroups_users_list(usergroup="S1"))["users"]
    assert "locus" == (await client.bots_info(bot="B1"))["bot"]["name"]
    opened = await client.conversations_open(users=["U1"])
    assert "D" == str(opened["channel"]["id"])[0]


async def test_the_agent_view_is_kept(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Status, prompts, title and session of a thread are kept; the status goes when the app posts."""
    asked = slack.direct_message("U1", "root")
    place = {"channel_id": asked.channel, "thread_ts": asked.ts}
    await client.assistant_threads_setStatus(**place, status="is reading", loading_messages=["one"])
    assert "is reading" == slack.agent.status[asked.channel, asked.ts]
    await client.chat_postMessage(channel=asked.channel, thread_ts=asked.ts, text="x")
    await client.assistant_threads_setTitle(**place, title="QTL")
    await client.assistant_threads_setSuggestedPrompts(**place, prompts=[{"title": "a", "message": "b"}])
    await client.agents_sessions_setStatus(**place, status="processing")
    key = (asked.channel, asked.ts)
    agent = slack.agent
    assert ({}, "QTL", "processing", 1) == (
        agent.status,
        agent.titles[key],
        agent.sessions[key],
        len(agent.prompts[key]),
    )
    assert "invalid_thread_ts" == await error_of(
        client, "assistant.threads.setTitle", channel_id=asked.channel, thread_ts="1.1", title="x"
    )


async def test_files_go_up_and_down(slack: LocalSlack, client: AsyncWebClient) -> None:
    """The SDK uploads a file to a thread; a person's file is given to the bot's token and to nobody else."""
    asked = slack.upload("C1", "U1", "notes.md", b"# Notes", text="learn this")
    await client.files_upload_v2(channel="C1", thread_ts=asked.ts, filename="table.csv", content="a,b\n1,2\n")
    assert ("table.csv",) == slack.transcript("C1", asked.ts)[1].files
    info = (await client.files_info(file=asked.files[0]))["file"]
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
        async with session.get(info["url_private_download"], headers=headers) as answer:
            assert b"# Notes" == await answer.read()
        async with session.get(info["url_private_download"]) as answer:
            assert (200, "text/html") == (answer.status, answer.content_type)
    slack.world.add_channel("secret", "private", members=["U1"])
    hidden = slack.upload("C2", "U1", "secret.md", b"x")
    assert "file_not_found" == await error_of(client, "files.info", file=hidden.files[0])


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(error="internal_error"), "internal_error"),
        (Fault(limited_s=7), "429"),
        (Fault(status=500), "500"),
        (Fault(body="<oops"), "garbled"),
        (Fault(drop="before"), "dropped"),
        (Fault(drop="after"), "lost"),
        (Fault(lose=True), "lost"),
        (Fault(hang=True), "hang"),
    ],
)
async def test_faults_spoil_one_call(slack: LocalSlack, fault: Fault, outcome: str) -> None:
    """A fault spoils the next call of its method; what is lost afterwards was done all the same."""
    slack.faults.add("chat.postMessage", fault)
    client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_base_url, retry_handlers=[], timeout=1)
    with pytest.raises((SlackApiError, aiohttp.ClientError, asyncio.TimeoutError)):
        await client.chat_postMessage(channel="C1", text="first")
    await client.chat_postMessage(channel="C1", text="second")
    kept = ["first", "second"] if outcome == "lost" else ["second"]
    assert kept == [line.text for line in slack.transcript("C1")]
    assert [outcome, "ok"] == [call.outcome for call in slack.calls("chat.postMessage")]
