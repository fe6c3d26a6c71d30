"""The local Slack records what people see and do: pings, links, pictures, buttons, modals, commands."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack_server import APP_TOKEN, BOT_TOKEN, Clock, LocalSlack, RateLimits, Timing, typed
from tests.slack_server.values import Json

QUIET: Json = {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
Ack = Callable[..., Awaitable[None]]


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A local Slack without limits on the number of calls, which retries nothing."""
    async with LocalSlack(limits=RateLimits(allowance=math.inf), timing=Timing(0.3, ())) as server:
        server.world.add_user_group("S1", "geneticists", ["U1"])
        yield server


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    """A client of the bot."""
    return AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_base_url, retry_handlers=[])


@pytest.fixture
async def app(slack: LocalSlack, client: AsyncWebClient) -> AsyncIterator[AsyncApp]:
    """A connected app without listeners."""
    made = AsyncApp(client=client)
    handler = AsyncSocketModeHandler(made, APP_TOKEN, ping_interval=1)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    yield made
    await handler.close_async()  # type: ignore[no-untyped-call]


def markdown(text: str) -> Json:
    """Return arguments of a post with a markdown block."""
    return {"text": "x", "blocks": [{"type": "markdown", "text": text}], **QUIET}


def section(text: str) -> Json:
    """Return arguments of a post with a section."""
    return {"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}], **QUIET}


@pytest.mark.parametrize(
    ("post", "pings"),
    [
        ({"text": "<!channel> <!here|here> <!everyone>"}, ["@channel", "@here", "@everyone"]),
        ({"text": "<@U1> and <@U2|b> and <@U99>"}, ["@ada", "@ben", "@U99"]),
        ({"text": "<!subteam^S1> <!subteam^S9|@x>"}, ["@geneticists", "@x"]),
        ({"text": "`<!channel>`"}, ["@channel"]),
        ({"text": "@channel @ada", **QUIET, "link_names": True}, ["@channel", "@ada"]),
        ({"text": "@here", **QUIET, "parse": "full"}, ["@here"]),
        (section("<!here>"), ["@here"]),
        (markdown("<!channel> <@U1> @here"), ["@channel", "@ada", "@here"]),
        ({"text": "<!channel>", "blocks": [{"type": "divider"}]}, ["@channel"]),
        ({"text": typed("<!channel> <@U1>") + " @channel", **QUIET}, []),
        (section("&lt;!channel&gt; @here &amp;lt;!here&gt;"), []),
        (markdown("&lt;!channel&gt; a@here.org"), []),
        ({"text": "<#C1> <!date^1^{date}|then> <mailto:a@b.org|a>", **QUIET}, []),
    ],
)
async def test_pings_are_found(
    slack: LocalSlack, client: AsyncWebClient, post: dict[str, Any], pings: list[str]
) -> None:
    """Every way to call somebody counts as a ping, and nothing that is escaped does."""
    await client.chat_postMessage(channel="C1", **post)
    assert pings == [ping.whom for ping in slack.pings(by="UBOT")]


async def test_an_edit_pings_only_whom_it_adds(slack: LocalSlack, client: AsyncWebClient) -> None:
    """A mention that was there before notifies nobody again; one that is new does, bare names too without `parse`."""
    posted = await client.chat_postMessage(channel="C1", text="<@U1>", **QUIET)
    await client.chat_update(channel="C1", ts=posted["ts"], text="<@U1> <@U2>", parse="none")
    await client.chat_update(channel="C1", ts=posted["ts"], text="@channel")
    assert ["@ada", "@ben", "@channel"] == [ping.whom for ping in slack.pings()]


async def test_a_mention_cut_in_two_by_a_stream_is_found(slack: LocalSlack, client: AsyncWebClient) -> None:
    """A stream is read as a whole: pieces that are harmless alone may call together."""
    asked = slack.direct_message("U1", "root")
    started = await client.chat_startStream(channel=asked.channel, thread_ts=asked.ts, markdown_text="<!chan")
    assert [] == slack.pings()
    await client.chat_appendStream(channel=asked.channel, ts=started["ts"], markdown_text="nel>")
    assert ["@channel"] == [ping.whom for ping in slack.pings()]


@pytest.mark.parametrize(
    ("post", "links", "unfurled"),
    [
        ({"text": "<https://a.org|a> https://b.org", **QUIET}, ["https://a.org"], []),
        ({"text": "<https://a.org|a>"}, ["https://a.org"], ["https://a.org"]),
        ({"text": "see https://b.org and c.com", "unfurl_links": False}, ["https://b.org", "c.com"], []),
        ({"text": "<https://a.org/x.png>", "unfurl_links": False}, ["https://a.org/x.png"], ["https://a.org/x.png"]),
        (section("https://b.org"), ["https://b.org"], []),
        (markdown("[a](https://a.org) <https://b.org> `c.com`"), ["https://a.org", "https://b.org"], []),
        (markdown("[a][1]\n\n[1]: https://evil.org"), ["https://evil.org"], []),
    ],
)
async def test_links_are_found(
    slack: LocalSlack, client: AsyncWebClient, post: dict[str, Any], links: list[str], unfurled: list[str]
) -> None:
    """What can be followed is listed, also what a client would link by itself, and what was fetched to preview it."""
    await client.chat_postMessage(channel="C1", **post)
    assert links == [link.url for link in slack.transcript("C1")[0].links]
    assert unfurled == [url for _, _, url in slack.unfurled()]


async def test_pictures_are_found(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Pictures of blocks and of Markdown are listed."""
    blocks = [{"type": "image", "image_url": "https://a.org/1.png", "alt_text": "one"}]
    await client.chat_postMessage(channel="C1", text="x", blocks=blocks)
    await client.chat_postMessage(channel="C1", **markdown("![two](https://a.org/2.png)"))
    assert ["https://a.org/1.png", "https://a.org/2.png"] == slack.images(by="UBOT")
    assert ["one", "two"] == [line.text for line in slack.transcript("C1")]


async def test_text_is_read_as_people_see_it(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Names stand for ids, labels for links, and the three entities are read once."""
    await client.chat_postMessage(channel="C1", text="<@U1> in <#C1>: <https://a.org|here> &lt;b&gt; &amp;lt;")
    assert ["@ada in #general: here <b> &lt;"] == [line.text for line in slack.transcript("C1")]


async def test_blocks_stay_until_they_are_emptied(slack: LocalSlack, client: AsyncWebClient) -> None:
    """A change of the text alone leaves the blocks that hide it; an empty list of blocks shows it."""
    posted = await client.chat_postMessage(channel="C1", **section("old"))
    await client.chat_update(channel="C1", ts=posted["ts"], text="new")
    assert "old" == slack.transcript("C1")[0].text
    await client.chat_update(channel="C1", ts=posted["ts"], text="new", blocks=[])
    assert ("new", 2) == (slack.transcript("C1")[0].text, slack.transcript("C1")[0].edits)


async def test_ephemeral_messages_are_for_one_person(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Only its person sees an ephemeral message, and the history does not have it."""
    await client.chat_postEphemeral(channel="C1", user="U1", text="psst")
    assert ["ada"] == [line.only_for for line in slack.transcript("C1", viewer="U1")]
    assert [] == slack.transcript("C1", viewer="U2")
    assert [] == (await client.conversations_history(channel="C1"))["messages"]


async def test_edits_and_reactions_of_people_are_delivered(slack: LocalSlack) -> None:
    """A change that adds a mention is a change and a mention; reactions, unfurled links and deletions are told."""
    said = slack.say("C1", "U1", "hello")
    slack.edit(said, "<@UBOT> hello")
    slack.react(said, "U2", "tada")
    slack.unreact(said, "U2", "tada")
    slack.unfurl(said, [{"title": "A page", "title_link": "https://a.org"}])
    slack.delete(said)
    events = [delivery.payload["event"] for delivery in slack.deliveries.sent]
    kinds = [event.get("subtype") or event["type"] for event in events]
    assert [
        "message",
        "message_changed",
        "app_mention",
        "reaction_added",
        "reaction_removed",
        "message_changed",
        "message_deleted",
    ] == kinds
    assert "U1" == events[2]["edited"]["user"]


async def test_other_bots_look_like_bots(slack: LocalSlack) -> None:
    """What another bot writes has its `bot_id` and no subtype."""
    slack.world.add_user("helper", user_id="U50", bot_id="B50")
    slack.world.channels["C1"].members.add("U50")
    slack.say_as_bot("C1", "U50", "<@UBOT> hello")
    event = slack.deliveries.sent[0].payload["event"]
    assert ("B50", False) == (event["bot_id"], "subtype" in event)


async def test_shared_channels_are_marked(slack: LocalSlack) -> None:
    """An event of a channel shared with others says so, and names the stranger's team."""
    slack.world.add_team("T2", "Elsewhere")
    slack.world.add_user("dora", user_id="W7", team="T2")
    slack.world.channels["C1"].members.add("W7")
    slack.connect_channel("C1", "T2")
    slack.say("C1", "W7", "hello")
    payload = slack.deliveries.sent[0].payload
    assert (True, "T2") == (payload["is_ext_shared_channel"], payload["event"]["user_team"])


FEEDBACK = {
    "type": "context_actions",
    "elements": [
        {
            "type": "feedback_buttons",
            "action_id": "vote",
            "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "up"},
            "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "down"},
        }
    ],
}


async def test_a_press_opens_a_modal_that_is_submitted(
    slack: LocalSlack, client: AsyncWebClient, app: AsyncApp
) -> None:
    """A button's press opens a modal once; errors keep it open, a plain acknowledgement closes it."""
    view = {
        "type": "modal",
        "callback_id": "comment",
        "title": {"type": "plain_text", "text": "Why?"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "why",
                "label": {"type": "plain_text", "text": "Reason"},
                "element": {"type": "plain_text_input", "action_id": "text"},
            }
        ],
    }
    pressed: list[Json] = []

    @app.action("vote")
    async def opened(ack: Ack, body: Json, client: AsyncWebClient) -> None:
        await ack()
        pressed.append(body["actions"][0])
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
            await client.views_open(trigger_id=body["trigger_id"], view=view)

    @app.view("comment")
    async def submitted(ack: Ack, view: Json) -> None:
        given = view["state"]["values"]["why"]["text"]["value"]
        await (ack() if given == "wrong gene" else ack(response_action="errors", errors={"why": "Say more."}))

    posted = await client.chat_postMessage(channel="C1", text="x", blocks=[FEEDBACK])
    message = slack.world.message("C1", posted["ts"])
    assert message
    slack.press(message, "U1", "vote", "down")
    shown = await slack.until(lambda: slack.shown("U1"))
    assert ("down", "Why?") == (pressed[0]["value"], slack.view_look(shown).title)
    await slack.submit(shown, {"text": "no"}).settled()
    assert ({"why": "Say more."}, shown) == (slack.view_look(shown).errors, slack.shown("U1"))
    await slack.submit(shown, {"text": "wrong gene"}).settled()
    assert None is slack.shown("U1")
    with pytest.raises(ValueError, match="no button"):
        slack.press(message, "U1", "vote", "sideways")


async def test_trigger_ids_expire(slack: LocalSlack, client: AsyncWebClient) -> None:
    """A modal cannot be opened more than three seconds after the interaction, nor a faulty one at all."""
    view = {"type": "modal", "title": {"type": "plain_text", "text": "x" * 25}, "blocks": []}
    with pytest.raises(SlackApiError, match="json-pointer:/view/title/text"):
        await client.views_open(trigger_id=slack.new_trigger("U1"), view=view)
    trigger = slack.new_trigger("U1")
    slack.clock.advance(3.1)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await client.views_open(trigger_id=trigger, view=view)


async def test_commands_and_shortcuts_reach_the_app(slack: LocalSlack, client: AsyncWebClient, app: AsyncApp) -> None:
    """A command's acknowledgement and its response address show ephemeral replies; shortcuts carry the message."""
    said = slack.say("C1", "U1", "What is a QTL?")
    asked: list[str] = []

    @app.command("/locus")
    async def command(ack: Ack, respond: Ack, body: Json) -> None:
        await ack(f"You said {body['text']}.")
        await respond("And more.")

    @app.shortcut("ask_about")
    async def shortcut(ack: Ack, body: Json) -> None:
        await ack()
        asked.append(body["message"]["text"])

    await slack.slash("/locus", "U2", "C1", "status").settled()
    await slack.until(lambda: len(slack.transcript("C1", viewer="U2")) == 3)
    assert {("", "What is a QTL?"), ("ben", "You said status."), ("ben", "And more.")} == {
        (line.only_for, line.text) for line in slack.transcript("C1")
    }
    await slack.shortcut("ask_about", "U2", said).settled()
    assert ["What is a QTL?"] == asked
    with pytest.raises(ValueError, match="not a valid command"):
        slack.slash("/other", "U2", "C1")


async def test_the_home_tab_is_shown(slack: LocalSlack, client: AsyncWebClient) -> None:
    """Opening the app's tabs is told, and what is published for a person is kept."""
    slack.open_home("U1")
    slack.open_home("U1", "messages")
    assert ["home", "messages"] == [delivery.payload["event"]["tab"] for delivery in slack.deliveries.sent]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "Ask me."}}]
    await client.views_publish(user_id="U1", view={"type": "home", "blocks": blocks})
    home = slack.home("U1")
    assert home
    assert "Ask me." == slack.view_look(home).text


async def test_people_cannot_do_what_slack_would_not_let_them(slack: LocalSlack) -> None:
    """Writing where one is not, to archived channels or to threads that are not there is a mistake of the test."""
    slack.world.add_channel("elsewhere", members=["U2"])
    with pytest.raises(ValueError, match="U1 is not in C2"):
        slack.say("C2", "U1", "hello")
    with pytest.raises(ValueError, match="nothing to answer"):
        slack.say("C1", "U1", "hello", thread_ts="1.000001")
    slack.archive("C1")
    with pytest.raises(ValueError, match="archived"):
        slack.say("C1", "U1", "hello")


async def test_time_may_run_faster() -> None:
    """The server's clock runs as fast as wanted and jumps, and no message is older than the one before."""
    async with LocalSlack(clock=Clock(speed=1_000)) as slack:
        first = slack.say("C1", "U1", "one")
        await slack.until(lambda: slack.clock.now() - float(first.ts) > 5, timeout_s=2)
        slack.clock.advance(60)
        second = slack.say("C1", "U1", "two")
    assert float(second.ts) - float(first.ts) > 65


async def test_waiting_ends_at_its_limit(slack: LocalSlack) -> None:
    """What does not become true is waited for only so long."""
    with pytest.raises(TimeoutError):
        await slack.until(lambda: False, timeout_s=0.05)
    with contextlib.suppress(asyncio.CancelledError):
        task = asyncio.create_task(slack.until(lambda: False))
        await asyncio.sleep(0)
        task.cancel()
        await task
    assert task.cancelled()
