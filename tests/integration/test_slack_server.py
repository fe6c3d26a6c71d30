"""The local Slack delivers as Slack does: Socket Mode and HTTP, acknowledgements, retries, reconnections."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack_server import APP_TOKEN, BOT_TOKEN, MANIFEST, SIGNING_SECRET, LocalSlack, Timing
from tests.slack_server.remote import RemoteSlack, slack_process
from tests.slack_server.values import Json

QUICK = Timing(acknowledge_within_s=0.15, retry_after_s=(0.0, 0.02, 0.04))


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A local Slack that retries quickly."""
    async with LocalSlack(timing=QUICK) as server:
        yield server


def make_app(base_url: str) -> tuple[AsyncApp, list[Json]]:
    """Return an app that acknowledges everything, and the events it gets."""
    app = AsyncApp(client=AsyncWebClient(token=BOT_TOKEN, base_url=base_url), signing_secret=SIGNING_SECRET)
    events: list[Json] = []

    @app.event(re.compile(".*"))
    async def take(event: Json) -> None:
        events.append(event)

    return app, events


@contextlib.asynccontextmanager
async def connected(app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    """Connect an app over Socket Mode."""
    handler = AsyncSocketModeHandler(app, APP_TOKEN, ping_interval=0.1)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@contextlib.asynccontextmanager
async def bare_socket(slack: LocalSlack) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Connect without an SDK, and read the greeting."""
    client = AsyncWebClient(base_url=slack.api_base_url)
    url = str((await client.apps_connections_open(app_token=APP_TOKEN))["url"])
    async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as socket:
        assert "hello" == (await socket.receive_json())["type"]
        yield socket


async def test_bolt_gets_an_event_and_answers_it(slack: LocalSlack) -> None:
    """The unmodified bolt app connects, hears a mention and its reply stands in the thread."""
    app = AsyncApp(client=AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_base_url))

    @app.event("app_mention")
    async def answer(event: Json, client: AsyncWebClient) -> None:
        await client.chat_postMessage(channel=event["channel"], thread_ts=event["ts"], text="A locus.")

    async with connected(app):
        asked = slack.mention("C1", "U1", "What is a QTL?")
        await slack.until(lambda: slack.transcript("C1", asked.ts)[1:])
    assert [("ada", "@locus What is a QTL?"), ("locus", "A locus.")] == [
        (line.author, line.text) for line in slack.transcript("C1", asked.ts)
    ]


async def test_a_mention_arrives_twice_with_different_ids(slack: LocalSlack) -> None:
    """A mention in a subscribed channel is a message and an app_mention of one ts and two event ids."""
    app, events = make_app(slack.api_base_url)
    async with connected(app):
        asked = slack.mention("C1", "U1", "Hello")
        await slack.deliveries.settled()
    assert {("message", asked.ts), ("app_mention", asked.ts)} == {(event["type"], event["ts"]) for event in events}
    assert 2 == len({delivery.event_id for delivery in slack.deliveries.sent})


async def test_own_posts_come_back_with_a_bot_id(slack: LocalSlack) -> None:
    """What the bot posts, changes and deletes is delivered as any message, marked as a bot's."""
    client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_base_url)
    posted = await client.chat_postMessage(channel="C1", text="one")
    await client.chat_update(channel="C1", ts=posted["ts"], text="two")
    await client.chat_delete(channel="C1", ts=posted["ts"])
    sent = [delivery.payload["event"] for delivery in slack.deliveries.sent]
    assert ["", "message_changed", "message_deleted"] == [event.get("subtype", "") for event in sent]
    assert "B1" == sent[0]["bot_id"]
    assert ("two", "one") == (sent[1]["message"]["text"], sent[1]["previous_message"]["text"])
    assert posted["ts"] == sent[2]["deleted_ts"]


async def test_an_event_without_acknowledgement_is_delivered_four_times(slack: LocalSlack) -> None:
    """An unacknowledged event comes again three times, the same apart from its attempt and reason."""
    async with bare_socket(slack) as socket:
        delivery = slack.event({"type": "app_home_opened", "user": "U1"})
        assert delivery
        envelopes = [await socket.receive_json() for _ in range(4)]
        await delivery.settled()
    assert [(0, ""), (1, "timeout"), (2, "timeout"), (3, "timeout")] == [
        (envelope["retry_attempt"], envelope["retry_reason"]) for envelope in envelopes
    ]
    assert 1 == len({envelope["payload"]["event_id"] for envelope in envelopes})
    assert "failed" == delivery.status


async def test_a_late_acknowledgement_counts_for_nothing(slack: LocalSlack) -> None:
    """An envelope acknowledged after its time is delivered again."""
    async with bare_socket(slack) as socket:
        delivery = slack.event({"type": "app_home_opened", "user": "U1"})
        assert delivery
        first = await socket.receive_json()
        second = await socket.receive_json()
        await socket.send_json({"envelope_id": first["envelope_id"]})
        await slack.until(lambda: slack.sockets.strays)
        await socket.send_json({"envelope_id": second["envelope_id"]})
        await delivery.settled()
    assert (True, 2) == (delivery.acknowledged, len(delivery.attempts))


async def test_each_envelope_goes_to_one_connection(slack: LocalSlack) -> None:
    """With two connections an event reaches the app once, and both get their share."""
    app, events = make_app(slack.api_base_url)
    async with connected(app), connected(app):
        for number in range(6):
            slack.say("C1", "U1", f"message {number}")
        await slack.deliveries.settled()
    assert 6 == len(events)
    assert 2 == len({delivery.attempts[0].through for delivery in slack.deliveries.sent})


async def test_an_eleventh_connection_is_turned_away(slack: LocalSlack) -> None:
    """Ten connections are the most an app may have; one more is told so."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(bare_socket(slack))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.ws_connect(slack.new_socket_url()) as socket:
            told = await socket.receive_json()
    assert ("disconnect", "too_many_websockets") == (told["type"], told["reason"])


async def test_a_ticket_opens_one_connection(slack: LocalSlack) -> None:
    """The address of a connection works once."""
    url = slack.new_socket_url()
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        assert 1 == (await socket.receive_json())["num_connections"]
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_only_the_app_token_opens_connections(slack: LocalSlack) -> None:
    """The bot's token is refused for Socket Mode, and the app's for everything else."""
    client = AsyncWebClient(base_url=slack.api_base_url)
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        await client.apps_connections_open(app_token=BOT_TOKEN)
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        await client.auth_test(token=APP_TOKEN)


async def test_ping_is_answered_with_its_payload(slack: LocalSlack) -> None:
    """A PING frame is answered by a PONG with the same bytes."""
    async with bare_socket(slack) as socket:
        await socket.ping(b"sdk-ping-pong:1.5")
        frame = await socket.receive()
    assert (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1.5") == (frame.type, bytes(frame.data))


@pytest.mark.parametrize("how", ["refresh_requested", "abort"])
async def test_bolt_reconnects(slack: LocalSlack, how: str) -> None:
    """After a request to refresh, or a cut connection, the app connects anew and hears events again."""
    app, events = make_app(slack.api_base_url)
    async with connected(app):
        if how == "abort":
            slack.sockets.abort()
        else:
            await slack.sockets.disconnect("refresh_requested")
        await slack.until(lambda: slack.sockets.opened > 1 and slack.sockets.connections)
        slack.say("C1", "U1", "still there?")
        await slack.deliveries.settled()
    assert "still there?" == events[-1]["text"]


async def test_without_a_connection_deliveries_fail(slack: LocalSlack) -> None:
    """Events that no connection takes are tried three times more and then given up."""
    slack.say("C1", "U1", "anybody?")
    await slack.deliveries.settled()
    assert [("failed", 4)] == [(delivery.status, len(delivery.attempts)) for delivery in slack.deliveries.sent]


async def test_an_app_that_is_switched_off_cannot_connect(slack: LocalSlack) -> None:
    """Where Socket Mode is off no address is given out."""
    slack.sockets.disabled = True
    with pytest.raises(SlackApiError, match="socket_mode_disabled"):
        await AsyncWebClient(base_url=slack.api_base_url).apps_connections_open(app_token=APP_TOKEN)


async def test_events_need_a_subscription_and_membership(slack: LocalSlack) -> None:
    """Messages of channels that the bot is not in, and events not subscribed to, are not delivered."""
    slack.world.add_channel("elsewhere", members=["U1"])
    slack.say("C2", "U1", "<@UBOT> hello")
    assert None is slack.event({"type": "app_rate_limited"})
    assert [] == slack.deliveries.sent


async def test_a_manifest_without_the_scope_of_an_event_is_refused() -> None:
    """An app that subscribes to what its scopes do not cover cannot be installed."""
    scopes = [scope for scope in MANIFEST["oauth_config"]["scopes"]["bot"] if scope != "im:history"]
    with pytest.raises(ValueError, match=r"message\.im needs the scope im:history"):
        LocalSlack({**MANIFEST, "oauth_config": {"scopes": {"bot": scopes}}})


@contextlib.asynccontextmanager
async def served(app: AsyncApp) -> AsyncIterator[str]:
    """Serve an app's HTTP mode, and give its address."""
    runner = web.AppRunner(app.web_app(path="/slack/events"), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


async def test_http_mode_delivers_signed_requests(slack: LocalSlack) -> None:
    """Over HTTP the app gets events with a signature that it accepts, and echoes the challenge."""
    app, events = make_app(slack.api_base_url)
    async with served(app) as url:
        http = slack.use_http(url)
        slack.say("C1", "U1", "over HTTP")
        await slack.deliveries.settled()
        answer = await http.verify_url("sesame")
    assert (200, {"challenge": "sesame"}) == (answer.status, json.loads(answer.body))
    assert ["over HTTP"] == [event["text"] for event in events]


async def test_forged_and_old_requests_are_told_apart(slack: LocalSlack) -> None:
    """Wrong, missing and old signatures are refused by bolt; a replay within five minutes is not."""
    app, events = make_app(slack.api_base_url)
    async with served(app) as url:
        http = slack.use_http(url)
        slack.say("C1", "U1", "honest")
        await slack.deliveries.settled()
        payload = slack.deliveries.sent[0].payload
        forged = await http.forge(payload, secret="guessed")
        bare = await http.forge(payload, secret=SIGNING_SECRET, signed=False)
        old = await http.forge(payload, secret=SIGNING_SECRET, age_s=301)
        early = await http.forge(payload, secret=SIGNING_SECRET, age_s=-302)
        replayed = await http.replay()
    assert [401, 401, 401, 401, 200] == [answer.status for answer in (forged, bare, old, early, replayed)]
    assert 2 == len(events)


async def test_http_mode_retries_with_number_and_reason(slack: LocalSlack) -> None:
    """A failing address gets three more requests that say which and why, unless it asks for none."""
    seen: list[tuple[str, str]] = []

    async def refuse(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append((headers.get("X-Slack-Retry-Num", ""), headers.get("X-Slack-Retry-Reason", "")))
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"} if len(seen) > 4 else {})

    application = web.Application()
    application.add_routes([web.post("/", refuse)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.use_http(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    for text in ("first", "second"):
        slack.say("C1", "U1", text)
        await slack.deliveries.settled()
    await runner.cleanup()
    assert [("", ""), ("1", "http_error"), ("2", "http_error"), ("3", "http_error"), ("", "")] == seen


async def test_a_process_of_its_own_is_driven_over_http() -> None:
    """Another process plays Slack; acts, faults and what people see go over HTTP."""
    with slack_process("--acknowledge-within", "0.2", "--retry-after", "0") as url:
        async with RemoteSlack(url) as remote:
            app, events = make_app(remote.api_base_url)
            async with connected(app):
                asked = await remote.act("mention", channel="C1", user="U1", text="hello")
                await remote.add_faults("chat.postMessage", error="internal_error")
                with pytest.raises(SlackApiError, match="internal_error"):
                    await app.client.chat_postMessage(channel="C1", text="lost")
                await app.client.chat_postMessage(channel="C1", text="here", thread_ts=asked["ts"])

                async def settled() -> bool:
                    return not (await remote.state())["deliveries"]["open"]

                await remote.until(settled)
            with pytest.raises(ValueError, match="U9"):
                await remote.act("say", channel="C1", user="U9", text="stranger")
            seen = await remote.transcript("C1", thread=str(asked["ts"]))
            calls = await remote.calls("chat.postMessage")
    assert ["@locus hello", "here"] == [line["text"] for line in seen]
    assert ["internal_error", "ok"] == [call["outcome"] for call in calls]
    assert {"message", "app_mention"} == {event["type"] for event in events}


async def test_events_arrive_twice_and_overtaken_where_a_test_wants_that(slack: LocalSlack) -> None:
    """Each is delivered once more though it was acknowledged, and those that are held back come after later ones."""
    app, events = make_app(slack.api_base_url)
    disorder = slack.deliveries.disorder
    disorder.twice, disorder.twice_within_s, disorder.held, disorder.held_s = 1.0, 0.01, 1.0, 10.0
    async with connected(app):
        slack.say("C1", "U1", "first")  # held back, and longer than the test lasts by all likelihood
        disorder.held = 0.0
        slack.say("C1", "U1", "second")
        await slack.until(lambda: len(events) >= 2)

    assert ["second"] * 2 == [event["text"] for event in events[:2]]
